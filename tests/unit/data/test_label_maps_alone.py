"""Cases that are label maps alone: from the import to their values, without any CT."""

import json

import numpy as np
import pandas as pd
import pytest

from afpbench.base.errors import DataError
from afpbench.data.importing import import_case
from afpbench.figures.cases import choose_case
from afpbench.inference.chunks import run_chunk
from afpbench.metrics.evaluate import evaluate_row
from afpbench.metrics.longtable import COLUMNS, line
from afpbench.segmenters.chunk import Segmentation
from afpbench.study.kinds.registry import SEGMENTERS
from afpbench.study.paths import TaskPaths
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume
from afpbench.volumes.label_cases import prepare_label_map
from afpbench.volumes.preprocessing import resample_case

GRID = Geometry((6, 8, 10), (3.0, 2.0, 2.0), (-10.0, -8.0, 5.0))
DATA = {"source": "folder", "root": "real", "ct": None, "label_map": "{case}.nii.gz"}
FILES = {"kind": "files", "real": "real/{case}.nii.gz", "synthetic": {"a": "a/{case}.nii.gz"}, "classes": {"hip": 7}}
HIP = {"hip": {"segmenter": "given", "labels": [7], "tolerance_mm": 2.0}}


def bar(length):
    array = np.zeros(GRID.shape, np.uint8)
    array[2:4, 3:5, 1 : 1 + length] = 7
    return array


@pytest.fixture
def root(tmp_path):
    """A bar of 4 columns in the real CT of p1, of 5 in the row `a`: Dice 8/9."""
    for name, length in (("real", 4), ("a", 5)):
        io.write(Volume(bar(length), GRID), tmp_path / name / "p1.nii.gz")
    return tmp_path


def folders(root):
    return [root / f"results/hips/cases/p1/{name}" for name in ("imported", "resampled", "prepared")]


def prepare(root, **more):
    imported, resampled, prepared = folders(root)
    import_case(DATA | more, "p1", 0, imported, root)
    resample_case(imported, resampled, None)
    prepare_label_map(imported, resampled, prepared)
    return prepared


def segment(root, prepared):
    files, paths = SEGMENTERS.make(FILES).label_files(root), TaskPaths(str(root / "results/hips"))
    for image in ("ct", "a"):
        job = Segmentation(lambda: pytest.fail("a network was opened"), None, None, {}, files[image])
        run_chunk({"p1": prepared}, root / paths.segmentations("given", image).record(0), job)


def test_the_grid_is_the_label_maps_and_everything_counts(root):
    prepared = prepare(root)
    mask = io.read(prepared / "mask.nii.gz")
    assert mask.geometry.matches(GRID) and (mask.array == 1).all()
    assert {path.name for path in prepared.iterdir()} == {"mask.nii.gz", "case.json"}
    record = json.loads((prepared / "case.json").read_text())
    assert (record["case"], record["shape"], len(record["labels_sha256"])) == ("p1", [6, 8, 10], 64)


def test_values_of_structures_and_none_of_images(root):
    segment(root, prepare(root))
    long = evaluate_row(root / "results/hips", "hips", "a", ["p1"], HIP, with_ct=False)
    values = long.set_index(["structure", "metric"])["value"]
    assert values["hip", "dice"] == pytest.approx(8 / 9)  # 2 * 16 / (16 + 20) voxels
    assert values["hip", "volume_error"] == pytest.approx(4 * 12 / 1000)  # mL
    assert values["volume", "diagonal_mm"] == pytest.approx((18**2 + 16**2 + 20**2) ** 0.5)
    assert set(long.loc[long["segmenter"] == "", "metric"]) == {"diagonal_mm"} and "me" not in set(long["metric"])
    failed = evaluate_row(root / "results/hips", "hips", "a", ["p1"], HIP, with_ct=False, failed={"p1": "no file"})
    assert sorted(failed["metric"]) == sorted(long["metric"])
    assert set(failed["status"]) == {"failed: no file"}


def test_a_mask_is_where_it_counts(root):
    mask = np.zeros(GRID.shape, np.uint8)
    mask[:, :, :5] = 1  # what `a` adds lies beyond
    io.write(Volume(mask, GRID), root / "real/body_p1.nii.gz")
    prepared = prepare(root, mask="body_{case}.nii.gz")
    segment(root, prepared)
    np.testing.assert_array_equal(io.read(prepared / "mask.nii.gz").array, mask)
    long = evaluate_row(root / "results/hips", "hips", "a", ["p1"], HIP, with_ct=False)
    assert long.loc[long["metric"] == "dice", "value"].tolist() == [1.0]
    moved = Geometry(GRID.shape, GRID.spacing_mm, (0.0, 0.0, 0.0))
    io.write(Volume(mask, moved), root / "real/body_p1.nii.gz")
    with pytest.raises(DataError, match="case p1: mask: not on the grid of its image"):
        prepare(root, mask="body_{case}.nii.gz")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (bar(4) * 0.5, "case p1: label map: labels that are not whole numbers"),
        (bar(4).astype(np.int16) * 100, "case p1: label map: label out of range"),
        (bar(4).astype(np.int16) - 1, "case p1: label map: values that are no labels"),
    ],
)
def test_what_is_no_label_map_is_refused_at_the_import(root, array, message):
    io.write(Volume(array, GRID), root / "real/p1.nii.gz")
    with pytest.raises(DataError, match=message):
        prepare(root)


def test_a_case_may_have_nothing_to_find(root):
    io.write(Volume(bar(0), GRID), root / "real/p1.nii.gz")
    segment(root, prepare(root))
    long = evaluate_row(root / "results/hips", "hips", "a", ["p1"], HIP, with_ct=False)
    assert long.loc[long["metric"] == "hd95", "status"].tolist() == ["real_empty"]


def test_the_row_is_on_the_grid_of_the_case(root):
    io.write(Volume(bar(5), Geometry(GRID.shape, (3.0, 2.0, 2.5), GRID.origin_mm)), root / "a/p1.nii.gz")
    with pytest.raises(DataError, match=r"(?s)case p1: label map: not on the grid.*spacing \(3.0, 2.0, 2.5\)"):
        segment(root, prepare(root))


def test_figures_show_the_case_with_the_median_dice_of_the_reference():
    dice = {"p1": (0.9, 0.5), "p2": (0.8, 0.9), "p3": (0.2, 0.4)}  # means 0.7, 0.85, 0.3
    lines = [
        line("hips", "a", case, "given", name, "dice", value, "ok")
        for case, values in dice.items()
        for name, value in zip(("hip", "sacrum"), values, strict=True)
    ]
    long = pd.DataFrame(lines, columns=list(COLUMNS))
    assert [choose_case(pick, long, "a") for pick in ("best", "typical", "worst")] == ["p2", "p1", "p3"]
    with pytest.raises(DataError, match="no Dice of the reference row b"):
        choose_case("typical", long, "b")
