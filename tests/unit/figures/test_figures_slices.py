"""Slices side by side: which case, which slice, which zoom, and that the same inputs give the same bytes."""

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import GRID

from afpbench.base.atomic import write_json
from afpbench.base.errors import DataError
from afpbench.figures import style
from afpbench.figures.cases import Context, choose_case, or_words, structure_mask, value_of
from afpbench.figures.slices import choose_view, draw_slices
from afpbench.metrics.longtable import COLUMNS
from afpbench.volumes import io

OPTIONS = {"window_hu": [-1000, 500], "error_hu": 300, "zoom": {"structure": "dense", "size_mm": 36}}
STRUCTURES = {"dense": {"label": "Dense organ", "segmenter": "seg", "labels": [1], "tolerance_mm": 6.0}}


def long_table(values, row="l1", metric="mae"):
    """Lines of one row: case -> value, or a text for a case that failed."""
    lines = []
    for case, value in values.items():
        failed = isinstance(value, str)
        lines.append(("t", row, "", case, "", "body", metric, np.nan if failed else value, value if failed else "ok"))
    return pd.DataFrame(lines, columns=list(COLUMNS))


@pytest.mark.parametrize(
    ("pick", "case"),
    [("best", "b"), ("worst", "c"), ("typical", "d"), ("c", "c")],
)
def test_which_case_is_shown(pick, case):
    long = long_table({"a": 30.0, "b": 10.0, "c": 40.0, "d": 20.0, "e": "failed: import: torn"})
    assert choose_case(pick, long, "l1") == case


def test_equal_cases_go_by_name():
    assert choose_case("typical", long_table({"b": 1.0, "a": 1.0, "c": 1.0}), "l1") == "b"


def test_a_case_that_failed_cannot_be_shown():
    long = long_table({"a": 30.0, "e": "failed: import: torn"})
    with pytest.raises(
        DataError, match=r"(?s)the case e cannot be shown.*failed: import: torn.*one of a.*figures.cases"
    ):
        choose_case("e", long, "l1")
    with pytest.raises(DataError, match="(?s)the case z cannot be shown.*not in the metrics"):
        choose_case("z", long, "l1")


def test_where_failed_cases_are_excluded_the_figure_says_so(monkeypatch):
    long = long_table({"a": 30.0, "e": "failed: import: torn"})
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "exclude")
    figure = or_words(lambda: choose_case("e", long, "l1"))
    assert "the case e cannot be shown" in figure.texts[0].get_text()
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "stop")
    with pytest.raises(DataError, match="the case e cannot be shown"):
        or_words(lambda: choose_case("e", long, "l1"))


def test_no_case_at_all():
    with pytest.raises(DataError, match="(?s)no case to show as typical.*no MAE of the reference row l1"):
        choose_case("typical", long_table({"a": "failed: x"}), "l1")


def test_a_value_that_is_not_there_is_nan():
    long = long_table({"a": 30.0})
    assert value_of(long, "l1", "a", "mae") == 30.0
    assert np.isnan(value_of(long, "l1", "a", "dice", "bones"))


@pytest.fixture
def body():
    inside = np.zeros((20, 24, 28), bool)
    inside[2:18, 3:21, 4:24] = True
    return inside


def test_the_slice_and_the_zoom_lie_where_the_surface_is(body):
    structure = np.zeros_like(body)
    structure[5:9, 10:14, 18:23] = True  # a block: its surface is largest in its two end slices
    view = choose_view("coronal", body, structure, (6.0, 6.0, 6.0), 36.0)
    assert view.index in (10, 13) and view.plane == "coronal"
    row, column, height, width = view.zoom
    assert (height, width) == (6, 6)
    assert row <= 5 and row + height >= 9 and column <= 18 and column + width >= 23
    assert (view.rows, view.columns) == (slice(1, 19), slice(3, 25))  # the body and one voxel of margin
    assert view.shown_mm == (18 * 6.0, 22 * 6.0)


def test_spacing_counts_in_the_zoom(body):
    view = choose_view("sagittal", body, body, (3.0, 6.0, 2.0), 30.0)
    assert view.spacing_mm == (3.0, 6.0) and view.zoom[2:] == (10, 5)


def test_without_the_structure_the_body_is_shown(body):
    view = choose_view("axial", body, np.zeros_like(body), (6.0, 6.0, 6.0), 600.0)
    assert 2 <= view.index < 18 and view.zoom == (0, 0, 24, 28)  # no larger than the slice
    assert view.origin == "upper" and choose_view("coronal", body, body, (6.0, 6.0, 6.0), 60).origin == "lower"


@pytest.fixture(scope="module")
def context(prepared_cases, tmp_path_factory):
    """A task with one test case, p1, and two rows: the real CT plus 50 HU, and the real CT."""
    root = tmp_path_factory.mktemp("task")
    (root / "cases").symlink_to(prepared_cases["p1"].parents[1])
    ct, labels = (io.read(prepared_cases["p1"] / f"{name}.nii.gz") for name in ("ct", "labels"))
    for row, offset in (("l1", 50), ("real_ct", 0)):
        io.write(ct.with_array((ct.array + offset).astype(np.int16)), root / "synthetic" / row / "p1.nii.gz")
    io.write(labels, root / "segmentations" / "seg" / "ct" / "p1.nii.gz")
    return Context(root, ["l1", "real_ct"], {"l1": "L1 <b>$x_1$</b>", "real_ct": "Real CT"}, "l1", STRUCTURES)


def test_the_mask_of_a_structure(context, prepared_cases):
    labels = io.read(prepared_cases["p1"] / "labels.nii.gz").array
    assert np.array_equal(structure_mask(context, "dense", "ct", "p1"), labels == 1)


def test_the_figure_shows_every_row_and_its_error(context):
    with style.styled():
        figure = draw_slices(context, "typical", "coronal", OPTIONS, long_table({"p1": 50.0}))
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["MR", "Real CT", "L1 <b>$x_1$</b>", "Real CT"]
    errors = [axis.images[0] for axis in figure.axes if axis.images and axis.images[0].get_cmap().name == "RdBu_r"]
    assert [float(np.abs(image.get_array()).max()) for image in errors] == [50.0, 0.0]
    assert {tuple(image.get_clim()) for image in errors} == {(-300, 300)}
    assert "MAE 50.0 HU" in [axis.get_xlabel() for axis in figure.axes]


def test_of_several_channels_the_figure_names_the_one_that_it_shows(context, tmp_path):
    prepared = tmp_path / "cases" / "p1" / "prepared"
    shutil.copytree(context.root / "cases" / "p1" / "prepared", prepared)
    for folder in ("synthetic", "segmentations"):
        (tmp_path / folder).symlink_to(context.root / folder)
    shutil.copy(prepared / "ct.nii.gz", prepared / "mr_0001.nii.gz")
    write_json(prepared / "case.json", {"case": "p1", "mr_channels": ["t1", "t2"]})
    other = Context(tmp_path, ["l1"], context.labels, "l1", STRUCTURES)
    with style.styled():
        figure = draw_slices(other, "p1", "axial", OPTIONS, long_table({"p1": 50.0}))
    assert [axis.get_title() for axis in figure.axes if axis.get_title()][:2] == ["MR t1", "Real CT"]
    shown = io.read(prepared / "mr.nii.gz").array
    assert np.isin(figure.axes[0].images[0].get_array(), shown).all()


def test_the_same_inputs_give_the_same_bytes(context, tmp_path):
    for name in ("first", "second"):
        with style.styled():
            figure = draw_slices(context, "p1", "axial", OPTIONS, long_table({"p1": 50.0}))
            style.save(figure, [tmp_path / name / "x.png", tmp_path / name / "x.pdf"])
    for kind in ("png", "pdf"):
        first, second = ((tmp_path / name / f"x.{kind}").read_bytes() for name in ("first", "second"))
        assert first == second and len(first) > 10_000


def test_another_grid_is_an_error(context, tmp_path):
    other = Context(tmp_path, ["l1"], {}, "l1", STRUCTURES)
    for folder in ("cases", "segmentations"):
        (tmp_path / folder).symlink_to(context.root / folder)
    coarse = io.Volume(np.zeros((4, 5, 6), np.int16), io.Geometry((4, 5, 6), GRID.spacing_mm))
    io.write(coarse, tmp_path / "synthetic" / "l1" / "p1.nii.gz")
    with (
        style.styled(),
        pytest.raises(DataError, match="(?s)case p1, row l1: the synthetic CT is not on the real CT's"),
    ):
        draw_slices(other, "p1", "axial", OPTIONS, long_table({"p1": 50.0}))
