import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from afpbench.base.atomic import write_json
from afpbench.base.errors import ConfigError, DataError
from afpbench.data import importing
from afpbench.registration import case as registration
from afpbench.registration import elastix, intensity, parameters, quality, table
from afpbench.registration.warp import warp
from afpbench.study import registration as options
from afpbench.study.kinds.sources import open_source
from afpbench.study.kinds.sources.sts import REAL_DATA_VARIABLE
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume
from afpbench.volumes.preprocessing import resample_case

ROOT = Path(__file__).parents[3]
TURNED = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
QUICK = {"iterations": 60, "resolutions": 2, "samples": 2000, "bspline_spacing_mm": 36.0}


def tissue(points):
    """A body of ellipsoids (HU) at points (..., 3) in mm round 0."""
    hu = np.full(points.shape[:-1], -1000.0)
    for centre, radii, value in (
        ((0, 0, 0), (52, 44, 70), -90),
        ((0, 0, 0), (46, 38, 64), 45),
        ((18, 8, 10), (10, 10, 40), 500),
        ((-22, -10, -8), (13, 9, 16), -850),
        ((-5, 18, 20), (12, 8, 10), 5),
        ((5, -20, -25), (9, 9, 9), 300),
        ((-20, 14, -30), (8, 8, 12), -95),
    ):
        hu[(((points - centre) / radii) ** 2).sum(axis=-1) <= 1] = value
    return hu


def true_field(points):
    """A smooth displacement of 3 to 9 mm."""
    x, y, z = np.moveaxis(points / 40, -1, 0)
    return np.stack([3 + 2 * np.sin(y), -4 + 2 * np.cos(x + z), 5 + 2 * np.sin(x)], axis=-1)


def points_of(grid):
    index = np.stack(np.indices(grid.shape)[::-1], axis=-1).astype(float)
    return (index * grid.spacing_mm[::-1]) @ np.array(grid.direction).reshape(3, 3).T + np.array(grid.origin_mm)


def centred(shape, spacing_mm, direction=(1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)):
    extent = (np.array(shape[::-1]) - 1) * spacing_mm[::-1]
    origin = -np.array(direction).reshape(3, 3) @ (extent / 2)
    return Geometry(shape, spacing_mm, tuple(origin), tuple(float(v) for v in direction))


def mr_of(hu):
    """Not a rising function of HU: fat bright, muscle middle, bone and air dark."""
    return gaussian_filter(np.interp(hu, (-1000, -300, -100, 40, 300, 500), (4, 60, 900, 300, 60, 20)), 0.6)


def make_case(folder, direction=(1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0), truth=True, shape=(40, 32, 36)):
    rng = np.random.default_rng(3)
    grid = centred(shape, (4.0, 4.0, 4.0), direction)
    points = points_of(grid)
    ct = Volume(tissue(points) + rng.normal(0, 8, grid.shape), grid)
    field = true_field(points)
    moved = mr_of(tissue(points + field))
    mr = Volume((moved + rng.normal(0, 6, grid.shape)).astype(np.float32), grid)
    imported = folder / "imported"
    io.write(ct.with_array(io.save_hu(ct.array)), imported / "ct.nii.gz")
    io.write(mr, imported / "mr.nii.gz")
    io.write(ct.with_array((tissue(points) == 500).astype(np.uint8) * 77), imported / "labels.nii.gz")
    io.write(ct.with_array((tissue(points) == 5).astype(np.uint8)), imported / "ct_contour.nii.gz")
    io.write(mr.with_array((tissue(points + field) == 5).astype(np.uint8)), imported / "mr_contour.nii.gz")
    if truth:
        io.write(Volume(field.astype(np.float32), grid), imported / "displacement.nii.gz")
    write_json(imported / "case.json", {"case": folder.name})
    resample_case(imported, folder / "resampled", grid.spacing_mm)
    return folder


def register(folder, options=None, name="registered"):
    registration.register_case(folder / "imported", folder / "resampled", folder / name, options or QUICK)
    return json.loads((folder / name / "registration.json").read_text())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = make_case(tmp_path_factory.mktemp("straight") / "p1")
    return folder, register(folder)


def test_the_error_falls(done):
    _, record = done
    assert record["case"] == "p1" and record["method"] == "elastix"
    assert record["error_before_mean_mm"] > 6
    assert record["error_after_mean_mm"] < 2
    assert record["error_after_p95_mm"] < record["error_before_p95_mm"] / 2
    assert record["mutual_information_after"] > record["mutual_information_before"]
    assert record["body_dice_after"] > record["body_dice_before"]
    assert record["contour_dice_after"] > max(0.8, record["contour_dice_before"])
    assert record["folded_share"] == 0 and record["jacobian_min"] > 0.3
    assert list(record["attempts"][0]["final_metrics"]) == ["translation", "bspline"]


def test_the_error_before_is_that_of_doing_nothing(done):
    folder, record = done
    grid = io.read(folder / "resampled" / "mr.nii.gz").geometry
    body, covered = (io.read(folder / "registered" / f"{name}.nii.gz").array for name in ("body", "covered"))
    region = (body > 0) & (covered > 0)
    length = np.linalg.norm(true_field(points_of(grid)), axis=-1)[region]
    assert record["error_before_mean_mm"] == pytest.approx(length.mean(), abs=1e-3)


def test_what_is_written(done):
    folder, _ = done
    out = folder / "registered"
    names = {path.name for path in out.iterdir()}
    assert names == {
        "ct.nii.gz",
        "covered.nii.gz",
        "body.nii.gz",
        "labels.nii.gz",
        "ct_contour.nii.gz",
        "checkerboard_before.png",
        "checkerboard_after.png",
        "registration.json",
        "TransformParameters.0.txt",
        "TransformParameters.1.txt",
    }
    grid = io.read(folder / "resampled" / "mr.nii.gz").geometry
    ct, covered, labels = (io.read(out / f"{name}.nii.gz") for name in ("ct", "covered", "labels"))
    assert ct.geometry.matches(grid) and ct.array.dtype == np.int16
    assert (ct.array[covered.array == 0] == -1024).all()
    assert set(np.unique(labels.array)) == {0, 77}
    expected = tissue(points_of(grid) + true_field(points_of(grid))) == 500
    assert quality.dice(labels.array == 77, expected) > 0.85


def test_the_transform_files_apply_again_from_a_moved_folder(done, tmp_path, monkeypatch):
    from itk import itkPyBufferPython, itkTransformixFilterPython

    folder, _ = done
    for path in elastix.transform_files(folder / "registered"):
        (tmp_path / path.name).write_text(path.read_text())
    last = (tmp_path / "TransformParameters.1.txt").read_text()
    assert 'FileName "TransformParameters.0.txt")' in last
    assert 'FileName "NoInitialTransform")' in (tmp_path / "TransformParameters.0.txt").read_text()
    monkeypatch.chdir(tmp_path)
    ct = io.read(folder / "imported" / "ct.nii.gz")
    image, buffer = elastix.to_itk(ct)
    transformix = itkTransformixFilterPython.itkTransformixFilterIF3.New()
    transformix.SetMovingImage(image)
    transformix.SetTransformParameterFileName("TransformParameters.1.txt")
    transformix.UpdateLargestPossibleRegion()
    result = itkPyBufferPython.itkPyBufferIF3.GetArrayFromImage(transformix.GetOutput())
    ours = io.read(folder / "registered" / "ct.nii.gz").array
    inside = io.read(folder / "registered" / "covered.nii.gz").array > 0
    inside[[0, -1]] = inside[:, [0, -1]] = inside[:, :, [0, -1]] = False
    difference = np.abs(np.clip(result, -1024, 3071) - ours)[inside]
    assert np.percentile(difference, 99) < 2 and buffer.shape == ct.array.shape


def test_the_same_input_gives_the_same_files(done):
    folder, _ = done
    register(folder, name="again")
    for name in ("TransformParameters.1.txt", "ct.nii.gz"):
        assert (folder / "again" / name).read_bytes() == (folder / "registered" / name).read_bytes()


def test_oblique_volumes(tmp_path):
    record = register(make_case(tmp_path / "p2", direction=TURNED))
    assert record["error_after_mean_mm"] < 2 < record["error_before_mean_mm"]
    assert record["folded_share"] == 0


def test_none_only_resamples(tmp_path):
    folder = make_case(tmp_path / "p3", truth=False)
    record = register(folder, {"method": "none"})
    assert record["attempts"] == [] and record["displacement_max_mm"] == 0 and record["jacobian_min"] == 1
    assert record["contour_dice_before"] == record["contour_dice_after"]
    assert record["mutual_information_before"] == record["mutual_information_after"]
    assert "error_before_mean_mm" not in record
    np.testing.assert_array_equal(
        io.read(folder / "registered" / "ct.nii.gz").array, io.read(folder / "imported" / "ct.nii.gz").array
    )
    assert not list((folder / "registered").glob("TransformParameters*"))


def test_of_several_channels_the_first_is_registered_and_named(tmp_path):
    folder = make_case(tmp_path / "p1", shape=(12, 16, 16))
    assert "mr_channel" not in register(folder, {"method": "none"})
    first = io.read(folder / "imported" / "mr.nii.gz")
    io.write(first.with_array(first.array[::-1].copy()), folder / "imported" / "mr_0001.nii.gz")
    write_json(folder / "imported" / "case.json", {"case": "p1", "mr_channels": ["t1", "t2"]})
    resample_case(folder / "imported", folder / "resampled", (4.0, 4.0, 4.0))
    assert register(folder, {"method": "none"})["mr_channel"] == "t1"


def test_the_truth_is_the_known_deformation(tmp_path):
    """The CT at p + displacement(p): what the MR was made of; and an error for a case of which nobody knows it."""
    folder = make_case(tmp_path / "p9", shape=(16, 16, 16))
    record = register(folder, {"method": "truth"})
    assert record["method"] == "truth" and record["attempts"] == []
    assert record["error_after_mean_mm"] == record["error_after_p95_mm"] == 0 < record["error_before_mean_mm"]
    grid = io.read(folder / "resampled" / "mr.nii.gz").geometry
    labels = io.read(folder / "registered" / "labels.nii.gz").array
    bone = tissue(points_of(grid) + true_field(points_of(grid))) == 500
    assert quality.dice(labels == 77, bone) > 0.85  # voxels of 4 mm
    (folder / "imported" / "displacement.nii.gz").unlink()
    with pytest.raises(DataError, match="case p9: registration.method is 'truth', and the true deformation is not"):
        register(folder, {"method": "truth"})


def test_the_organisers_settings_run(tmp_path, monkeypatch):
    monkeypatch.setitem(options.SETTINGS["synthrad2025"], "iterations", [6, 6, 3])
    folder = make_case(tmp_path / "p10", shape=(16, 16, 16))
    record = register(folder, {"method": "synthrad2025", "mask": "none", "folding": {"attempts": 1}})
    assert record["method"] == "synthrad2025" and record["options"]["samples"] == 4096
    (attempt,) = record["attempts"]
    assert list(attempt["final_metrics"]) == ["bspline"]
    assert (attempt["bspline_spacing_mm"], attempt["bending_energy_weight"]) == (15, 50)
    assert record["mutual_information_after"] > record["mutual_information_before"]


def test_without_registration_nothing_differs_between_before_and_after_on_a_coarser_grid(tmp_path):
    """An MR of 6 x 5 x 6 mm and a CT of 4 mm: smoothing and interpolation are the same, to the last bit."""
    folder = make_case(tmp_path / "p3b", truth=False)
    resample_case(folder / "imported", folder / "resampled", (6.0, 5.0, 6.0))
    record = register(folder, {"method": "none"})
    names = [name.removesuffix("_before") for name in record if name.endswith("_before")]
    assert {"mutual_information", "edge_dice", "body_dice", "contour_dice", "contour_soft"} <= {*names}
    assert [record[f"{name}_before"] for name in names] == [record[f"{name}_after"] for name in names]


def test_a_transform_that_folds_is_tried_again_stiffer(tmp_path):
    folder = make_case(tmp_path / "p4", truth=False, shape=(16, 16, 16))
    rng = np.random.default_rng(0)
    ct = io.read(folder / "imported" / "ct.nii.gz")
    noise = np.where(ct.array > -500, gaussian_filter(rng.normal(0, 1, ct.array.shape), 1) * 2000, -1000)
    io.write(ct.with_array(io.save_hu(noise)), folder / "imported" / "ct.nii.gz")
    loose = {**QUICK, "iterations": 40, "resolutions": 1, "bspline_spacing_mm": 9.0, "bending_energy_weight": 0}
    record = register(folder, loose)
    first, second = record["attempts"]
    assert first["folded_share"] > 0
    assert (second["bspline_spacing_mm"], second["bending_energy_weight"]) == (13.5, 1000)
    assert second["folded_share"] < first["folded_share"]
    assert (first["used"], second["used"]) == (False, True)
    assert record["folded_share"] == second["folded_share"]
    assert not [path for path in (folder / "registered").iterdir() if path.is_dir()]
    assert len(list((folder / "registered").glob("TransformParameters*"))) == 2


def test_images_that_do_not_meet_are_an_error(tmp_path):
    folder = make_case(tmp_path / "p5", truth=False)
    ct = io.read(folder / "imported" / "ct.nii.gz")
    grid = Geometry(ct.geometry.shape, ct.spacing_mm, (900.0, 900.0, 900.0))
    io.write(Volume(ct.array, grid), folder / "imported" / "ct.nii.gz")
    with pytest.raises(DataError) as error:
        register(folder)
    assert "case p5: elastix failed" in str(error.value)
    assert "Too many samples map outside moving image buffer" in str(error.value)
    with pytest.raises(DataError, match="case p5: after registration no voxel of the CT lies in the MR's field"):
        register(folder, {"method": "none"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metod": "none"}, "registration: unknown option\n  found: metod"),
        (
            {"method": "ants"},
            "registration.method\n  found: ants\n  expected: elastix or synthrad2025 or impact or external or truth or "
            "none",
        ),
        ({"stages": ["warp"]}, "registration.stages(?s:.)*expected: a list of translation, rigid, affine, bspline"),
        ({"stages": []}, "registration.stages"),
        ({"method": "synthrad2025", "stages": ["rigid"]}, "stages: has no effect with method 'synthrad2025'"),
        ({"iterations": 0}, "registration.iterations\n  found: 0\n  expected: a number over 0"),
    ],
)
def test_options_that_cannot_be(given, message):
    with pytest.raises(ConfigError, match=message):
        options.checked_options(given)


def test_two_threads_give_the_same_files_twice(tmp_path):
    """With two metrics, which crash through elastix's own setting of threads."""
    folder = make_case(tmp_path / "p6", shape=(16, 16, 16))
    short = {**QUICK, "iterations": 10, "resolutions": 1, "threads": 2}
    register(folder, short, "two")
    register(folder, short, "two_again")
    for name in ("TransformParameters.1.txt", "ct.nii.gz"):
        assert (folder / "two" / name).read_bytes() == (folder / "two_again" / name).read_bytes()


def test_edges_drive_the_bspline(tmp_path):
    folder = make_case(tmp_path / "p7", shape=(20, 20, 20))
    short = {**QUICK, "iterations": 30, "resolutions": 1, "samples": 500}
    record = register(folder, {**short, "edge_weight": 3}, "edges")
    other = register(folder, short, "intensities")
    assert record["error_after_mean_mm"] < record["error_before_mean_mm"] / 2
    assert record["edge_dice_after"] > record["edge_dice_before"]
    first, second = (r["attempts"][0]["final_metrics"] for r in (record, other))
    assert first["translation"] == second["translation"]  # edges come in with the B-spline
    assert first["bspline"] < second["bspline"] - 0.5  # three times a correlation lower


def test_own_parameter_files_are_the_same_registration(tmp_path):
    """The shipped maps, written down and given as files."""
    folder = make_case(tmp_path / "p8", shape=(16, 16, 16))
    short = {**QUICK, "iterations": 10, "resolutions": 1, "samples": 500}
    paths = []
    for name, values in parameters.parameter_maps(options.checked_options(short), (4.0, 4.0, 4.0)):
        lines = [f"({key} {' '.join(chr(34) + item + chr(34) for item in items)})" for key, items in values.items()]
        paths.append(tmp_path / f"my_{name}.txt")
        paths[-1].write_text("\n".join(lines) + "\n")
    register(folder, short, "shipped")
    record = register(folder, {"parameter_files": [str(path) for path in paths]}, "own")
    assert list(record["attempts"][0]["final_metrics"]) == ["my_translation", "my_bspline"]
    assert record["attempts"][0]["bspline_spacing_mm"] == 36
    for name in ("TransformParameters.1.txt", "ct.nii.gz"):
        assert (folder / "own" / name).read_bytes() == (folder / "shipped" / name).read_bytes()


def test_gray_rises_and_gives_half_to_soft_tissue():
    values = intensity.gray(np.array([-1024, -300, -50, 200, 1500, 3000]))
    np.testing.assert_allclose(values, [0, 0.25, 0.5, 0.75, 1, 1])


@pytest.mark.parametrize("direction", [(1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0), TURNED])
def test_the_jacobian_of_a_linear_field(direction):
    matrix = np.array([[0.1, 0.2, 0.0], [-0.1, 0.3, 0.1], [0.05, 0.0, -0.2]])
    grid = centred((5, 6, 7), (3.0, 2.0, 1.0), direction)
    determinant = quality.jacobian_determinant(points_of(grid) @ matrix.T, grid)
    np.testing.assert_allclose(determinant, np.linalg.det(np.eye(3) + matrix), rtol=1e-5)


def test_a_reflection_folds():
    grid = centred((5, 6, 7), (1.0, 1.0, 1.0))
    field = points_of(grid) * (-2.0, 0, 0)
    np.testing.assert_allclose(quality.jacobian_determinant(field, grid), -1)


def test_mutual_information_by_hand():
    rng = np.random.default_rng(0)
    values = rng.normal(size=64_000)
    assert quality.mutual_information(values, values) == pytest.approx(np.log(64), abs=0.01)
    assert quality.mutual_information(values, np.exp(values)) == pytest.approx(np.log(64), abs=0.01)
    assert quality.mutual_information(values, rng.normal(size=64_000)) == pytest.approx(0, abs=0.05)
    assert quality.mutual_information(values, np.zeros(64_000)) == pytest.approx(0, abs=1e-9)
    assert quality.mutual_information(values[:5], values[:5]) is None


def test_dice_by_hand():
    first, second = np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    assert quality.dice(first, second) is None
    first[0], second[:, 0] = True, True
    assert quality.dice(first, second) == 0.5


def test_warp_reads_at_p_plus_field():
    grid = centred((4, 4, 6), (1.0, 1.0, 2.0), TURNED)
    labels = np.broadcast_to(np.arange(6, dtype=np.uint8), grid.shape)
    step = np.array(TURNED).reshape(3, 3)[:, 0] * 2.0  # one voxel along the x index axis
    result = warp(Volume(labels, grid), grid, np.broadcast_to(step, (*grid.shape, 3)), "nearest", 99)
    np.testing.assert_array_equal(result[0, 0], [1, 2, 3, 4, 5, 99])


def test_fine_labels_are_voted_over_more_than_the_nearest_voxels():
    """Voxels of 2 mm centred at 0.75, 2.75, ... over one of 0.5 mm: a sheet one fine voxel thick loses."""
    fine = Geometry((8, 8, 24), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    x_mm = 0.25 + 0.5 * np.arange(24)
    line = np.where((x_mm > 3.5) & (x_mm < 8), 7, 3).astype(np.uint8)
    line[x_mm == 4.75] = 9
    grid = Geometry((2, 2, 5), (2.0, 2.0, 2.0), (0.75, 1.0, 1.0))
    labels = Volume(np.broadcast_to(line, fine.shape), fine)
    still = np.zeros((*grid.shape, 3))
    assert warp(labels, grid, still, "nearest", 0)[0, 0].tolist() == [3, 3, 9, 7, 3]
    assert warp(labels, grid, still, "labels", 0)[0, 0].tolist() == [3, 3, 7, 7, 3]


def test_the_summary_of_registrations_apart(tmp_path):
    """A row for each use; without one for training alone, no column tells of it."""
    record = {"case": "p1", "method": "none", "attempts": []}
    paths = [tmp_path / name / "registration.json" for name in ("registered_train", "registered")]
    for path in paths:
        write_json(path, record)
    table.summarize(paths, tmp_path / "registration.csv")
    with open(tmp_path / "registration.csv", encoding="utf-8", newline="") as file:
        assert [(row["case"], row["used_for"]) for row in csv.DictReader(file)] == [
            ("p1", "evaluation"), ("p1", "training"),
        ]  # fmt: skip
    table.summarize(paths[1:], tmp_path / "registration.csv")
    assert "used_for" not in (tmp_path / "registration.csv").read_text()


def test_the_summary(tmp_path, done):
    folder, record = done
    write_json(tmp_path / "failed.json", {"case": "p0", "stage": "imported", "error": "case p0: broken\n  found: 1"})
    table.summarize(
        [folder / "registered" / "registration.json", tmp_path / "failed.json"], tmp_path / "registration.csv"
    )
    with open(tmp_path / "registration.csv", encoding="utf-8", newline="") as file:
        first, second = list(csv.DictReader(file))
    assert first["status"] == "failed in imported: case p0: broken found: 1" and first["error_after_mean_mm"] == ""
    assert (second["case"], second["status"], second["attempts"]) == ("p1", "ok", "1")
    assert float(second["error_after_mean_mm"]) == record["error_after_mean_mm"]
    assert float(second["final_metric"]) == record["attempts"][0]["final_metrics"]["bspline"]


def test_sts_019_is_mended(tmp_path):
    data = {"source": "sts"}
    if open_source(data, ROOT).needs_download("STS_019"):
        pytest.skip(f"STS_019 is not here: set {REAL_DATA_VARIABLE}")
    importing.import_case(data, "STS_019", 1, tmp_path / "imported", ROOT)
    resample_case(tmp_path / "imported", tmp_path / "resampled", (3.27, 2.0, 2.0))
    record = register(tmp_path, {"iterations": 60, "samples": 2000})
    assert record["contour_dice_before"] == pytest.approx(0.64, abs=0.02)
    assert record["body_dice_before"] < 0.8 < 0.85 < record["body_dice_after"]
    assert record["mutual_information_after"] > 1.8 * record["mutual_information_before"]
    assert record["contour_soft_before"] < 0.7 < 0.97 < record["contour_soft_after"]


def test_contour_soft_by_hand(tmp_path):
    """Eight voxels in the contour: four of soft tissue before, seven after; HU outside the contour does not count."""
    grid = centred((2, 2, 4), (1.0, 1.0, 1.0))
    contour = np.zeros(grid.shape, np.uint8)
    contour[..., :2] = 1
    before, after = np.full(grid.shape, 40, np.int16), np.full(grid.shape, 40, np.int16)
    before[..., 0], before[..., 2:], after[0, 0, 0], after[..., 3] = -100, 900, 151, -1024
    io.write(Volume(contour, grid), tmp_path / "mr_contour.nii.gz")
    warped = {"ct_before": before, "ct": after}
    found = quality.contour_soft(tmp_path, warped)
    assert found == {"contour_soft_before": 0.5, "contour_soft_after": 0.875}
    assert quality.contour_soft(tmp_path / "elsewhere", warped) == {}


def test_elastix_leaves_nothing_in_the_working_folder(done, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, _ = done
    elastix.displacement_mm(
        elastix.transform_files(folder / "registered"), io.read(folder / "resampled/mr.nii.gz").geometry
    )
    assert os.listdir(tmp_path) == []
    assert sitk.ReadImage(str(folder / "registered" / "ct.nii.gz")).GetDimension() == 3


@pytest.mark.parametrize(("fixed", "moving", "which"), [(3, 9, "MR"), (9, 3, "CT")])
def test_a_volume_of_three_slices(tmp_path, fixed, moving, which):
    images = [
        Volume(np.zeros((slices, 9, 9), np.float32), Geometry((slices, 9, 9), (3.0, 3.0, 3.0)), "case p1")
        for slices in (fixed, moving)
    ]
    with pytest.raises(DataError, match=f"case p1: the {which}.* has too few voxels along an axis") as error:
        elastix.run_elastix([images[0]], [images[1]], None, [], 1, tmp_path)
    assert "(3, 9, 9)" in str(error.value) and "overlap" not in str(error.value)
