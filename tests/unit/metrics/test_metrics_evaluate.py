import json
import math

import numpy as np
import pandas as pd
import pytest

from afpbench.base.errors import ConfigError, DataError
from afpbench.metrics.evaluate import Structure, evaluate_row, failed_cases, parse_structures
from afpbench.metrics.longtable import read_long
from afpbench.volumes import io

GEOMETRY = io.Geometry((12, 10, 10), (3.0, 2.0, 1.0), (5.0, -4.0, 30.0))
STRUCTURES = {
    "bones": {"segmenter": "ts", "labels": [1, 2]},
    "airways": {"segmenter": "navi", "labels": [1, 2], "exclude": [2], "tolerance_mm": 1.0},
}


def write(path, array, geometry=GEOMETRY):
    io.write(io.Volume(array, geometry), path)


def make_case(root, case, row="l1", geometry=GEOMETRY):
    """Bone: 2 x 4 x 4 voxels of 500 HU, one slice further in the synthetic CT; airway: only in the real CT."""
    real, synthetic = np.zeros(GEOMETRY.shape, np.int16), np.full(GEOMETRY.shape, 10, np.int16)
    mask = np.zeros(GEOMETRY.shape, np.uint8)
    mask[2:10] = 1
    real[4:6, 3:7, 3:7] = 500
    ts = [np.zeros(GEOMETRY.shape, np.uint8) for _ in range(2)]
    ts[0][4:5, 3:7, 3:7], ts[0][5:6, 3:7, 3:7] = 1, 2
    ts[1][5:7, 3:7, 3:7] = 1
    ts[1][0] = 1  # outside the mask
    navi = [np.zeros(GEOMETRY.shape, np.uint8) for _ in range(2)]
    navi[0][8, 1, 1], navi[1][8, 2, 2] = 1, 2
    write(root / "cases" / case / "prepared" / "ct.nii.gz", real)
    write(root / "cases" / case / "prepared" / "mask.nii.gz", mask)
    write(root / "synthetic" / row / f"{case}.nii.gz", synthetic, geometry)
    for name, (first, second) in {"ts": ts, "navi": navi}.items():
        write(root / "segmentations" / name / "ct" / f"{case}.nii.gz", first)
        write(root / "segmentations" / name / row / f"{case}.nii.gz", second)


def value(long, case, structure, metric, column="value"):
    lines = long[(long["case"] == case) & (long["structure"] == structure) & (long["metric"] == metric)]
    assert len(lines) == 1
    return lines[column].iloc[0]


@pytest.fixture
def root(tmp_path):
    for case in ("p02", "p01"):
        make_case(tmp_path, case)
    return tmp_path


def test_the_values_of_a_row_by_hand(root, tmp_path):
    long = evaluate_row(root, "pelvis", "l1", ["p02", "p01"], STRUCTURES, tolerance_mm=3, out=tmp_path / "l1.csv")
    assert list(dict.fromkeys(long["case"])) == ["p02", "p01"]
    assert set(long["task"]) == {"pelvis"} and set(long["variant"]) == {"l1"}
    assert value(long, "p01", "bones", "dice") == 0.5  # 16 of 32 and 32 voxels; what lies outside the mask is cut
    assert value(long, "p01", "bones", "nsd") == 1 and value(long, "p01", "bones", "hd95") == 3
    assert value(long, "p01", "bones", "me") == 10 - 500
    assert value(long, "p01", "body", "mae") == (32 * 490 + (800 - 32) * 10) / 800
    assert value(long, "p01", "volume", "me") == pytest.approx((1200 * 10 - 32 * 500) / 1200)
    assert value(long, "p01", "bones", "volume_error") == 0
    assert value(long, "p01", "airways", "volume_error") == -0.006  # one voxel of 6 mm³
    assert value(long, "p01", "volume", "diagonal_mm") == math.sqrt(36**2 + 20**2 + 10**2)  # of 12 x 10 x 10 voxels
    assert len(long) == 2 * (2 * 7 + 2 * 8 + 1)
    pd.testing.assert_frame_equal(read_long(tmp_path / "l1.csv"), long, check_dtype=False)


def test_an_empty_structure_follows_the_policy(root):
    long = evaluate_row(root, "pelvis", "l1", ["p01"], STRUCTURES, tolerance_mm=3)
    assert value(long, "p01", "airways", "dice") == 0  # the synthetic label 2 is excluded
    assert value(long, "p01", "airways", "dice", "status") == "synthetic_empty"
    assert math.isnan(value(long, "p01", "airways", "hd95"))
    assert value(long, "p01", "airways", "me") == 10 and value(long, "p01", "airways", "me", "status") == "ok"
    assert value(long, "p01", "airways", "volume_error", "status") == "ok"
    nothing = evaluate_row(root, "pelvis", "l1", ["p01"], {"none": {"segmenter": "ts", "labels": [99]}}, tolerance_mm=3)
    assert math.isnan(value(nothing, "p01", "none", "dice")) and math.isnan(value(nothing, "p01", "none", "me"))
    assert value(nothing, "p01", "none", "me", "status") == "both_empty"
    assert value(nothing, "p01", "none", "volume_error", "status") == "both_empty"


def test_a_tree_has_four_lines_more(root):
    spec = {"bones": {**STRUCTURES["bones"], "tree": True}, "none": {"segmenter": "ts", "labels": [99], "tree": True}}
    long = evaluate_row(root, "pelvis", "l1", ["p01", "p02"], spec, tolerance_mm=3, failed={"p02": "x"})
    assert value(long, "p01", "bones", "leakage") == 0.5
    assert 0 <= value(long, "p01", "bones", "tree_length") <= 1
    assert value(long, "p01", "none", "branches", "status") == "both_empty"
    assert long["case"].value_counts().tolist() == [2 * 7 + 2 * (8 + 4) + 1] * 2


def test_a_structure_that_is_nowhere_is_told(root, caplog):
    spec = {**STRUCTURES, "none": {"segmenter": "ts", "labels": [99]}}
    with caplog.at_level("WARNING", logger="afpbench"):
        evaluate_row(root, "pelvis", "l1", ["p01", "p02"], spec, tolerance_mm=3)
    told = [record.getMessage() for record in caplog.records]
    assert told == ["pelvis/l1: ts finds the structure none on the real CT of none of 2 cases"]


def test_an_oblique_grid_changes_no_value(root, tmp_path):
    """Distances are measured along the grid's axes, whose spacing is anisotropic; their directions do not matter."""
    turn = np.linalg.qr(np.array([[1, 0.2, 0], [0, 1, 0.3], [0.1, 0, 1]]))[0]
    oblique = io.Geometry(GEOMETRY.shape, GEOMETRY.spacing_mm, GEOMETRY.origin_mm, tuple(turn.ravel()))
    for path in sorted(root.rglob("p01.nii.gz")) + sorted((root / "cases" / "p01").rglob("*.nii.gz")):
        io.write(io.Volume(io.read(path).array, oblique), tmp_path / "oblique" / path.relative_to(root))
    spec = {name: {**entry, "tree": True} for name, entry in STRUCTURES.items()}
    straight, turned = (evaluate_row(folder, "pelvis", "l1", ["p01"], spec, tolerance_mm=3)
                        for folder in (root, tmp_path / "oblique"))  # fmt: skip
    pd.testing.assert_frame_equal(straight, turned)


def test_the_mask_is_a_choice(root):
    long = evaluate_row(root, "pelvis", "l1", ["p01"], STRUCTURES, tolerance_mm=3, inside_mask=False)
    assert value(long, "p01", "bones", "dice") == 2 * 16 / (32 + 32 + 100)


def test_threads_change_nothing(root):
    one, two = (
        evaluate_row(root, "pelvis", "l1", ["p02", "p01"], STRUCTURES, tolerance_mm=3, threads=n) for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)


def test_failed_cases_stay_in_the_table(root):
    folder = root / "cases" / "p03" / "prepared"
    folder.mkdir(parents=True)
    (folder / "failed.json").write_text(json.dumps({"case": "p03", "stage": "register", "error": "no\noverlap"}))
    assert failed_cases(root, ["p01", "p03"]) == {"p03": "register: no\noverlap"}
    long = evaluate_row(
        root, "pelvis", "l1", ["p01", "p03", "p04"], STRUCTURES, tolerance_mm=3, failed={"p04": "out of memory"}
    )
    counts = long["case"].value_counts()
    assert counts["p01"] == counts["p03"] == counts["p04"]
    assert set(long.loc[long["case"] == "p03", "status"]) == {"failed: register: no overlap"}
    assert set(long.loc[long["case"] == "p04", "status"]) == {"failed: out of memory"}
    assert long.loc[long["case"] != "p01", "value"].isna().all()


def test_a_missing_image_names_the_case_and_the_file(root):
    (root / "segmentations" / "navi" / "l1" / "p01.nii.gz").unlink()
    with pytest.raises(DataError, match=r"case p01, row l1: segmentation of the synthetic CT by navi: no such file"):
        evaluate_row(root, "pelvis", "l1", ["p02", "p01"], STRUCTURES, tolerance_mm=3)


@pytest.mark.parametrize("threads", [1, 2])
def test_every_case_that_fails_is_named_after_the_others(root, tmp_path, monkeypatch, threads):
    monkeypatch.delenv("AFPBENCH_FAILED_CASES", raising=False)
    make_case(root, "p03")
    for case in ("p01", "p02"):
        (root / "synthetic" / "l1" / f"{case}.nii.gz").write_bytes(b"no image")
    out, cases = tmp_path / "l1.csv", ["p02", "p03", "p01"]
    with pytest.raises(DataError, match="metrics of pelvis/l1: 2 of 3 cases failed") as error:
        evaluate_row(root, "pelvis", "l1", cases, STRUCTURES, tolerance_mm=3, threads=threads, out=out)
    assert "p02: case p02, row l1: synthetic CT: cannot read" in str(error.value)
    assert "p01: case p01, row l1: synthetic CT: cannot read" in str(error.value)
    assert not out.exists()


def test_a_case_that_fails_has_lines_without_values_where_failed_cases_are_excluded(root, tmp_path, monkeypatch):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "exclude")
    (root / "synthetic" / "l1" / "p02.nii.gz").write_bytes(b"no image")
    long = evaluate_row(root, "pelvis", "l1", ["p02", "p01"], STRUCTURES, tolerance_mm=3, out=tmp_path / "l1.csv")
    first, second = (long[long["case"] == case] for case in ("p02", "p01"))
    assert len(first) == len(second)
    assert first["value"].isna().all()
    assert first["status"].str.startswith("failed: metrics: case p02, row l1: synthetic CT: cannot read").all()
    assert value(long, "p01", "bones", "dice") == pytest.approx(0.5)
    pd.testing.assert_frame_equal(read_long(tmp_path / "l1.csv"), long)


def test_a_fault_of_every_case_is_an_error_even_where_failed_cases_are_excluded(root, tmp_path, monkeypatch):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "exclude")
    for case in ("p01", "p02"):
        (root / "synthetic" / "l1" / f"{case}.nii.gz").write_bytes(b"no image")
    with pytest.raises(DataError, match="metrics of pelvis/l1: 2 of 2 cases failed"):
        evaluate_row(root, "pelvis", "l1", ["p01", "p02"], STRUCTURES, tolerance_mm=3, out=tmp_path / "l1.csv")
    assert not (tmp_path / "l1.csv").exists()


def test_other_grids_are_refused(root):
    make_case(root, "p05", geometry=io.Geometry((12, 10, 10), (3.0, 2.0, 1.0), (5.0, -4.0, 31.0)))
    with pytest.raises(DataError, match=r"case p05: the synthetic CT is not on the real CT's grid(.|\n)*\(5, -4, 31\)"):
        evaluate_row(root, "pelvis", "l1", ["p05"], STRUCTURES, tolerance_mm=3)


def test_structure_masks():
    labels = np.array([0, 1, 2, 3])
    assert Structure("a", "s", (1, 2), 1.0).mask(labels).tolist() == [False, True, True, False]
    assert Structure("a", "s", (), 1.0, (2,)).mask(labels).tolist() == [False, True, False, True]


def test_structures_that_cannot_be():
    assert parse_structures(STRUCTURES, 2.0)[0] == Structure("bones", "ts", (1, 2), 2.0)
    assert parse_structures(STRUCTURES, 2.0)[1].tolerance_mm == 1.0
    with pytest.raises(ConfigError, match=r"structure bones: no tolerance for NSD\n(.|\n)*twice the voxel size"):
        parse_structures(STRUCTURES)
    with pytest.raises(ConfigError, match=r"structure x: labels\n.*\[1, 'two'\]"):
        parse_structures({"x": {"labels": [1, "two"]}}, 1)
    with pytest.raises(ConfigError, match="structure x: every label is excluded"):
        parse_structures({"x": {"labels": [1], "exclude": [1]}}, 1)
