"""How rows rank over several metrics: mean ranks over the cases, and in how many metrics one row beats another.

Ranks within each case, averaged over the cases, are those of Friedman's test (J. Am. Stat. Assoc. 32 (1937)). Metrics
of the same images depend on each other, so that no test is made over metrics: each is tested over its cases, every pair
of rows by Wilcoxon's signed-rank test, with Holm's correction over the pairs.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ..study.kinds.metric import Metric
from .statistics import DECIMALS, differences_of, holm, signed_rank


def mean_ranks(values: pd.DataFrame, metric: type[Metric]) -> pd.Series:
    """Row -> its mean rank over the cases of one metric; 1 is the best, and equal values share the mean of their ranks.

    values: cases x rows, without NaN.
    """
    scores = np.round(np.asarray(metric.score(values.to_numpy(dtype=np.float64))), DECIMALS)
    ranks = stats.rankdata(-scores, axis=1)
    return pd.Series(ranks.mean(axis=0), index=values.columns)


def wins(values: pd.DataFrame, metric: type[Metric], alpha: float) -> pd.DataFrame:
    """Rows x rows: whether the first is better than the second in one metric, p < alpha after Holm over all pairs.

    values: cases x rows, without NaN.
    """
    pairs = list(itertools.combinations(values.columns, 2))
    compared = values.astype(np.float64).apply(metric.score)
    tests = [
        signed_rank(differences_of(compared[first].to_numpy(), compared[second].to_numpy())) for first, second in pairs
    ]
    adjusted = holm(np.array([test.p for test in tests]))
    better = pd.DataFrame(False, index=values.columns, columns=values.columns)
    for (first, second), test, p in zip(pairs, tests, adjusted, strict=True):
        if p < alpha:
            winner, loser = (first, second) if test.effect_size > 0 else (second, first)
            better.loc[winner, loser] = True
    return better


def pairwise_wins(tables: Sequence[tuple[pd.DataFrame, type[Metric]]], alpha: float) -> pd.DataFrame:
    """Rows x rows: in how many metrics the first is better than the second. tables: values and metric, one or more."""
    total = wins(*tables[0], alpha).astype(int)
    for values, metric in tables[1:]:
        total = total + wins(values, metric, alpha).reindex_like(total)
    return total
