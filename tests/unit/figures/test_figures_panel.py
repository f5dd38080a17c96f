"""The slices to choose from: which they are, how they are cut, coloured and encoded, and what the record says."""

import base64
import io as buffers

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from afpbench.base.atomic import write_json
from afpbench.base.errors import DataError
from afpbench.figures.cases import Context, or_else
from afpbench.figures.panel import Cuts, Shown, choose_cuts, coloured, encode, grey, no_panel, slice_panel, strip
from afpbench.metrics.longtable import COLUMNS
from afpbench.study.paths import TaskPaths
from afpbench.study.records import read_record
from afpbench.volumes.io import Geometry, Volume, write

GRID = Geometry((20, 24, 28), (6.0, 6.0, 6.0))
OPTIONS = {"window_hu": [-1000, 500], "error_hu": 300}
LONG = pd.DataFrame([("t", "l1", "", "p1", "", "body", "mae", 60.0, "ok")], columns=list(COLUMNS))


@pytest.fixture
def body():
    """18 to 24 voxels of 20 x 24 x 28 along each axis: 16 from z 2, 18 from y 3, 20 from x 4."""
    inside = np.zeros(GRID.shape, bool)
    inside[2:18, 3:21, 4:24] = True
    return inside


def test_slices_lie_in_the_middle_of_equal_parts_of_the_body(body):
    axial = choose_cuts("axial", 7, body, GRID.spacing_mm)
    assert axial.indices == [3, 5, 7, 10, 12, 14, 16]  # 2 + 16 * (1, 3, 5, 7, 9, 11, 13) / 14, rounded down
    assert (axial.rows, axial.columns) == (slice(2, 22), slice(3, 25))  # the body's y and x, and one voxel of margin
    coronal = choose_cuts("coronal", 3, body, GRID.spacing_mm)
    assert coronal.indices == [6, 12, 18]  # 3 + 18 * (1, 3, 5) / 6
    assert (coronal.rows, coronal.columns) == (slice(1, 19), slice(3, 25))  # z and x


def test_of_a_body_with_fewer_slices_each_is_shown_once():
    inside = np.zeros(GRID.shape, bool)
    inside[5:7, 3:21, 4:24] = True
    assert choose_cuts("axial", 7, inside, GRID.spacing_mm).indices == [5, 6]


def test_the_head_is_up_in_coronal_slices_and_the_front_in_axial_ones():
    z, y, x = np.indices((4, 5, 6))
    array = 100 * z + 10 * y + x
    axial = Cuts("axial", [1, 3], slice(2, 4), slice(1, 3), (1.0, 1.0)).of(array)
    assert axial.tolist() == [[[121, 122], [131, 132]], [[321, 322], [331, 332]]]
    coronal = Cuts("coronal", [4], slice(0, 2), slice(1, 3), (1.0, 1.0)).of(array)
    assert coronal.tolist() == [[[141, 142], [41, 42]]]


def test_pictures_have_square_pixels_and_no_more_than_the_voxels():
    cuts = Cuts("coronal", [0], slice(0, 40), slice(10, 110), (3.0, 1.5))
    assert cuts.shown_mm == (150.0, 120.0)
    assert cuts.pixels(384) == (100, 80) and cuts.pixels(50) == (50, 40)


def test_a_strip_has_its_slices_side_by_side():
    slices = np.stack([np.full((2, 3), value) for value in (-50, 0, 100, 300)])
    assert strip(slices, (3, 2), grey(0, 200))[0].tolist() == [0] * 3 + [0] * 3 + [128] * 3 + [255] * 3


def test_errors_have_the_colours_of_the_figures():
    colours = coloured(300)(np.array([[-400.0, -300.0, 0.0, 300.0, 400.0]]))[0].tolist()
    blue, red = [5, 48, 97], [103, 0, 31]  # the ends of ColorBrewer's RdBu
    assert colours[:2] == [blue, blue] and colours[3:] == [red, red]
    assert min(colours[2]) > 240


def decoded(text):
    return np.asarray(Image.open(buffers.BytesIO(base64.b64decode(text))).convert("RGB")).astype(int)


def test_pictures_are_made_smaller_until_they_fit():
    noise = np.random.default_rng(1).uniform(0, 255, (7, 60, 80)).astype(np.float32)
    planes = [Cuts("axial", range(7), slice(0, 60), slice(0, 80), (1.0, 1.0))]
    images = [Shown("row", str(number), [noise], grey(0, 255)) for number in range(3)]
    large, small = encode(images, planes), encode(images, planes, largest=9_000)
    assert decoded(large[0][0]).shape == (60, 7 * 80, 3)
    assert sum(len(text) for image in small for text in image) <= 9_000
    height, width, _ = decoded(small[0][0]).shape
    assert height < 60 and width % 7 == 0


@pytest.fixture
def context(tmp_path, body):
    """A case whose CT is 0 HU in the body and air around it, and a row that is 60 HU above it everywhere."""
    paths = TaskPaths(str(tmp_path))
    ct = np.where(body, 0, -1000).astype(np.int16)
    mr = np.where(body, np.arange(28, dtype=np.float32), 0).astype(np.float32)
    for name, array in (("ct", ct), ("mr", mr), ("mask", body.astype(np.uint8))):
        write(Volume(array, GRID), paths.prepared_image("p1", name))
    write(Volume((ct + 60).astype(np.int16), GRID), paths.synthetic("l1").image("p1"))
    return Context(tmp_path, ["l1"], {"l1": "L1"}, "l1")


def test_the_record_of_a_case(context, tmp_path):
    record = slice_panel(context, "typical", OPTIONS, LONG)
    write_json(tmp_path / "slices.json", record)
    assert read_record(tmp_path / "slices.json") == record
    assert (record["case"], record["note"], record["window_hu"], record["error_hu"]) == ("p1", "", [-1000, 500], 300)
    assert record["planes"] == [
        {"plane": "axial", "slices": [3, 5, 7, 10, 12, 14, 16], "aspect": 1.1},  # 22 by 20 voxels
        {"plane": "coronal", "slices": [6, 12, 18], "aspect": 1.2222},  # 22 by 18
    ]
    assert [(image["what"], image["row"]) for image in record["images"]] == [
        ("mr", ""), ("ct", ""), ("row", "l1"), ("error", "l1"),
    ]  # fmt: skip
    for image in record["images"]:
        assert [decoded(text).shape for text in image["strips"]] == [(20, 7 * 22, 3), (18, 3 * 22, 3)]


def test_the_pictures_show_the_values(context):
    """Grey is 255 * (HU + 1000) / 1500 and lossy; 60 of 300 HU lie at 0.6 of the colours, a light red."""
    images = {
        image["what"]: decoded(image["strips"][0]) for image in slice_panel(context, "p1", OPTIONS, LONG)["images"]
    }
    middle, air = (10, 3 * 22 + 11), (0, 3 * 22)  # in the fourth picture
    for what, inside, outside in (("ct", 170, 0), ("row", 180, 10)):
        assert np.abs(images[what][middle] - inside).max() <= 4 and np.abs(images[what][air] - outside).max() <= 6
    red, _, blue = images["error"][middle]
    assert red > blue + 20 and images["error"][air].min() > 230  # white where nothing is compared
    left, right = images["mr"][10, 3 * 22 + 2], images["mr"][10, 3 * 22 + 19]  # it brightens to the patient's left
    assert left[0] < 30 and right[0] > 225


def test_a_case_that_failed_is_told_in_words(context, monkeypatch):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "exclude")
    record = or_else(lambda: slice_panel(context, "p9", OPTIONS, LONG), no_panel)
    assert record["note"].startswith("figures: the case p9 cannot be shown") and record["images"] == []
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "stop")
    with pytest.raises(DataError, match="the case p9 cannot be shown"):
        or_else(lambda: slice_panel(context, "p9", OPTIONS, LONG), no_panel)
