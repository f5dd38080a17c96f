"""Whether an uncertainty map says where a synthetic CT is wrong: its rank correlation with the error, and how much of
the error goes when the most uncertain voxels are left out (sparsification).

Sources: C. Spearman, Am. J. Psychol. 15 (1904); E. Ilg et al., Uncertainty estimates and multi-hypotheses networks for
optical flow, ECCV 2018. docs/reference/metrics.md has the formulas.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import stats

from ..study.metrics import family_metrics
from .longtable import NO_UNCERTAINTY, NO_VALUE, line

if TYPE_CHECKING:
    from .definitions import Definition
    from .pair import Pair


class Sparsification(NamedTuple):
    """The mean error of the voxels that are left when k of n are taken away, k = 0 ... n - 1, over that of all.

    by_sd: those of the largest standard deviation first. oracle: those of the largest error first, the best there is.
    """

    by_sd: np.ndarray
    oracle: np.ndarray

    @property
    def area(self) -> float:
        """AUSE: the mean distance of the curves; 0 where uncertainty ranks the voxels as the error does."""
        return float(np.mean(self.by_sd - self.oracle))


def uncertainty_metrics(sd_hu: np.ndarray, error_hu: np.ndarray) -> dict[str, float]:
    """Spearman's correlation and AUSE of the voxels of a region, one axis. NaN where there is none.

    sd_hu: the uncertainty map there. error_hu: of the synthetic CT, its sign does not matter.
    """
    sd, error = np.asarray(sd_hu, np.float64), np.abs(np.asarray(error_hu, np.float64))
    area = sparsification(sd, error).area if error.any() else math.nan
    return {"uncertainty_spearman": spearman(sd, error), "uncertainty_ause": area}


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank; NaN where one side is constant."""
    ranks = [stats.rankdata(values) for values in (first, second)]
    first, second = (rank - rank.mean() for rank in ranks)
    scale = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / scale if scale else math.nan


def sparsification(sd: np.ndarray, error: np.ndarray) -> Sparsification:
    """The curves of voxels with these standard deviations and absolute errors, not all 0.

    Voxels of one standard deviation go in no order: each counts with the mean error of all of them.
    """
    order = np.argsort(sd, kind="stable")
    certain_first = _tied(sd[order], error[order])
    return Sparsification(*(_left(values) / error.mean() for values in (certain_first, np.sort(error))))


def uncertainty_lines(pair: "Pair", task: str, row: str, definition: "Definition") -> list[dict[str, Any]]:
    """The lines of one case, inside its mask: without a map no values, and a status that says so."""
    if pair.real is None or pair.synthetic is None or pair.mask is None or pair.sd is None:
        return no_uncertainty(task, row, pair.case, NO_UNCERTAINTY)
    inside = pair.mask.array != 0
    error = error_hu(pair.real.array[inside], pair.synthetic.array[inside], definition)
    values = uncertainty_metrics(pair.sd.array[inside], error)
    return [
        line(task, row, pair.case, "", "body", metric, value, NO_VALUE if math.isnan(value) else "ok")
        for metric, value in values.items()
    ]


def error_hu(real_hu: np.ndarray, synthetic_hu: np.ndarray, definition: "Definition") -> np.ndarray:
    """Absolute errors, both clipped as for the MAE of a definition; float64."""
    real, synthetic = (values.astype(np.float64) for values in (real_hu, synthetic_hu))
    if definition.clips_errors:
        real, synthetic = (np.clip(values, *definition.clip_hu) for values in (real, synthetic))
    return np.asarray(np.abs(synthetic - real))


def no_uncertainty(task: str, row: str, case: str, status: str) -> list[dict[str, Any]]:
    """The lines of a case that has no values, with the reason."""
    return [line(task, row, case, "", "body", metric, math.nan, status) for metric in family_metrics("uncertainty")]


def _left(values: np.ndarray) -> np.ndarray:
    """The mean of the first n - k values, for k = 0 ... n - 1."""
    return (np.cumsum(values) / np.arange(1, values.size + 1))[::-1]


def _tied(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values, each replaced by the mean over those of the same key. keys: in rising order."""
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    counts = np.diff(np.r_[starts, keys.size])
    return np.repeat(np.add.reduceat(values, starts) / counts, counts)
