import numpy as np
import pandas as pd
import pytest

from afpbench.base.atomic import write_json
from afpbench.base.errors import DataError
from afpbench.metrics.accuracy import write_accuracy
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

GRID = Geometry((8, 8, 8), (2.0, 2.0, 2.0))
STRUCTURES = {
    "bones": {"segmenter": "total", "labels": [25, 77], "tolerance_mm": 1.0},
    "mucus": {"segmenter": "total", "labels": [9], "tolerance_mm": 1.0},
}
TRUTH = {"bones": [25, 77], "mucus": [205]}


def box(z, value):
    array = np.zeros(GRID.shape, np.uint8)
    array[z[0] : z[1], 2:6, 2:6] = value
    return array


def write_case(root, case, labels, found, mask=None):
    mask = np.ones(GRID.shape, np.uint8) if mask is None else mask
    io.write(Volume(labels, GRID), root / "cases" / case / "prepared" / "labels.nii.gz")
    io.write(Volume(mask, GRID), root / "cases" / case / "prepared" / "mask.nii.gz")
    io.write(Volume(found, GRID), root / "segmentations" / "total" / "ct" / f"{case}.nii.gz")


def test_accuracy_by_hand(tmp_path):
    # p1: truth z 2..5 (half 25, half 77: one structure), found z 2..5 and one slice more: Dice 2*4/(4+5).
    write_case(tmp_path, "p1", box((2, 4), 25) + box((4, 6), 77), box((2, 7), 77))
    # p2: outside the mask everything is wrong, inside nothing is.
    mask = np.ones(GRID.shape, np.uint8)
    mask[6:] = 0
    write_case(tmp_path, "p2", box((2, 5), 25), box((2, 5), 25) + box((6, 8), 77), mask)
    (tmp_path / "cases" / "p3" / "prepared").mkdir(parents=True)
    write_json(tmp_path / "cases" / "p3" / "prepared" / "failed.json", {"case": "p3", "stage": "import", "error": "x"})
    out = tmp_path / "segmenters" / "accuracy.csv"
    write_accuracy(tmp_path, "thorax", ["p1", "p2", "p3"], STRUCTURES, TRUTH, out)
    table = pd.read_csv(out)
    assert list(table.columns) == ["task", "case", "segmenter", "structure", "metric", "value", "status"]
    assert set(table["case"]) == {"p1", "p2"} and len(table) == 2 * 2 * 3
    values = table.set_index(["case", "structure", "metric"])["value"]
    assert values["p1", "bones", "dice"] == pytest.approx(8 / 9)
    assert (
        values["p2", "bones", "dice"] == 1 and values["p2", "bones", "nsd"] == 1 and values["p2", "bones", "hd95"] == 0
    )
    mucus = table[table["structure"] == "mucus"]
    assert mucus["value"].isna().all() and (mucus["status"] == "both_empty").all()


def test_a_structure_without_true_labels_is_left_out(tmp_path):
    write_case(tmp_path, "p1", box((2, 5), 25), box((2, 5), 25))
    write_accuracy(tmp_path, "thorax", ["p1"], STRUCTURES, {"bones": TRUTH["bones"]}, tmp_path / "a.csv")
    assert list(pd.read_csv(tmp_path / "a.csv")["structure"]) == ["bones"] * 3


def test_a_structure_that_the_segmenter_misses(tmp_path):
    write_case(tmp_path, "p1", box((2, 5), 205), np.zeros(GRID.shape, np.uint8))
    write_accuracy(tmp_path, "thorax", ["p1"], STRUCTURES, {"mucus": TRUTH["mucus"]}, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv").set_index("metric")
    assert table.loc["dice", "value"] == 0 and table.loc["dice", "status"] == "synthetic_empty"
    assert np.isnan(table.loc["hd95", "value"])


@pytest.mark.parametrize("policy", ["stop", "exclude"])
def test_cases_without_a_segmentation(tmp_path, monkeypatch, policy):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", policy)
    for case in ("p1", "p2", "p3"):
        write_case(tmp_path, case, box((2, 4), 25), box((2, 4), 25))
    for case in ("p1", "p3"):
        (tmp_path / "segmentations" / "total" / "ct" / f"{case}.nii.gz").unlink()
    out = tmp_path / "a.csv"
    arguments = (tmp_path, "thorax", ["p1", "p2", "p3"], STRUCTURES, TRUTH, out)
    if policy == "stop":
        with pytest.raises(DataError, match=r"2 of 3 cases failed\n  p1: case p1: segmentation(.|\n)*  p3: case p3"):
            write_accuracy(*arguments)
        assert not out.exists()
    else:
        write_accuracy(*arguments)
        assert set(pd.read_csv(out)["case"]) == {"p2"}
