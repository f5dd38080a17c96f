"""Rows that were trained with several seeds: their values averaged over the seeds, and whether two rows differ by more
than another seed would change them.

The second is a mixed model, y(row, seed, case) = mean(row, case) + network(row, seed) + rest, in which a row's networks
are drawn at random, with a variance of the row's own, and the cases are the same for all. Of such balanced data only
the networks' means over the cases count, and the test of two rows is Welch's (B. Welch, Biometrika 34 (1947), with the
degrees of freedom of F. Satterthwaite, Biometrics Bulletin 2 (1946)); SciPy has the t distribution. Beside it stands a
permutation test that assumes no distribution (E. Pitman, JRSS Supplement 4 (1937)): whole networks, with all their
cases, change rows. Both take the networks of one seed in two rows as independent. They begin alike, so that in short
trainings they are better and worse together, and p is then too large.
"""

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

GROUP = ["task", "variant", "case", "segmenter", "structure", "metric"]  # the key of the long table without the seed
LEVEL = 0.95
MOST_DIVISIONS = 20_000  # up to which all are tried: eight seeds a row
DECIMALS = 10


def seeds_of(long: pd.DataFrame) -> list[str]:
    """The seeds of a long table where it has several, in its order; [] otherwise."""
    seeds = [seed for seed in dict.fromkeys(long["seed"]) if seed]
    return seeds if len(seeds) > 1 else []


def over_seeds(long: pd.DataFrame) -> pd.DataFrame:
    """The long table with one line in the place of those of several seeds: their mean, no seed.

    Where one of the seeds has no value, the mean has none either, and the status says what that seed's says: a row
    shall not look better for the networks that found nothing. A table of one seed is returned as it is.
    """
    if not seeds_of(long):
        return long
    groups = long.groupby(GROUP, sort=False)["value"]
    complete = groups.transform("count") == groups.transform("size")
    mean = groups.transform("mean").where(complete)
    several = groups.transform("size") > 1
    doubt = np.select([long["value"].isna(), long["status"] != "ok"], [0, 1], 2)  # the line whose status is taken over
    speaking = long.assign(doubt=doubt, place=groups.ngroup()).sort_values(["place", "doubt"], kind="stable")
    status = speaking.groupby("place")["status"].transform("first").reindex(long.index)
    averaged = long.assign(value=mean, status=status, seed=long["seed"].mask(several, ""))
    return averaged.drop_duplicates(GROUP).reset_index(drop=True)


def rank_agreement(lines: pd.DataFrame, score: Callable[[float], float]) -> float:
    """Whether each seed ranks the rows alike: Kendall's tau (b) of two seeds' rankings, the mean over pairs of seeds.

    lines: of one metric and place, of rows that the same seeds trained, over the cases that they share. A ranking is
    that of the scores of the rows' means over the cases (Metric.score). NaN for one seed, and for one row.
    """
    means = lines.pivot_table(index="variant", columns="seed", values="value", aggfunc="mean", sort=False).dropna()
    if min(means.shape) < 2:
        return math.nan
    scores = means.map(score)
    pairs = itertools.combinations(scores.columns, 2)
    taus = [float(stats.kendalltau(scores[first], scores[second]).statistic) for first, second in pairs]
    return float(np.mean(taus))


@dataclass(frozen=True)
class SeedTest:
    """Whether two rows differ by more than another seed would change them; NaN where no row has several seeds.

    seeds: of the row. difference: of the means over cases and seeds. sd: of the row's networks, each its mean over the
    cases (ddof 1). low, high: Welch's interval of the difference, 95 %. p: Welch's. p_permutation: of the permutation
    test, at least 2 / (number of divisions): 0.1 with three seeds a row; NaN against a row without seeds.
    """

    seeds: int
    difference: float
    sd: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_permutation: float = math.nan


def seed_test(ours: np.ndarray, theirs: np.ndarray, seed: int = 0) -> SeedTest:
    """Two rows' values (cases, seeds) over the same cases. A row with one column, a control, has no spread of seeds.

    seed: of the permutations that are drawn where there are too many to try all.
    """
    if not len(ours):
        return SeedTest(ours.shape[1], math.nan)
    means = [np.round(values.mean(axis=0), DECIMALS) for values in (ours, theirs)]
    difference = float(means[0].mean()) - float(means[1].mean())
    if max(mean.size for mean in means) < 2 or not math.isfinite(difference):
        return SeedTest(means[0].size, difference)
    variances = [float(mean.var(ddof=1)) if np.ptp(mean) > 0 else 0.0 for mean in means]
    sd = math.sqrt(variances[0]) if means[0].size > 1 else math.nan
    shares = [variance / mean.size for variance, mean in zip(variances, means, strict=True)]
    error = math.sqrt(sum(shares))
    permuted = _permuted(means[0], means[1], seed)
    if error == 0:
        certain = float(difference == 0)
        return SeedTest(means[0].size, difference, sd, difference, difference, certain, permuted)
    freedom = error**4 / sum(s**2 / (m.size - 1) for s, m in zip(shares, means, strict=True) if m.size > 1)
    reach = error * float(stats.t.ppf((1 + LEVEL) / 2, freedom))
    p = 2 * float(stats.t.sf(abs(difference) / error, freedom))
    return SeedTest(means[0].size, difference, sd, difference - reach, difference + reach, p, permuted)


def _permuted(ours: np.ndarray, theirs: np.ndarray, seed: int) -> float:
    """The share of the divisions of all networks into two rows that differ at least as much as the rows do."""
    if min(ours.size, theirs.size) < 2:
        return math.nan
    everything = np.concatenate([ours, theirs])
    sums = everything[_divisions(everything.size, ours.size, seed)].sum(axis=1)
    differences = np.abs(sums / ours.size - (everything.sum() - sums) / theirs.size)
    return float(np.mean(differences >= differences[0] - 10**-DECIMALS))


@functools.lru_cache(maxsize=8)
def _divisions(total: int, chosen: int, seed: int) -> np.ndarray:
    """Ways to choose so many of all, a line each: all of them, or MOST_DIVISIONS drawn; first the first ones."""
    if math.comb(total, chosen) <= MOST_DIVISIONS:
        return np.array(list(itertools.combinations(range(total), chosen)))
    drawn = np.random.default_rng(seed).random((MOST_DIVISIONS, total)).argsort(axis=1)[:, :chosen]
    return np.concatenate([np.arange(chosen)[None], drawn])
