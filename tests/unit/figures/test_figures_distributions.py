"""Boxes and paired lines: what is drawn of which values."""

import numpy as np
import pandas as pd
import pytest

from afpbench.figures import style
from afpbench.figures.cases import Context
from afpbench.figures.distributions import draw_distributions, paired_values, seed_means
from afpbench.metrics.longtable import COLUMNS
from afpbench.metrics.statistics import compare

CONTEXT = Context("results/t", ["l1", "afp"], {"l1": "L1"}, "l1", {"bones": {"label": "Bones"}})
COLUMN_LIST = [{"metric": "psnr", "place": "body"}, {"metric": "dice", "place": "bones"}]


@pytest.fixture(scope="module")
def long():
    """8 cases; the Dice of afp is better by 0.1 to 0.17; one PSNR is infinite, one case failed."""
    lines = []
    for row, offset in (("l1", 0.0), ("afp", 0.1)):
        for i in range(8):
            psnr = np.inf if (row, i) == ("afp", 0) else 20.0 + i
            lines.append(("t", row, "", f"p{i}", "", "body", "psnr", psnr, "ok"))
            dice = 0.5 + offset + (0.01 * i if offset else 0)
            lines.append(("t", row, "", f"p{i}", "seg", "bones", "dice", dice, "ok"))
        lines.append(("t", row, "", "p8", "", "body", "psnr", np.nan, "failed: x"))
        lines.append(("t", row, "", "p8", "seg", "bones", "dice", np.nan, "failed: x"))
    return pd.DataFrame(lines, columns=list(COLUMNS))


@pytest.fixture(scope="module")
def figure(long):
    with style.styled():
        return draw_distributions(CONTEXT, COLUMN_LIST, long, compare(long, "l1"))


def test_values_are_paired_by_case(long):
    table = paired_values(long, ["afp", "l1"], "psnr", "body")
    assert list(table.columns) == ["afp", "l1"] and list(table.index) == [f"p{i}" for i in range(9)]
    assert table.loc["p3", "l1"] == 23.0 and np.isnan(table.loc["p0", "afp"]) and table.loc["p8"].isna().all()


def test_a_panel_for_each_metric_and_a_label_for_each_row(figure):
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in shown] == ["PSNR (dB) ↑", "Dice ↑, Bones"]
    assert [label.get_text() for label in shown[0].get_yticklabels()] == ["L1", "afp"]
    low, high = shown[0].get_ylim()
    assert low > high  # the first row is on top


def test_every_case_is_a_point(figure):
    points = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert sorted(len(line.get_xdata()) for line in points) == [8, 8]
    assert np.allclose(points[1].get_xdata(), [0.6 + 0.01 * i for i in range(8)])


def test_better_is_marked_as_in_the_tables(figure):
    assert [text.get_text() for text in figure.axes[0].texts] == []
    assert [(text.get_text(), text.xy[1]) for text in figure.axes[1].texts] == [("*", 1)]


def test_seeds_are_averaged_in_boxes_and_marked_one_by_one(long):
    other = long.assign(seed="8", value=long["value"] + 0.2)
    both = pd.concat([long.assign(seed="7"), other], ignore_index=True)
    table = paired_values(both, ["l1", "afp"], "dice", "bones")
    assert table.loc["p3", "l1"] == pytest.approx(0.6) and table.loc["p8"].isna().all()
    assert seed_means(both, ["l1"], "dice", "bones") == {"l1": pytest.approx([0.5, 0.7])}
    assert seed_means(long, ["l1"], "dice", "bones") == {}
    with style.styled():
        figure = draw_distributions(CONTEXT, COLUMN_LIST, both, compare(both, "l1"))
    marks = [line for line in figure.axes[1].lines if line.get_marker() == "^"]
    assert [len(line.get_xdata()) for line in marks] == [2, 2] and np.allclose(marks[0].get_xdata(), [0.5, 0.7])


def test_a_row_without_values_says_so(long):
    context = Context("results/t", ["l1", "gone"], {}, "l1")
    with style.styled():
        figure = draw_distributions(context, COLUMN_LIST[:1], long, compare(long, "l1"))
    assert [text.get_text() for text in figure.axes[0].texts] == ["no values"]
