"""Registrations made elsewhere, on grids of a few voxels with transforms known by hand."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from afpbench.base.atomic import write_json
from afpbench.base.errors import ConfigError, DataError
from afpbench.registration import external
from afpbench.registration.case import register_case
from afpbench.study import registration as options
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume
from afpbench.volumes.preprocessing import resample_case

TURNED = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
GRID = Geometry((6, 5, 7), (3.0, 2.0, 2.5), (10.0, -5.0, 4.0), TURNED)
SHIFT_MM = (4.0, -3.0, 6.0)
ELASTIX = """(Transform "TranslationTransform")
(NumberOfParameters 3)
(TransformParameters {0} {1} {2})
(InitialTransformParameterFileName "NoInitialTransform")
(HowToCombineTransforms "Compose")
(FixedImageDimension 3)
(MovingImageDimension 3)
(FixedInternalImagePixelType "float")
(MovingInternalImagePixelType "float")
(Size 2 2 2)
(Index 0 0 0)
(Spacing 1.0 1.0 1.0)
(Origin 0.0 0.0 0.0)
(Direction 1 0 0 0 1 0 0 0 1)
(UseDirectionCosines "true")
(ResampleInterpolator "FinalBSplineInterpolator")
(FinalBSplineInterpolationOrder 3)
(Resampler "DefaultResampler")
(DefaultPixelValue 0)
(ResultImageFormat "nii.gz")
(ResultImagePixelType "float")
(CompressResultImage "false")
"""


def points_of(grid):
    index = np.stack(np.indices(grid.shape)[::-1], axis=-1).astype(float)
    return (index * grid.spacing_mm[::-1]) @ np.array(grid.direction).reshape(3, 3).T + np.array(grid.origin_mm)


def given(*transforms, **external_options):
    return options.checked_options(
        {"method": "external", "external": {"transforms": [str(path) for path in transforms], **external_options}}
    )


def affine():
    transform = sitk.AffineTransform(3)
    transform.SetMatrix((1.1, 0.2, 0, -0.1, 0.9, 0.1, 0, 0, 1.2))
    transform.SetTranslation((1, 2, 3))
    return transform


def test_elastix_files_on_another_grid(tmp_path):
    (tmp_path / "p1.0.txt").write_text(ELASTIX.format(*SHIFT_MM))
    field = external.displacement_mm("p1", given(tmp_path / "{case}.0.txt"), GRID)
    np.testing.assert_allclose(field, np.broadcast_to(SHIFT_MM, (*GRID.shape, 3)), atol=1e-4)


def test_elastix_files_are_stages_in_order(tmp_path):
    """A quarter turn about z after a shift is another thing than a shift after a quarter turn."""
    turn = ELASTIX.replace("TranslationTransform", "EulerTransform").replace("Parameters 3)", "Parameters 6)")
    turn = turn.replace("{0} {1} {2}", f"0 0 {np.pi / 2} 0 0 0") + "(CenterOfRotationPoint 0 0 0)\n"
    (tmp_path / "p1.0.txt").write_text(ELASTIX.format(*SHIFT_MM))
    (tmp_path / "p1.1.txt").write_text(turn)
    field = external.displacement_mm("p1", given(tmp_path / "{case}.0.txt", tmp_path / "{case}.1.txt"), GRID)
    moved = points_of(GRID) + SHIFT_MM
    expected = np.stack([-moved[..., 1], moved[..., 0], moved[..., 2]], axis=-1) - points_of(GRID)
    np.testing.assert_allclose(field, expected, atol=1e-3)


@pytest.mark.parametrize("suffix", ["tfm", "txt", "h5"])
def test_transforms_of_simpleitk(tmp_path, suffix):
    sitk.WriteTransform(affine(), str(tmp_path / f"p1.{suffix}"))
    field = external.displacement_mm("p1", given(tmp_path / f"{{case}}.{suffix}"), GRID)
    points = points_of(GRID)
    matrix = np.array(affine().GetMatrix()).reshape(3, 3)
    np.testing.assert_allclose(field, points @ matrix.T + (1, 2, 3) - points, atol=1e-3)


def test_transforms_of_simpleitk_are_applied_in_order(tmp_path):
    sitk.WriteTransform(sitk.TranslationTransform(3, SHIFT_MM), str(tmp_path / "a_p1.tfm"))
    sitk.WriteTransform(affine(), str(tmp_path / "b_p1.tfm"))
    field = external.displacement_mm("p1", given(tmp_path / "a_{case}.tfm", tmp_path / "b_{case}.tfm"), GRID)
    matrix = np.array(affine().GetMatrix()).reshape(3, 3)
    expected = (points_of(GRID) + SHIFT_MM) @ matrix.T + (1, 2, 3) - points_of(GRID)
    np.testing.assert_allclose(field, expected, atol=1e-3)


def test_an_image_of_displacements(tmp_path):
    vectors = np.random.default_rng(0).normal(0, 2, (*GRID.shape, 3)).astype(np.float32)
    io.write(Volume(vectors, GRID), tmp_path / "p1.nii.gz")
    field = external.displacement_mm("p1", given(tmp_path / "{case}.nii.gz"), GRID)
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(field[inner], vectors[inner], atol=1e-3)


def test_files_that_are_not_transforms(tmp_path):
    with pytest.raises(DataError) as error:
        external.displacement_mm("p1", given(tmp_path / "{case}.tfm"), GRID)
    assert f"case p1: registration.external.transforms: no such file: {tmp_path}/p1.tfm" in str(error.value)
    assert "data.exclude" in str(error.value)
    (tmp_path / "p1.tfm").write_text("nothing of the kind\n")
    with pytest.raises(DataError, match="case p1: registration.external.transforms: cannot use .*p1.tfm"):
        external.displacement_mm("p1", given(tmp_path / "{case}.tfm"), GRID)
    io.write(Volume(np.zeros(GRID.shape, np.float32), GRID), tmp_path / "p1.nii.gz")
    with pytest.raises(DataError, match="p1.nii.gz\n  found: 1 components in 3D"):
        external.displacement_mm("p1", given(tmp_path / "{case}.nii.gz"), GRID)
    (tmp_path / "p1.txt").write_text(ELASTIX.format(*SHIFT_MM).replace("TranslationTransform", "NoSuchTransform"))
    with pytest.raises(DataError, match="case p1: registration.external.transforms(?s:.)*transformix cannot apply"):
        external.displacement_mm("p1", given(tmp_path / "{case}.txt"), GRID)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "external"}, "registration.external: needs `transforms` or `ct`; found: neither"),
        (
            {"method": "external", "external": {"transforms": ["{case}.tfm"], "ct": "{case}.nii.gz"}},
            "found: transforms and ct; allowed: one of the two",
        ),
        (
            {"external": {"ct": "{case}.nii.gz"}},
            "registration.external: has no effect with method 'elastix'; hint: set method to 'external'",
        ),
        (
            {"method": "external", "external": {"ct": "ct.nii.gz"}},
            "registration.external.ct: one file for all cases; found: 'ct.nii.gz'; allowed: a path with {case}",
        ),
        ({"external": {"cts": "x"}}, "registration.external: unknown option\n  found: cts"),
        ({"folding": {"then": "hide"}}, "registration.folding.then\n  found: hide\n  expected: keep or fail"),
        ({"edge_weight": 1, "stages": ["affine"]}, "registration.edge_weight: has no effect without the stage bspline"),
        ({"edge_weight": -1}, "registration.edge_weight\n  found: -1"),
    ],
)
def test_options_that_do_not_go_together(wrong, message):
    with pytest.raises(ConfigError) as error:
        options.checked_options(wrong)
    assert message in str(error.value)


@pytest.fixture
def pair(tmp_path):
    """A block of tissue in the MR, and in the CT the same one 6 mm further along z."""
    grid = Geometry((24, 20, 20), (3.0, 3.0, 3.0))
    hu = np.full(grid.shape, -1000, np.int16)
    hu[6:14, 5:15, 5:15] = 40
    moved = np.roll(hu, 2, axis=0)
    folder = tmp_path / "p1"
    io.write(Volume(np.where(hu > 0, 300, 1).astype(np.float32), grid), folder / "imported" / "mr.nii.gz")
    io.write(Volume(moved, grid), folder / "imported" / "ct.nii.gz")
    io.write(Volume((moved > 0).astype(np.uint8) * 5, grid), folder / "imported" / "labels.nii.gz")
    write_json(folder / "imported" / "case.json", {"case": "p1"})
    resample_case(folder / "imported", folder / "resampled", grid.spacing_mm)
    io.write(Volume(hu, grid), tmp_path / "registered_p1.nii.gz")
    io.write(Volume((hu > 0).astype(np.uint8) * 5, grid), tmp_path / "labels_p1.nii.gz")
    return tmp_path, hu


def run(folder, external_options, **others):
    chosen = {"method": "external", "external": external_options, **others}
    register_case(folder / "p1" / "imported", folder / "p1" / "resampled", folder / "out", chosen)
    return json.loads((folder / "out" / "registration.json").read_text())


def test_a_case_with_its_own_transform(pair):
    folder, hu = pair
    sitk.WriteTransform(sitk.TranslationTransform(3, (0, 0, 6)), str(folder / "p1.tfm"))
    record = run(folder, {"transforms": [str(folder / "{case}.tfm")]})
    ct, labels = (io.read(folder / "out" / f"{name}.nii.gz").array for name in ("ct", "labels"))
    assert np.abs(ct[2:20].astype(int) - hu[2:20]).max() <= 1
    np.testing.assert_array_equal(labels == 5, hu > 0)
    assert record["method"] == "external" and record["attempts"] == []
    assert record["displacement_mean_mm"] == pytest.approx(6) and record["jacobian_min"] == pytest.approx(1)
    assert record["body_dice_before"] < 0.9 < 0.99 < record["body_dice_after"]


def test_a_ct_that_is_registered_already(pair):
    folder, hu = pair
    own = {"ct": str(folder / "registered_{case}.nii.gz"), "labels": str(folder / "labels_{case}.nii.gz")}
    record = run(folder, own)
    np.testing.assert_array_equal(io.read(folder / "out" / "ct.nii.gz").array, hu)
    np.testing.assert_array_equal(io.read(folder / "out" / "labels.nii.gz").array == 5, hu > 0)
    assert "jacobian_min" not in record and "displacement_mean_mm" not in record
    assert record["body_dice_before"] < record["body_dice_after"] == 1


def test_a_registered_ct_needs_its_own_labels(pair):
    folder, _ = pair
    with pytest.raises(DataError, match="case p1: the registered CT comes without labels(?s:.)*external.labels"):
        run(folder, {"ct": str(folder / "registered_{case}.nii.gz")})


def test_a_transform_that_folds_may_fail_its_case(pair):
    folder, _ = pair
    flip = sitk.AffineTransform(3)
    flip.SetMatrix((1, 0, 0, 0, 1, 0, 0, 0, -1))
    flip.SetTranslation((0, 0, 69))
    sitk.WriteTransform(flip, str(folder / "p1.tfm"))
    own = {"transforms": [str(folder / "{case}.tfm")]}
    assert run(folder, own)["folded_share"] == 1
    with pytest.raises(DataError) as error:
        run(folder, own, folding={"then": "fail"})
    assert "case p1: the transform folds space\n  found: 1 of the voxels" in str(error.value)
    assert "registration.folding.then" in str(error.value)


@pytest.mark.parametrize("name", ["p1.nii.gz", "p1.NII.GZ", "p1.mha"])
def test_a_displacement_that_is_no_number(tmp_path, name):
    vectors = np.zeros((*GRID.shape, 3), np.float32)
    vectors[1, 2, 3, 1] = np.nan
    io.write(Volume(vectors, GRID), tmp_path / name.lower())
    (tmp_path / name.lower()).rename(tmp_path / name)
    with pytest.raises(DataError, match=f"case p1: registration.external.transforms: NaN or infinite voxels: .*{name}"):
        external.displacement_mm("p1", given(tmp_path / name.replace("p1", "{case}")), GRID)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda hu: np.where(hu > 0, hu, np.inf), "NaN or infinite voxels"),
        (lambda hu: hu + 1024, "the values are not plausible as HU"),
        (lambda hu: hu * 0, "the image is constant"),
    ],
)
def test_a_registered_ct_passes_the_guards_of_the_import(pair, change, message):
    folder, hu = pair
    io.write(Volume(change(hu.astype(np.float32)), Geometry(hu.shape, (3.0, 3.0, 3.0))), folder / "registered_p1.mha")
    own = {"ct": str(folder / "registered_{case}.mha"), "labels": str(folder / "labels_{case}.nii.gz")}
    with pytest.raises(DataError, match=f"case p1: registration.external.ct: {message}"):
        run(folder, own)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: labels * 0.5 - 0.2, "labels that are not whole numbers"),
        (lambda labels: labels + 2, "values that belong to no class(?s:.)*found: 2, 7\n"),
        (lambda labels: labels * 0, "it is empty"),
    ],
)
def test_the_registered_cts_labels_pass_the_guards_of_the_import(pair, change, message):
    folder, hu = pair
    write_json(folder / "p1" / "imported" / "case.json", {"case": "p1", "classes": {"tissue": 5}})
    labels = io.read(folder / "labels_p1.nii.gz")
    io.write(labels.with_array(change(labels.array.astype(np.float32))), folder / "labels_p1.nii.gz")
    own = {"ct": str(folder / "registered_{case}.nii.gz"), "labels": str(folder / "labels_{case}.nii.gz")}
    with pytest.raises(DataError, match=f"case p1: registration.external.labels: {message}"):
        run(folder, own)
