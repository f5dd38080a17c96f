"""Ranks and wins over metrics, by hand."""

import numpy as np
import pandas as pd
import pytest

from afpbench.metrics.ranks import mean_ranks, pairwise_wins, wins
from afpbench.study.kinds.registry import METRICS


def table(**rows):
    return pd.DataFrame(rows, dtype=float)


def test_mean_ranks_of_a_metric_whose_low_values_are_better():
    """MAE. Ranks of a, b, c in the cases: 1, 2, 3; 1, 2.5, 2.5."""
    ranks = mean_ranks(table(a=[1, 1], b=[2, 5], c=[3, 5]), METRICS["mae"])
    assert ranks.to_dict() == {"a": 1, "b": 2.25, "c": 2.75}


def test_a_signed_error_ranks_by_its_size():
    assert mean_ranks(table(a=[-1], b=[2], c=[-3]), METRICS["me"]).to_dict() == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize(("cases", "expected"), [(8, True), (7, False)])
def test_wins_are_corrected_over_all_pairs(cases, expected):
    """Three pairs, in each one row always better: p = 2 / 2**n each, times 3: 0.0234 of 8 cases, 0.047 of 7.

    With alpha 0.04 eight cases are enough, and seven are not.
    """
    n = np.arange(cases)
    better = wins(table(a=0.9 + n / 1000, b=0.5 + n / 100, c=0.1 + n / 50), METRICS["dice"], 0.04)
    found = {pair for pair in (("a", "b"), ("a", "c"), ("b", "c")) if better.loc[pair]}
    assert found == ({("a", "b"), ("a", "c"), ("b", "c")} if expected else set())
    assert not better.loc["b", "a"] and not better.loc["a", "a"]


def test_wins_over_metrics_are_counted():
    n = np.arange(8)
    dice = table(a=0.9 + n / 1000, b=0.5 + n / 100)
    mae = table(b=10.0 + n, a=20.0 + 2 * n)
    total = pairwise_wins([(dice, METRICS["dice"]), (dice, METRICS["nsd"]), (mae, METRICS["mae"])], 0.05)
    assert total.to_numpy().tolist() == [[0, 2], [1, 0]]
