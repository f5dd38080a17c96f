"""Whole cases: determinism, structures, tissue values, contrast, the known deformation, variation."""

import json
from itertools import combinations

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, center_of_mass, label, map_coordinates

from afpbench.base.errors import ConfigError
from afpbench.phantom.deformation import jacobian_determinant
from afpbench.phantom.generate import generate
from afpbench.phantom.labels import AIRWAY_CLASSES, LABELS, LESION_CLASSES, REGION_CLASSES
from afpbench.phantom.render import grid_axes
from afpbench.phantom.spine import bone_ids


class LazyCases(dict):
    """Cases by (region, index), made when first asked for."""

    def __missing__(self, key):
        self[key] = generate(*key, seed=7)
        return self[key]


CASES = LazyCases()
EITHER = pytest.mark.parametrize("region", ["thorax", "pelvis"])


def inside(case, *names):
    """CT values of the voxels whose neighbours all belong to the same group of labels."""
    mask = np.isin(case.ct_labels.array, [LABELS[name] for name in names])
    return case.ct.array[binary_erosion(mask)]


def signal(case, *names):
    return float(case.mr.array[np.isin(case.mr_labels.array, [LABELS[name] for name in names])].mean())


@EITHER
def test_same_arguments_same_bytes(region):
    again, first = generate(region, 1, 7, 6.0), generate(region, 1, 7, 6.0)
    for name in ("ct", "mr", "ct_labels", "fine_labels", "mr_labels", "displacement"):
        assert getattr(again, name).array.tobytes() == getattr(first, name).array.tobytes()
        assert getattr(again, name).geometry == getattr(first, name).geometry
    assert json.dumps(again.record) == json.dumps(first.record)


@EITHER
def test_types_and_grids(region):
    case = CASES[region, 0]
    assert case.ct.array.dtype == np.int16 and case.mr.array.dtype == np.float32
    assert case.ct_labels.array.dtype == case.mr_labels.array.dtype == np.uint8
    assert case.ct.array.shape == case.ct.geometry.shape == (72, 72, 96)
    assert case.mr.spacing_mm == (5.0, 5.0, 5.0)
    assert case.displacement.array.shape == (*case.mr.geometry.shape, 3)
    assert case.displacement.geometry == case.mr.geometry == case.mr_labels.geometry
    assert np.isfinite(case.mr.array).all() and np.isfinite(case.displacement.array).all()


@EITHER
def test_fine_labels_are_the_ct_labels_twice_as_fine(region):
    case = CASES[region, 0]
    fine, coarse = case.fine_labels, case.ct_labels
    assert fine.spacing_mm == tuple(step / 2 for step in coarse.spacing_mm) and fine.array.dtype == np.uint8
    corners = [np.array(volume.geometry.origin_mm) - np.array(volume.spacing_mm[::-1]) / 2 for volume in (fine, coarse)]
    np.testing.assert_allclose(*corners)
    whole = np.stack([fine.array[i::2, j::2, k::2] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    uniform = (whole == whole[0]).all(axis=0)
    assert 0.5 < uniform.mean() < 1 and (whole[0] == coarse.array)[uniform].all()


@EITHER
@pytest.mark.parametrize("index", [0, 1])
def test_every_promised_structure_is_there(region, index):
    case = CASES[region, index]
    present = {name for name, value in LABELS.items() if (case.ct_labels.array == value).any()}
    ends = {"vertebrae_T11", "vertebrae_L4", "rib_left_10", "rib_right_10"}
    expected = set(REGION_CLASSES[region]) - set(LESION_CLASSES) - ends
    assert expected - present == set()
    extra = {name for name in present if not name.startswith(("vertebrae", "rib"))}
    assert extra <= set(REGION_CLASSES[region])
    assert case.record["labels"].keys() == present


@EITHER
def test_sides_are_the_patients_sides(region):
    labels = CASES[region, 0].ct_labels.array
    for left in (name for name in REGION_CLASSES[region] if "left" in name):
        columns = [np.nonzero(labels == LABELS[name])[2].mean() for name in (left, left.replace("left", "right"))]
        assert columns[0] > columns[1], f"{left}: x grows to the patient's left"


def test_airway_tree():
    for index in (0, 1):
        case = CASES["thorax", index]
        tree = case.record["airways"]
        assert tree["generations"] >= 6 and min(tree["generations_by_lobe"].values()) >= 6
        assert len(tree["generations_by_lobe"]) == 5
        assert 14 < tree["trachea_lumen_mm"] < 18 and tree["smallest_lumen_mm"] < 3.3
        mask = np.isin(case.ct_labels.array, [LABELS[name] for name in [*AIRWAY_CLASSES, "trachea"]])
        parts, _ = label(mask, np.ones((3, 3, 3)))
        assert np.bincount(parts.ravel())[1:].max() > 0.97 * mask.sum()


def test_lesions_occur_in_some_cases_and_match_the_record():
    cases = [CASES["thorax", 0], CASES["thorax", 1], *(generate("thorax", i, 7, 6.0) for i in range(2, 6))]
    diseased = [case for case in cases if case.record["airways"]["lesions"]]
    assert len(diseased) >= 3
    for case in cases:
        found = {name for name in LESION_CLASSES if (case.ct_labels.array == LABELS[name]).any()}
        assert found <= {lesion["kind"] for lesion in case.record["airways"]["lesions"]}
    assert any((case.ct_labels.array == LABELS["bronchiectasis"]).any() for case in diseased)


def test_tissue_values_of_the_thorax():
    case = CASES["thorax", 0]
    lungs = [name for name in REGION_CLASSES["thorax"] if name.startswith("lung")]
    assert -900 < np.median(inside(case, *lungs)) < -740
    assert 30 < inside(case, "heart").mean() < 62
    assert 35 < inside(case, "liver").mean() < 80
    assert inside(case, "trachea").mean() < -900
    assert -125 < np.median(case.ct.array[case.ct_labels.array == LABELS["inner_fat"]]) < -60
    bones = [name for name in REGION_CLASSES["thorax"] if name.startswith(("rib", "vertebrae", "scapula"))]
    assert np.isin(case.ct_labels.array, [LABELS[name] for name in bones]).sum() > 5000
    values = case.ct.array[np.isin(case.ct_labels.array, [LABELS[name] for name in bones])]
    assert 300 < values.mean() < 800 and np.percentile(values, 99) > 800
    lumen = case.ct.array[case.ct_labels.array == LABELS["airway_lumen"]]
    assert lumen.min() < -980 and lumen.mean() < -780
    vessels = case.ct.array[case.ct_labels.array == LABELS["pulmonary_vessel"]]
    assert vessels.mean() > -150


def test_tissue_values_of_the_pelvis():
    case = CASES["pelvis", 0]
    urine, muscle = inside(case, "urinary_bladder"), inside(case, "gluteus_maximus_left")
    assert 0 < np.median(urine) < 25 and 35 < np.median(muscle) < 65
    assert 20 < np.median(inside(case, "prostate")) < 50
    assert -115 < np.median(inside(case, "subcutaneous_fat")) < -90
    femur = case.ct.array[case.ct_labels.array == LABELS["femur_left"]]
    assert np.percentile(femur, 95) > 700 and 50 < np.percentile(femur, 5) < 300
    colon = case.ct.array[case.ct_labels.array == LABELS["colon"]]
    assert colon.min() < -900, "the colon holds gas"
    assert case.ct.array[case.ct_labels.array == LABELS["rectum"]].min() < -600


@EITHER
def test_air_surrounds_the_body_on_all_sides(region):
    for index in (0, 1):
        labels = CASES[region, index].ct_labels.array
        assert not labels[:, [0, -1]].any() and not labels[:, :, [0, -1]].any()
        assert np.abs(CASES[region, index].ct.array[:, 0] + 1000).mean() < 40


def test_mr_contrast_is_not_monotone_in_hu():
    """From air over lung, fat and muscle to bone HU rises throughout; the MR signal goes up, down, up, down."""
    case = CASES["thorax", 0]
    air = float(np.percentile(case.mr.array[case.mr_labels.array == 0], 50))
    fat, muscle = signal(case, "inner_fat"), signal(case, "other_muscle")
    lungs = signal(case, *[name for name in REGION_CLASSES["thorax"] if name.startswith("lung")])
    assert air < lungs < muscle < fat
    pelvis = CASES["pelvis", 0]
    urine, muscle = signal(pelvis, "urinary_bladder"), signal(pelvis, "gluteus_maximus_left", "gluteus_maximus_right")
    assert urine > 2 * muscle, "8 HU is bright and 50 HU is dark"
    assert signal(pelvis, "subcutaneous_fat") > 1.5 * muscle
    table = CASES["pelvis", 0].record
    assert table["mr"]["noise"] > 0 and table["mr"]["bias_strength"] > 0


def test_bone_cortex_is_dark_in_mr():
    case = CASES["pelvis", 0]
    points = sampling_points(case)
    hu = map_coordinates(case.ct.array.astype(float), points, order=1, mode="constant", cval=-1024)
    labels = case.mr_labels.array
    shaft = np.isin(labels, [LABELS["femur_left"], LABELS["femur_right"], LABELS["hip_left"], LABELS["hip_right"]])
    cortex, marrow = case.mr.array[shaft & (hu > 650)].mean(), case.mr.array[shaft & (hu < 300) & (hu > 100)].mean()
    assert cortex < 0.75 * marrow


def sampling_points(case):
    """CT indices z, y, x of every MR voxel's tissue, by the stored displacement."""
    z, y, x = np.meshgrid(*grid_axes(case.mr.geometry), indexing="ij")
    where = np.stack([x, y, z], axis=-1) + case.displacement.array
    index = (where - np.array(case.ct.geometry.origin_mm)) / np.array(case.ct.spacing_mm)[::-1]
    return np.moveaxis(index[..., ::-1], -1, 0)


@EITHER
@pytest.mark.parametrize("index", [0, 1])
def test_displacement_carries_ct_labels_to_mr_labels(region, index):
    case = CASES[region, index]
    points = sampling_points(case)
    size = np.array(case.ct.array.shape).reshape(3, 1, 1, 1)
    covered = ((points >= 0) & (points <= size - 1)).all(axis=0)
    nearest = np.clip(np.rint(points), 0, size - 1).astype(int)
    warped, true = case.ct_labels.array[tuple(nearest)], case.mr_labels.array
    assert covered.mean() > 0.6
    assert (warped == true)[covered].mean() > 0.90
    still = np.stack(np.meshgrid(*grid_axes(case.mr.geometry), indexing="ij"))
    origin = np.array(case.ct.geometry.origin_mm)[::-1].reshape(3, 1, 1, 1)
    unmoved = np.clip(np.rint((still - origin) / 3.0), 0, size - 1).astype(int)
    bones = [LABELS[name] for name in REGION_CLASSES[region] if name.startswith(("rib", "hip", "femur", "vertebrae"))]

    def dice(labels):
        a, b = np.isin(labels, bones) & covered, np.isin(true, bones) & covered
        return 2 * (a & b).sum() / (a.sum() + b.sum())

    assert dice(warped) > 0.65 and dice(warped) > dice(case.ct_labels.array[tuple(unmoved)]) + 0.1


@pytest.mark.parametrize(
    ("region", "index", "name"), [("thorax", 1, "liver"), ("thorax", 1, "heart"), ("pelvis", 0, "urinary_bladder")]
)  # cases whose scanned range shows the organ
def test_the_texture_of_the_mr_is_not_that_of_the_ct(region, index, name):
    """What is left of MR and CT of one tissue, away from its borders and without the bias field's trend."""
    case = CASES[region, index]
    hu = map_coordinates(case.ct.array.astype(float), sampling_points(case), order=1, mode="constant", cval=-1024)
    places = np.argwhere(binary_erosion(case.mr_labels.array == LABELS[name], iterations=2) & (hu > -200)).T
    trend = np.stack([np.ones(places.shape[1]), *places, *places**2, *(places * np.roll(places, 1, 0))], axis=1)
    values = np.stack([image[tuple(places)] for image in (case.mr.array, hu)], axis=1)
    rest = values - trend @ np.linalg.lstsq(trend, values, rcond=None)[0]
    assert places.shape[1] > 250 and abs(np.corrcoef(rest.T)[0, 1]) < 0.1


@EITHER
@pytest.mark.parametrize("index", [0, 1])
def test_displacement_is_diffeomorphic_and_recorded(region, index):
    case = CASES[region, index]
    determinant = jacobian_determinant(case.displacement.array, case.mr.spacing_mm)
    assert determinant.min() > 0.3
    figures = case.record["deformation"]
    assert figures["jacobian_min"] == pytest.approx(determinant.min(), abs=1e-3)
    length = np.linalg.norm(case.displacement.array, axis=-1)
    assert figures["mean_mm"] == pytest.approx(length.mean(), abs=0.01)
    assert 2 < length.mean() < 20


@EITHER
def test_cases_differ(region):
    first, second = CASES[region, 0], CASES[region, 1]
    assert first.record["build"] != second.record["build"]
    body = [case.ct_labels.array > 0 for case in (first, second)]
    assert (body[0] != body[1]).mean() > 0.01
    assert (first.ct_labels.array != second.ct_labels.array).mean() > 0.10
    assert first.mr.geometry != second.mr.geometry
    assert generate(region, 0, 8, 6.0).record["build"] != first.record["build"]


class Coarse(dict):
    """Eight cases of a region on voxels of 6 mm."""

    def __missing__(self, region):
        self[region] = [generate(region, index, 3, 6.0) for index in range(8)]
        return self[region]


COARSE = Coarse()


@EITHER
def test_no_case_leaves_the_field_of_view_on_its_sides(region):
    for case in COARSE[region]:
        labels = case.fine_labels.array
        assert not labels[:, [0, -1]].any() and not labels[:, :, [0, -1]].any(), case.record["pose"]


@EITHER
def test_what_every_case_shows_is_there_wherever_the_scanned_range_lies(region):
    ends = {"vertebrae", "rib", "clavicula", "scapula"}
    expected = set(REGION_CLASSES[region]) - set(LESION_CLASSES)
    expected = {name for name in expected if name.split("_")[0] not in ends}
    for case in COARSE[region]:
        assert expected - set(case.record["labels"]) <= {"spleen"}, case.record["pose"]


@EITHER
def test_cases_differ_so_much_that_bones_of_two_seldom_meet(region):
    """As between patients: with the centres of their bodies brought together, a third of the bones overlaps at most."""
    bones = []
    for case in COARSE[region]:
        labels = case.ct_labels.array
        shift = np.rint(np.array(labels.shape) / 2 - center_of_mass(labels > 0)).astype(int)
        bones.append(np.roll(np.isin(labels, bone_ids()), shift, axis=(0, 1, 2)))
    overlaps = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in combinations(bones, 2)]
    assert 0.05 < np.mean(overlaps) < 0.36


def test_lesions_are_large_enough_to_be_seen():
    """A case has hundreds of voxels of each lesion at 3 mm; a plug was a few voxels once."""
    labels = [case.fine_labels.array for case in COARSE["thorax"] if case.record["airways"]["lesions"]]
    assert len(labels) >= 5
    for name in LESION_CLASSES:
        assert np.mean([(array == LABELS[name]).sum() for array in labels]) > 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("head", 0, 1), "no such region\n  found: 'head'\n  expected: thorax or pelvis"),
        (("thorax", -1, 1), "phantom thorax: case number and seed must not be negative\n  found: index -1, seed 1"),
        (("pelvis", 0, 1, (3.0, 3.0, 9.0)), "phantom pelvis: voxel size out of range"),
        (("pelvis", 0, 1, 0.5), "expected: 1.0 to 6.0 mm"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ConfigError) as error:
        generate(*arguments)
    assert message in str(error.value)


# --- contrasts


def test_a_further_contrast_changes_nothing_of_the_case_but_adds_itself():
    one, two = generate("thorax", 1, 7, 6.0), generate("thorax", 1, 7, 6.0, ["ute", "t1"])
    (other,) = two.other_mr
    for name in ("ct", "mr", "ct_labels", "fine_labels", "mr_labels", "displacement"):
        assert np.array_equal(getattr(one, name).array, getattr(two, name).array)
    assert two.record == {**one.record, "mr_t1": two.record["mr_t1"]} and one.other_mr == ()
    assert other.geometry == two.mr.geometry and other.array.dtype == np.float32
    assert 0.6 < np.corrcoef(other.array.ravel(), two.mr.array.ravel())[0, 1] < 0.999  # of the same anatomy


def test_the_first_contrast_may_be_another_than_the_regions_own():
    own, other = generate("pelvis", 0, 7, 6.0), generate("pelvis", 0, 7, 6.0, ["t1"])
    assert np.array_equal(own.ct.array, other.ct.array) and not np.array_equal(own.mr.array, other.mr.array)
    bladder = own.mr_labels.array == LABELS["urinary_bladder"]
    bright = [case.mr.array[bladder].mean() / np.percentile(case.mr.array, 99) for case in (own, other)]
    assert bright[0] > 3 * bright[1]  # urine: 1.00 in T2, 0.15 in T1


def test_a_sequence_that_there_is_not():
    with pytest.raises(ConfigError, match="phantom thorax: no such MR sequence\n  found: flair"):
        generate("thorax", 0, 7, 6.0, ["ute", "flair"])
