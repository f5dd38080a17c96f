"""Several seeds a row: averages and the test of two rows, worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from afpbench.metrics.longtable import COLUMNS, check_long
from afpbench.metrics.seeds import over_seeds, rank_agreement, seed_test, seeds_of
from afpbench.study.kinds.registry import METRICS


def table(entries, metric="dice", structure="bones", segmenter="ts"):
    """entries: (row, seed, case, value, status)."""
    lines = [("pelvis", row, seed, case, segmenter, structure, metric, value, status)
             for row, seed, case, value, status in entries]  # fmt: skip
    return check_long(pd.DataFrame(lines, columns=list(COLUMNS)))


def test_values_are_averaged_over_the_seeds_and_controls_stay():
    long = table([
        ("l1", "1", "a", 0.2, "ok"), ("l1", "1", "b", 0.5, "ok"),
        ("l1", "2", "a", 0.4, "ok"), ("l1", "2", "b", 0.7, "ok"),
        ("real_ct", "", "a", 1.0, "ok"), ("real_ct", "", "b", 1.0, "ok"),
    ])  # fmt: skip
    averaged = check_long(over_seeds(long))
    assert averaged[["variant", "seed", "case"]].to_numpy().tolist() == [
        ["l1", "", "a"], ["l1", "", "b"], ["real_ct", "", "a"], ["real_ct", "", "b"],
    ]  # fmt: skip
    assert averaged["value"].tolist() == pytest.approx([0.3, 0.6, 1, 1])


def test_a_seed_without_a_value_leaves_the_case_without_one():
    long = table([
        ("l1", "1", "a", math.nan, "synthetic_empty"), ("l1", "2", "a", 4.0, "ok"),
        ("l1", "1", "b", 0.0, "synthetic_empty"), ("l1", "2", "b", 0.4, "ok"),
        ("l1", "1", "c", 2.0, "ok"), ("l1", "2", "c", math.nan, "failed: no overlap"),
    ], metric="hd95")  # fmt: skip
    averaged = check_long(over_seeds(long)).set_index("case")
    assert averaged["value"].isna().tolist() == [True, False, True] and averaged.loc["b", "value"] == 0.2
    assert averaged["status"].tolist() == ["synthetic_empty", "synthetic_empty", "failed: no overlap"]


def test_one_seed_is_left_as_it_is():
    long = table([("l1", "7", "a", 0.2, "ok"), ("real_ct", "", "a", 1.0, "ok")])
    assert over_seeds(long) is long and seeds_of(long) == []
    assert seeds_of(table([("l1", "7", "a", 0.2, "ok"), ("l1", "3", "a", 1.0, "ok")])) == ["7", "3"]


def test_rankings_of_seeds_by_hand():
    """Seed 1 ranks a, b, c and seed 2 a, c, b: of three pairs of rows two agree and one does not, tau = (2 - 1) / 3."""
    entries = [(row, seed, case, value, "ok") for seed, means in (("1", (3, 2, 1)), ("2", (3, 1, 2)))
               for row, value in zip("abc", means, strict=True) for case in "xy"]  # fmt: skip
    assert rank_agreement(table(entries), METRICS["dice"].score) == pytest.approx(1 / 3)
    assert rank_agreement(table(entries), METRICS["hd95"].score) == pytest.approx(1 / 3)
    signed = [(row, seed, "x", value, "ok") for seed, sign in (("1", 1), ("2", -1))
              for row, value in (("a", sign * 2.0), ("b", sign * 4.0))]  # fmt: skip
    assert rank_agreement(table(signed, "me"), METRICS["me"].score) == 1  # nearer to 0 both times
    assert math.isnan(rank_agreement(table(entries[:6]), METRICS["dice"].score))


def test_two_rows_of_three_seeds_by_hand():
    """Networks' means 1, 2, 3 and 4, 6, 8: variances 1 and 4, so the error is sqrt(1/3 + 4/3) with
    (5/3)^2 / ((1/3)^2 / 2 + (4/3)^2 / 2) = 2.941 degrees of freedom. Of the 20 ways to divide the six networks only
    the rows themselves, either way round, differ by 4."""
    ours = np.array([[0, 1, 2], [2, 3, 4]], float)
    theirs = np.array([[4, 5, 9], [4, 7, 7]], float)
    test = seed_test(ours, theirs)
    assert (test.seeds, test.difference, test.sd) == (3, -4, 1)
    error, freedom = math.sqrt(5 / 3), (5 / 3) ** 2 / (1 / 18 + 16 / 18)
    assert freedom == pytest.approx(2.9412, abs=1e-4)
    reach = stats.t.ppf(0.975, freedom) * error
    assert (test.low, test.high) == pytest.approx((-4 - reach, -4 + reach))
    assert test.p == pytest.approx(stats.ttest_ind([1, 2, 3], [4, 6, 8], equal_var=False).pvalue)
    assert test.p_permutation == pytest.approx(2 / 20)


def test_the_order_of_networks_and_a_common_shift_of_cases_do_not_matter():
    generator = np.random.default_rng(0)
    ours, theirs = generator.normal(size=(8, 3)), generator.normal(size=(8, 3))
    shift = generator.normal(0, 100, size=(8, 1))
    first, second = seed_test(ours, theirs), seed_test(ours[:, ::-1] + shift, theirs[:, [1, 2, 0]] + shift)
    assert second.p == pytest.approx(first.p) and second.p_permutation == first.p_permutation


def test_against_a_control_the_rows_own_spread_counts_alone():
    """Means 1, 2, 3 against 5: t = -3 / sqrt(1/3) with 2 degrees of freedom, as of one sample."""
    test = seed_test(np.array([[1.0, 2, 3]]), np.array([[5.0]]))
    assert test.p == pytest.approx(stats.ttest_1samp([1, 2, 3], 5).pvalue) and math.isnan(test.p_permutation)
    turned = seed_test(np.array([[5.0]]), np.array([[1.0, 2, 3]]))
    assert (turned.p, turned.difference) == (test.p, 3) and math.isnan(turned.sd)


def test_networks_that_do_not_differ_within_their_rows():
    test = seed_test(np.full((2, 3), 0.5), np.full((2, 3), 0.4))
    assert test.low == test.high == test.difference == pytest.approx(0.1)
    assert (test.p, test.p_permutation) == (0, pytest.approx(0.1))
    same = seed_test(np.full((2, 3), 0.5), np.full((2, 3), 0.5))
    assert (same.p, same.p_permutation) == (1, 1)


def test_one_seed_and_no_cases_test_nothing():
    one = seed_test(np.array([[1.0], [2.0]]), np.array([[2.0], [3.0]]))
    assert one.difference == -1 and math.isnan(one.p) and math.isnan(one.sd)
    assert math.isnan(seed_test(np.empty((0, 3)), np.empty((0, 3))).difference)


def test_too_many_divisions_are_drawn():
    generator = np.random.default_rng(1)
    ours, theirs = generator.normal(0, 1, (4, 12)), generator.normal(0, 1, (4, 12))
    test = seed_test(ours, theirs)
    assert test.p_permutation == pytest.approx(test.p, abs=0.03)
    assert seed_test(ours + 9, theirs).p_permutation < 1e-3
