import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.base.errors import ConfigError, DataError
from afpbench.metrics import statistics
from afpbench.metrics.longtable import COLUMNS
from afpbench.metrics.statistics import (
    bootstrap_median,
    compare,
    holm,
    p_of_rows,
    read_statistics,
    signed_rank,
    write_statistics,
)  # fmt: skip


def long_table(values, metric="dice", structure="bones", segmenter="ts", statuses=None):
    lines = [
        ("pelvis", row, "", f"c{i}", segmenter, structure, metric, value, (statuses or {}).get((row, i), "ok"))
        for row, numbers in values.items()
        for i, value in enumerate(numbers)
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def brute_force(differences):
    """Every pattern of signs of the mid-ranks of the non-zero differences."""
    nonzero = [d for d in differences if d != 0]
    ranks = pd.Series(np.abs(nonzero)).rank().to_numpy()
    observed = sum(r for r, d in zip(ranks, nonzero, strict=True) if d > 0)
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(ranks))])
    return min(1.0, 2 * min(np.mean(sums <= observed), np.mean(sums >= observed)))


def test_eight_better_cases_by_hand():
    result = signed_rank(np.arange(1, 9) / 10)
    assert result.p == 2 / 2**8 and result.statistic == 0 and result.effect_size == 1 and result.method == "exact"


def test_mixed_signs_by_hand():
    result = signed_rank(np.array([1, 2, 4, -3]))  # W+ = 1 + 2 + 4 = 7, W- = 3
    assert result.statistic == 3 and result.effect_size == pytest.approx(0.4)
    assert result.p == pytest.approx(2 * 5 / 16)  # sums of {1, 2, 3, 4} up to 3: 0, 1, 2, 3, 1 + 2


def test_ties_by_hand():
    result = signed_rank(np.array([1, 1, 1, 1, 1, -1]))  # mid-rank 3.5: W- = 3.5 or less has 1 + 6 of 64 patterns
    assert result.statistic == 3.5 and result.p == pytest.approx(2 * 7 / 64)
    assert result.method == "exact, conditional on ties"


def test_zeros_are_dropped_and_counted():
    result = signed_rank(np.array([0, 0, 1, 2, 3]))
    assert result.p == 2 / 2**3 and result.method == "exact, 2 zeros dropped"
    assert signed_rank(np.array([0.0, 1, 1])).method == "exact, conditional on ties, 1 zero dropped"


def test_float_noise_does_not_hide_zeros_and_ties():
    assert signed_rank(np.array([0.1 + 0.2 - 0.3, 0.3 - 0.2, 0.2 - 0.1])).method == (
        "exact, conditional on ties, 1 zero dropped"
    )


def test_all_zero_and_no_pairs():
    zero = signed_rank(np.zeros(5))
    assert (zero.p, zero.effect_size, zero.method) == (1, 0, "all differences are zero")
    assert np.isnan(signed_rank(np.array([])).p)


def test_against_r_without_ties():
    """R, ?wilcox.test, depression data of Hollander & Wolfe: V = 40, one-sided exact p = 0.01953."""
    x = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    y = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    result = signed_rank(x - y)
    assert result.statistic == 45 - 40 and result.p == pytest.approx(2 * 0.01953, abs=1e-5)


def test_against_r_with_ties_and_zeros():
    """R, exactRankTests::wilcox.exact (R-help, 25 Aug 2006; data of Bortz et al.): V = 13, p = 0.1367."""
    x = np.array([9, 14, 8, 11, 14, 10, 8, 14, 12, 14, 13, 9, 15, 12, 9])
    y = np.array([13, 15, 9, 12, 16, 10, 8, 13, 12, 16, 9, 10, 16, 12, 9])
    result = signed_rank(x - y)
    assert result.statistic == 13 and result.p == pytest.approx(0.1367, abs=5e-5)


def test_the_normal_approximation_against_r(monkeypatch):
    """R, stats::wilcox.test with ties: V = 9.5, p = 0.6845; and on the data above V = 13, p = 0.1436."""
    monkeypatch.setattr(statistics, "EXACT_UP_TO", 0)
    result = signed_rank(np.array([-0.2, -0.05, 0.1, 0.15, 0.2]))
    assert result.p == pytest.approx(0.6845, abs=5e-5) and result.method == "normal approximation"
    differences = np.array([-4, -1, -1, -1, -2, 0, 0, 1, 0, -2, 4, -1, -1, 0, 0])
    assert signed_rank(differences).p == pytest.approx(0.1436, abs=5e-5)


def test_r_leaves_the_exact_distribution_with_ties_and_zeros(monkeypatch):
    """24 of the 512 patterns of signs are as extreme; R's normal approximation is above 0.05."""
    differences = np.array([0, 1, -1, 1, -2, 3, 3, 3, 3, 5])
    result = signed_rank(differences)
    assert result.p == 24 / 512 and result.statistic == 45 - 39
    monkeypatch.setattr(statistics, "EXACT_UP_TO", 0)
    assert signed_rank(differences).p == pytest.approx(0.0550, abs=5e-5)


BORTZ = np.array([-4, -1, -1, -1, -2, 0, 0, 1, 0, -2, 4, -1, -1, 0, 0])  # ties and five zeros
HOLLANDER_WOLFE = np.array([0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01])  # neither


def test_against_pingouin_and_scipy(monkeypatch):
    """pingouin 0.7.0, wilcoxon(x, y): the test is SciPy 1.17.1's, the rank-biserial correlation its own."""
    result = signed_rank(HOLLANDER_WOLFE)
    assert (result.statistic, result.p) == (5.0, pytest.approx(0.0390625)) and result.method == "exact"
    assert result.effect_size == pytest.approx(0.777778, abs=1e-6)
    monkeypatch.setattr(statistics, "EXACT_UP_TO", 0)
    result = signed_rank(BORTZ)
    assert (result.statistic, result.p) == (13.0, pytest.approx(0.143581, abs=1e-6))
    assert result.effect_size == pytest.approx(-0.527273, abs=1e-6)  # zeros dropped before the ranks


def test_holm_against_statsmodels():
    """statsmodels 0.15.0, multipletests(p, method="holm")[1]."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.02, 0.2, 0.001]), [0.05, 0.09, 0.09, 0.08, 0.2, 0.006])
    np.testing.assert_allclose(holm([0.5, 0.9, 0.6, 0.04]), [1, 1, 1, 0.16])


def test_bootstrap_against_scipy():
    """SciPy 1.17.1, bootstrap((d,), np.median, method="percentile"), 100000 resamples: -0.08 to 0.952."""
    assert bootstrap_median(HOLLANDER_WOLFE, seed=0) == pytest.approx((-0.08, 0.952))


def test_friedman_by_hand():
    """Four cases rank three rows 1, 2, 3: 12 / (4 * 3 * 4) * (4² + 8² + 12²) - 3 * 4 * 4 = 8, 2 degrees of freedom."""
    values = np.array([[1, 2, 3], [10, 20, 30], [0.1, 0.2, 0.3], [5, 6, 7]])
    assert p_of_rows(values) == pytest.approx(math.exp(-8 / 2))
    assert p_of_rows(values[:, [0, 1, 1]]) == pytest.approx(math.exp(-8 / 2))  # with ties: corrected, and as certain
    disagreeing = np.array([[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    assert p_of_rows(disagreeing) == 1


def test_two_rows_are_compared_by_the_signed_rank_test():
    low, high = np.arange(8.0), np.arange(8.0) + np.arange(1, 9) / 10
    assert p_of_rows(np.stack([low, high], axis=1)) == 2 / 2**8
    assert p_of_rows(np.full((5, 2), np.inf)) == 1 and p_of_rows(np.full((5, 3), 0.5)) == 1
    assert np.isnan(p_of_rows(np.ones((5, 1)))) and np.isnan(p_of_rows(np.ones((1, 5))))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9).filter(any))
def test_exact_p_is_the_enumeration(differences):
    assert signed_rank(np.array(differences)).p == pytest.approx(brute_force(differences), abs=1e-12)


def test_many_pairs_use_the_normal_approximation():
    assert signed_rank(np.arange(1, 52)).method == "normal approximation"
    assert signed_rank(np.arange(1, 51)).method == "exact"


def test_holm():
    np.testing.assert_allclose(holm([0.01, 0.04, np.nan, 0.03]), [0.03, 0.06, np.nan, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1, 1])


def test_bootstrap():
    assert bootstrap_median(np.full(8, 0.25), seed=0) == (0.25, 0.25)
    assert bootstrap_median(np.arange(9.0), seed=1) == bootstrap_median(np.arange(9.0), seed=1)
    low, high = bootstrap_median(np.arange(9.0), seed=1)
    assert 0 <= low < 4 < high <= 8
    assert np.isnan(bootstrap_median(np.array([1.0]), seed=0)).all()


def test_compare_directions_and_columns():
    reference = [0.5, 0.6, 0.7, 0.8, 0.4, 0.3, 0.2, 0.1]
    better = [value + 0.01 * (i + 1) for i, value in enumerate(reference)]
    worse = [value - 0.01 * (i + 1) for i, value in enumerate(reference)]
    table = compare(long_table({"l1": reference, "afp": better, "bad": worse, "real_ct": [1] * 8}), "l1",
                    controls=["real_ct"])  # fmt: skip
    assert tuple(table.columns) == statistics.COLUMNS
    assert list(table["variant"]) == ["afp", "bad", "real_ct"]
    assert list(table["direction"]) == ["better", "worse", "better"]
    assert list(table["n"]) == [8, 8, 8] and list(table["n_failed"]) == [0, 0, 0]
    np.testing.assert_allclose(table["p"], 2 / 256)
    np.testing.assert_allclose(table["p_holm"], [4 / 256, 4 / 256, np.nan])  # a family of two; the control is outside
    np.testing.assert_allclose(table["median_difference"][:2], [0.045, -0.045])
    np.testing.assert_allclose(table["effect_size"], [1, -1, 1])
    assert table["significant"].all()
    lower = compare(long_table({"l1": reference, "afp": better}, metric="hd95"), "l1")
    assert list(lower["direction"]) == ["worse"]


def test_signed_errors_are_compared_by_size():
    table = compare(long_table({"l1": [-10, -20, -30], "afp": [5, 6, 7]}, "me", "body", ""), "l1")
    assert table["direction"][0] == "better" and table["median_difference"][0] == -14


def test_failed_and_undefined_cases_leave_the_pairs_and_are_counted():
    statuses = {("afp", 0): "failed: boom", ("l1", 1): "failed: bang", ("afp", 2): "both_empty"}
    long = long_table({"l1": [0.1, np.nan, 0.3, 0.4], "afp": [np.nan, 0.3, np.nan, 0.5]}, statuses=statuses)
    table = compare(long, "l1")
    assert table["n"][0] == 1 and table["n_failed"][0] == 2


def test_an_empty_synthetic_structure_counts_with_its_zero():
    long = long_table({"l1": [0.4, 0.5], "afp": [0.0, 0.6]}, statuses={("afp", 0): "synthetic_empty"})
    assert compare(long, "l1")["n"][0] == 2


def test_infinite_psnr():
    table = compare(long_table({"l1": [20, 30, np.inf], "real_ct": [np.inf] * 3}, "psnr", "body", ""), "l1")
    assert table["n"][0] == 3 and table["direction"][0] == "better"
    assert table["median_difference"][0] == np.inf and "1 zero dropped" in table["method"][0]


def test_no_pairs_is_not_significant():
    long = long_table({"l1": [np.nan], "afp": [0.5]}, statuses={("l1", 0): "failed: boom"})
    table = compare(long, "l1")
    assert table["n"][0] == 0 and not table["significant"][0] and table["method"][0] == "no pairs"
    assert table["direction"][0] == ""


def test_same_input_same_numbers_and_the_file_comes_back(tmp_path):
    long = long_table({"l1": list(np.arange(6) / 10), "afp": [0.3, 0.1, 0.5, 0.2, 0.9, 0.4]})
    first = compare(long, "l1", seed=7)
    write_statistics(first, tmp_path / "statistics.csv")
    pd.testing.assert_frame_equal(read_statistics(tmp_path / "statistics.csv"), first, check_dtype=False)
    pd.testing.assert_frame_equal(compare(long, "l1", seed=7), first)


def test_refusals():
    long = long_table({"l1": [0.5]})
    with pytest.raises(ConfigError, match=r"reference: no such row in the metrics\n.*nnunet_l1\n.*one of l1"):
        compare(long, "nnunet_l1")
    with pytest.raises(DataError, match="wrong columns"):
        compare(long.drop(columns="status"), "l1")
