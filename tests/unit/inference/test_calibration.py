"""The HU calibration of a variant: its fit, its export, and its lines in the long table and the captions."""

import numpy as np
import pandas as pd
import pytest

from afpbench.base.atomic import read_json, write_json
from afpbench.base.errors import DataError
from afpbench.inference.calibration import calibrate
from afpbench.inference.chunks import calibrations, lost_images
from afpbench.inference.ensemble import Ensemble
from afpbench.inference.synthesis import synthesize_case
from afpbench.metrics.evaluate import evaluate_row
from afpbench.metrics.longtable import read_long
from afpbench.metrics.statistics import compare
from afpbench.tables.captions import calibration_notes
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

GRID = Geometry((8, 9, 10), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0))


@pytest.fixture
def prepared(tmp_path):
    """A case whose real HU are 2 * MR - 100 inside the body, and something else outside it."""
    folder = tmp_path / "task" / "cases" / "a" / "prepared"
    mr = np.random.default_rng(0).integers(50, 150, GRID.shape).astype(np.float32)
    mask = np.zeros(GRID.shape, np.uint8)
    mask[1:-1, 1:-1, 1:-1] = 1
    ct = np.where(mask > 0, 2 * mr - 100, -1000).astype(np.int16)
    for name, array in {"mr": mr, "ct": ct, "mask": mask}.items():
        io.write(Volume(array, GRID), folder / f"{name}.nii.gz")
    return folder


class Halved:
    """A generator that gives the MR itself: its HU are half of the real ones, and 50 too high."""

    patches, device, patch, options = 1, "cpu", (6, 7, 8), {"fusion": "median", "overlap": 0.5}

    def __call__(self, mr):
        return mr


def test_the_line_is_that_inside_the_body(prepared, tmp_path):
    calibrate("thorax/afp", Halved(), {"b": prepared, "a": prepared}, tmp_path / "calibration.json")
    line = read_json(tmp_path / "calibration.json")
    assert (line["slope"], line["offset_hu"]) == pytest.approx((2, -100))
    assert line["method"] == "affine" and line["voxels"] == 2 * 6 * 7 * 8 and line["cases"] == ["a", "b"]


def test_a_synthetic_ct_that_says_nothing_cannot_be_calibrated(prepared, tmp_path):
    for generator, found in ((lambda mr: -mr, "slope -2 over"), (lambda mr: 0 * mr, "slope nan over 336 voxels")):
        with pytest.raises(DataError, match="thorax/afp: no HU calibration") as error:
            calibrate("thorax/afp", generator, {"a": prepared}, tmp_path / "calibration.json")
        assert found in str(error.value) and "hint: train longer" in str(error.value)
    with pytest.raises(DataError, match="0 voxels of 0 cases"):
        calibrate("thorax/afp", Halved(), {}, tmp_path / "calibration.json")
    assert not (tmp_path / "calibration.json").exists()


@pytest.fixture
def calibrated(prepared, tmp_path):
    """The case synthesized with half of the right calibration, and its record."""
    out = tmp_path / "task" / "synthetic" / "afp" / "a.nii.gz"
    line = {"method": "affine", "slope": 2.0, "offset_hu": -110.0}
    record = out.parent / "records" / "0.json"
    write_json(record, {"cases": [synthesize_case(Ensemble([(Halved(), line)]), prepared, out, "a")]})
    return record


def test_the_line_is_applied_at_export_and_both_images_are_kept(prepared, calibrated):
    folder, mr = calibrated.parents[1], io.read(prepared / "mr.nii.gz").array
    assert np.array_equal(io.read(folder / "a.nii.gz").array, (2 * mr - 110).astype(np.int16))
    assert np.array_equal(io.read(folder / "uncalibrated" / "a.nii.gz").array, mr.astype(np.int16))
    assert calibrations([calibrated]) == {"a": {"slope": 2.0, "offset_hu": -110.0}}


def test_outside_the_body_that_the_mr_shows_a_synthetic_ct_is_air(tmp_path):
    """A body of 6 x 6 voxels of 3 mm: the network's values there and one voxel around it, air further out."""
    mr = np.zeros((8, 12, 12), np.float32)
    mr[:, 3:9, 3:9] = 200
    io.write(Volume(mr, Geometry(mr.shape, (3.0, 3.0, 3.0))), tmp_path / "prepared" / "mr.nii.gz")
    ensemble = Ensemble([(Halved(), {"slope": 1.0, "offset_hu": -300.0})])
    synthesize_case(ensemble, tmp_path / "prepared", tmp_path / "a.nii.gz", "a")
    for path, offset in ((tmp_path / "a.nii.gz", -300), (tmp_path / "uncalibrated" / "a.nii.gz", 0)):
        image = io.read(path).array
        assert image[4, 5].tolist() == [-1024] * 2 + [offset] + [200 + offset] * 6 + [offset] + [-1024] * 2


def test_without_a_calibration_nothing_more_is_written(prepared, tmp_path):
    record = synthesize_case(Ensemble([(Halved(), None)]), prepared, tmp_path / "out" / "a.nii.gz", "a")
    assert "calibration" not in record and [path.name for path in (tmp_path / "out").iterdir()] == ["a.nii.gz"]


class Flipper(Halved):
    """The MR turned over along x: on mirror images it says something else."""

    def __call__(self, mr):
        return np.flip(mr, 2)


def test_an_uncertainty_map_lies_beside_the_synthetic_ct(prepared, tmp_path):
    """Two answers a and b spread by |a - b| / sqrt(2); beyond the body nothing does, since all is air."""
    out = tmp_path / "task" / "synthetic" / "afp" / "a.nii.gz"
    ensemble = Ensemble([(Halved(), None), (Flipper(), None)], uncertainty=True)
    record = synthesize_case(ensemble, prepared, out, "a")
    mr = io.read(prepared / "mr.nii.gz").array
    sd = io.read(out.parent / "uncertainty" / "a.nii.gz")
    assert record["uncertainty"] is True and sd.array.dtype == np.float32 and sd.geometry == GRID
    np.testing.assert_allclose(sd.array, abs(mr - np.flip(mr, 2)) / np.sqrt(2), atol=1e-3)
    write_json(out.parent / "records" / "0.json", {"cases": [record]})
    assert lost_images(out.parent / "records" / "0.json") == []
    (out.parent / "uncertainty" / "a.nii.gz").unlink()
    assert lost_images(out.parent / "records" / "0.json") == [str(out.parent / "uncertainty" / "a.nii.gz")]


def test_the_long_table_has_the_figures_with_and_without(prepared, calibrated, tmp_path):
    root = tmp_path / "task"
    evaluate_row(root, "thorax", "afp", ["a"], {}, calibrations=calibrations([calibrated]), out=tmp_path / "long.csv")
    long = read_long(tmp_path / "long.csv")
    body = long[long["structure"] == "body"].set_index("metric")["value"]
    assert (body["mae"], body["me"]) == (10, -10)
    mr = io.read(prepared / "mr.nii.gz").array[1:-1, 1:-1, 1:-1]
    assert body["me_uncalibrated"] == pytest.approx(float((mr - (2 * mr - 100)).mean()), rel=1e-6)
    assert body["mae_uncalibrated"] == pytest.approx(float(abs(100 - mr).mean()), rel=1e-6)
    assert (body["calibration_slope"], body["calibration_offset_hu"]) == (2, -110)
    tested = compare(pd.concat([long, long.assign(variant="l1")]), "l1")
    assert "mae_uncalibrated" in set(tested["metric"]) and "calibration_slope" not in set(tested["metric"])


def test_captions_name_the_calibration():
    figures = {"calibration_slope": 0.9124, "calibration_offset_hu": -70.4, "mae_uncalibrated": 143.2}
    lines = [
        ("thorax", "afp", "a", "", "body", metric, value, "ok")
        for metric, value in {**figures, "me_uncalibrated": 73.0, "mae": 60}.items()
    ]
    lines.append(("thorax", "l1", "a", "", "body", "mae", 55, "ok"))
    columns = ["task", "variant", "case", "segmenter", "structure", "metric", "value", "status"]
    long = pd.DataFrame(lines, columns=columns)
    assert calibration_notes(long, {"afp": "nnU-Net / AFP"}, "thorax") == (
        "HU calibrated on the validation cases: nnU-Net / AFP: HU * 0.912 - 70.4 (before: MAE 143.2, ME 73.0 HU)."
    )
    assert calibration_notes(long[long["variant"] == "l1"], {}, "thorax") == ""
