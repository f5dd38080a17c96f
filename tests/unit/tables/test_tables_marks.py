import itertools
import math

import pytest

from afpbench.study.kinds.registry import METRICS
from afpbench.tables.build import Row
from afpbench.tables.cells import Cell, Column
from afpbench.tables.marks import SHADES, mark_best, shade
from afpbench.tables.render import COLOURS


def rows_of(means, kinds=None):
    kinds = kinds or ["variant"] * len(means)
    pairs = enumerate(zip(means, kinds, strict=True))
    return [Row(f"r{i}", f"r{i}", kind, 8, 0, (Cell(mean, 0.1, 8),)) for i, (mean, kind) in pairs]


def column(metric, published=False, n_common=8, differs=True):
    if published:
        return Column(METRICS[metric], "bones", "ts", "Bones", published)
    return Column(METRICS[metric], "bones", "ts", "Bones", published, n_common, differs)


def shades(metric, means, kinds=None, published=False):
    return [row.cells[0].shade for row in shade(rows_of(means, kinds), [column(metric, published)])]


def test_thirds_of_the_columns_range():
    assert shades("dice", [0.50, 0.56, 0.53, 0.52, 0.54]) == [
        "suboptimal", "optimal", "moderate", "moderate", "favorable",
    ]  # fmt: skip
    assert shades("mae", [50, 80, 60, 59, 70]) == ["optimal", "suboptimal", "favorable", "favorable", "moderate"]


def test_a_signed_error_is_best_near_zero():
    assert shades("me", [-30, 3, 20, -2]) == ["suboptimal", "favorable", "moderate", "optimal"]


def test_equal_digits_share_the_colour():
    assert shades("dice", [0.70004, 0.70001, 0.5]) == ["optimal", "optimal", "suboptimal"]
    assert shades("dice", [0.70004, 0.70001]) == ["", ""]


def test_controls_have_no_colour_and_do_not_count():
    kinds = ["variant", "control", "variant"]
    assert shades("dice", [0.6, 1.0, 0.5], kinds) == ["optimal", "", "suboptimal"]


def test_the_papers_numbers_are_shaded_among_themselves():
    kinds = ["variant", "published", "control"]
    assert shades("dice", [0.6, 0.7, math.nan], kinds, published=True) == ["suboptimal", "optimal", ""]
    assert shades("dice", [0.6, 0.7, math.nan], kinds) == ["", "", ""]  # one variant only


@pytest.mark.parametrize("means", [[math.nan, math.nan], [0.5], [math.inf, 0.5], [0.5, math.nan]])
def test_nothing_to_compare_has_no_colour(means):
    assert set(shades("psnr", means)) == {""}


def test_bold_follows_the_digits_shown():
    best = [row.cells[0].best for row in mark_best(rows_of([0.70004, 0.70001, 0.5]), [column("dice")])]
    assert best == [True, True, False]


@pytest.mark.parametrize(("n_common", "best"), [(2, False), (3, True)])
def test_too_few_common_cases_have_no_best_and_no_colour(n_common, best):
    few = [column("dice", n_common=n_common)]
    assert [row.cells[0].best for row in mark_best(rows_of([0.7, 0.5]), few)] == [best, False]
    assert [bool(row.cells[0].shade) for row in shade(rows_of([0.7, 0.5]), few)] == [best, best]


def test_differences_of_chance_have_no_colour():
    rows, chance = rows_of([0.819, 0.818]), [column("ssim", differs=False)]
    assert [row.cells[0].shade for row in shade(rows, chance)] == ["", ""]
    assert [row.cells[0].best for row in mark_best(rows, chance)] == [True, False]  # the best mean is what it is


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_shade_can_be_read_and_told_from_the_others():
    """Contrast of WCAG 2.2: 7 : 1 is its strictest level."""
    assert tuple(COLOURS) == SHADES
    for background, text in COLOURS.values():
        dark, light = sorted([luminance(background), luminance(text)])
        assert (light + 0.05) / (dark + 0.05) >= 7
    assert all(a != b for a, b in itertools.combinations(COLOURS.values(), 2))
