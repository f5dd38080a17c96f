"""Paired statistics of the long table: each row against the reference row, as the paper tests it, and more.

Sources: F. Wilcoxon, Biometrics Bulletin 1 (1945); exact distribution with ties: the conditional distribution given
the mid-ranks (B. Streitberg and J. Roehmel, 1986), as R's exactRankTests computes it; S. Holm, Scand. J. Stat. 6
(1979); M. Friedman, J. Am. Stat. Assoc. 32 (1937); matched-pairs rank-biserial correlation: D. Kerby, Comprehensive
Psychology 3 (2014).
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ..base.atomic import write_text
from ..base.errors import ConfigError
from ..study.kinds.metric import Metric
from ..study.kinds.registry import METRICS
from ..study.metrics import score_metrics
from .csv_file import read_csv
from .longtable import check_long, is_failed
from .missing import with_penalties
from .seeds import seed_test

COLUMNS = (
    "task", "segmenter", "structure", "metric", "variant", "reference", "n", "n_failed", "median_difference",
    "ci_low", "ci_high", "statistic", "p", "p_holm", "effect_size", "direction", "significant", "method", "n_seeds",
    "mean_difference", "sd_seeds", "seeds_ci_low", "seeds_ci_high", "p_seeds", "p_seeds_permutation",
)  # fmt: skip
GROUP = ["task", "segmenter", "structure", "metric"]
EXACT_UP_TO = 50
DECIMALS = 10


@dataclass(frozen=True)
class SignedRank:
    """statistic: min(W+, W-). effect_size: (W+ - W-)/(W+ + W-), the sign of the differences; 0 where all are zero."""

    statistic: float
    p: float
    effect_size: float
    method: str


def signed_rank(differences: np.ndarray) -> SignedRank:
    """Two-sided Wilcoxon signed-rank test of paired differences (n,).

    Zeros are dropped (Wilcoxon's own rule). Up to 50 non-zero differences the p value is exact: SciPy's distribution
    without ties, the conditional distribution of the mid-ranks with ties. Above, the normal approximation with tie and
    continuity correction. Differences are rounded to 10 decimals first, so that ties are not hidden by float noise.
    All differences zero: p = 1. No differences: everything NaN.
    """
    differences = np.round(np.asarray(differences, dtype=np.float64), DECIMALS)
    if differences.size == 0:
        return SignedRank(np.nan, np.nan, np.nan, "no pairs")
    nonzero = differences[differences != 0]
    if nonzero.size == 0:
        return SignedRank(0.0, 1.0, 0.0, "all differences are zero")
    ranks = stats.rankdata(np.abs(nonzero))
    plus, minus = float(ranks[nonzero > 0].sum()), float(ranks[nonzero < 0].sum())
    tied = np.unique(np.abs(nonzero)).size < nonzero.size
    if nonzero.size > EXACT_UP_TO:
        signs = np.sign(nonzero) * ranks
        result = stats.wilcoxon(signs, zero_method="wilcox", correction=True, method="asymptotic")
        p, method = float(result.pvalue), "normal approximation"
    elif tied:
        p, method = _exact_p(ranks, plus), "exact, conditional on ties"
    else:
        p, method = float(stats.wilcoxon(np.sign(nonzero) * ranks, method="exact").pvalue), "exact"
    dropped = differences.size - nonzero.size
    method += f", {dropped} zero dropped" if dropped == 1 else f", {dropped} zeros dropped" if dropped else ""
    return SignedRank(min(plus, minus), p, (plus - minus) / (plus + minus), method)


def p_of_rows(values: np.ndarray) -> float:
    """p of the hypothesis that no row differs from another, over the same cases; NaN where there is nothing to test.

    values: (cases, rows). Three rows or more: Friedman's test with its chi-squared approximation; two, where Friedman's
    would be the sign test: signed_rank.
    """
    values = np.round(np.asarray(values, dtype=np.float64), DECIMALS)
    if values.shape[0] < 2 or values.shape[1] < 2:
        return np.nan
    if (values == values[:, :1]).all():
        return 1.0
    if values.shape[1] == 2:
        return signed_rank(differences_of(values[:, 0], values[:, 1])).p
    return float(stats.friedmanchisquare(*values.T).pvalue)


def differences_of(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """ours - theirs; two infinite PSNRs are equal, where their difference would be NaN."""
    return np.subtract(ours, theirs, out=np.zeros(len(ours)), where=ours != theirs)


def bootstrap_median(differences: np.ndarray, seed: int, resamples: int = 10_000, level: float = 0.95):
    """Percentile bootstrap interval (low, high) of the median difference; NaN for fewer than two differences."""
    if differences.size < 2:
        return np.nan, np.nan
    generator = np.random.default_rng(seed)
    indices = generator.integers(0, differences.size, size=(resamples, differences.size))
    medians = np.median(differences[indices], axis=1)
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return float(low), float(high)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p values, in the order given; NaN stays NaN and does not count."""
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    valid = np.flatnonzero(~np.isnan(p_values))
    order = valid[np.argsort(p_values[valid], kind="stable")]
    scaled = p_values[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted


def compare(
    long: pd.DataFrame,
    reference: str,
    alpha: float = 0.05,
    seed: int = 0,
    controls: Collection[str] = (),
    resamples: int = 10_000,
    missing: str = "penalty",
) -> pd.DataFrame:
    """Every row against the reference row, for each task, segmenter, structure and metric: one tidy line each.

    long: the long table (longtable.COLUMNS). controls: rows that are compared too but stay outside Holm's family, which
    is the variants of one task, structure and metric; their p_holm is NaN. missing: as with_penalties takes it.
    Pairs are the cases where both rows have a value (the values that the empty-mask policy gives are values) with every
    seed; n_failed counts the cases where either failed. Differences are row - reference; of a signed error (`me`) the
    absolute values are compared. Values of several seeds are averaged first, case by case; what another seed would
    change is the second test (seeds.seed_test). `significant` is p < alpha, not adjusted, as in the paper.
    Raises ConfigError where the reference has no lines.
    """
    check_long(long)
    if reference not in set(long["variant"]):
        raise ConfigError(
            "reference: no such row in the metrics",
            found=reference,
            expected="one of " + ", ".join(dict.fromkeys(long["variant"])),
        )
    long, lines = with_penalties(long, missing), []
    for key, group in long[long["metric"].isin(score_metrics())].groupby(GROUP, sort=False):
        lines += _compare_group(dict(zip(GROUP, key, strict=True)), group, reference, alpha, seed, controls, resamples)
    return pd.DataFrame(lines, columns=list(COLUMNS))


def write_statistics(statistics: pd.DataFrame, path: str | Path) -> None:
    """Write the statistics atomically, numbers in full precision."""
    write_text(path, statistics.to_csv(index=False, lineterminator="\n"))


def read_statistics(path: str | Path) -> pd.DataFrame:
    """Read statistics as compare returns them."""
    text = ("task", "segmenter", "structure", "metric", "variant", "reference", "direction", "method")
    return read_csv(path, COLUMNS, text)


def _exact_p(ranks: np.ndarray, plus: float) -> float:
    """Two-sided p of W+ given the mid-ranks: every pattern of signs is equally likely. Doubled ranks are whole."""
    doubled = np.rint(2 * ranks).astype(int)
    probability = np.zeros(doubled.sum() + 1)
    probability[0] = 1.0
    for rank in doubled:
        shifted = np.zeros_like(probability)
        shifted[rank:] = probability[:-rank]
        probability = (probability + shifted) / 2
    observed = round(2 * plus)
    tail = min(probability[: observed + 1].sum(), probability[observed:].sum())
    return float(min(1.0, 2 * tail))


def _compare_group(key: dict, group: pd.DataFrame, reference, alpha, seed, controls, resamples) -> list[dict]:
    metric = METRICS[key["metric"]]
    values = {row: _by_seed(metric, lines) for row, lines in group.groupby("variant", sort=False)}
    failed = {row: set(lines.loc[is_failed(lines["status"]), "case"]) for row, lines in group.groupby("variant")}
    if reference not in values:
        return []
    lines = []
    for row in values:
        if row == reference:
            continue
        pairs = pd.concat([values[row], values[reference]], axis=1, join="inner").dropna().to_numpy(dtype=np.float64)
        of_seeds = pairs[:, : values[row].shape[1]], pairs[:, values[row].shape[1] :]
        ours, theirs = (each.mean(axis=1) for each in of_seeds)
        another = seed_test(*of_seeds, seed=seed)
        differences = differences_of(ours, theirs)
        test = signed_rank(differences)
        low, high = bootstrap_median(differences, seed, resamples)
        lines.append(key | {
            "variant": row, "reference": reference, "n": len(pairs), "n_failed": len(failed[row] | failed[reference]),
            "median_difference": float(np.median(differences)) if len(pairs) else np.nan,
            "ci_low": low, "ci_high": high, "statistic": test.statistic, "p": test.p,
            "effect_size": test.effect_size, "direction": _direction(metric, test.effect_size),
            "significant": bool(test.p < alpha), "method": test.method, "n_seeds": another.seeds,
            "mean_difference": another.difference, "sd_seeds": another.sd, "seeds_ci_low": another.low,
            "seeds_ci_high": another.high, "p_seeds": another.p, "p_seeds_permutation": another.p_permutation,
        })  # fmt: skip
    adjusted = holm(np.array([np.nan if entry["variant"] in controls else entry["p"] for entry in lines]))
    return [entry | {"p_holm": p} for entry, p in zip(lines, adjusted, strict=True)]


def _by_seed(metric: type[Metric], lines: pd.DataFrame) -> pd.DataFrame:
    """A row's values as they are compared, a line for each case and a column for each seed."""
    table = lines.pivot(index="case", columns="seed", values="value").reindex(lines["case"].unique())
    return pd.DataFrame(metric.compared(table.to_numpy(dtype=np.float64)), index=table.index)


def _direction(metric: type[Metric], effect_size: float) -> str:
    if np.isnan(effect_size):
        return ""
    if effect_size == 0:
        return "equal"
    better = effect_size > 0 if metric.better == "higher" else effect_size < 0
    return "better" if better else "worse"
