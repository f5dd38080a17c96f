"""What a column of a table says of its rows, and when it says nothing: the rules behind the report's first lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ..metrics.missing import FEWEST_CASES, common_values, never_in_real
from ..metrics.seeds import rank_agreement
from ..study.kinds.metric import Metric
from ..study.kinds.registry import METRICS
from ..study.rows import TRIVIAL_CONTROLS
from .context import Task

POOR_DICE = 0.3  # below it a segmenter mostly does not find the structure in the real CT: it cannot judge
NEVER_REAL, TOO_FEW, POOR_JUDGE, CONTROL_WINS, REFERENCE, BETTER, OTHER_SEED, NOT_SHOWN = (
    "in no real CT", "too few cases", "poor judge", "control wins", "reference", "better", "another seed may differ",
    "not shown",
)  # fmt: skip
JUDGED = (REFERENCE, BETTER, OTHER_SEED, NOT_SHOWN)  # what a row may be praised for


@dataclass(frozen=True)
class Claim:
    """One column. name: for people; place: its structure or region, and spoken: both within a sentence. n: the cases
    that its rows have in common.

    best: the variant with the best mean over these, "" where none is named. best_mean, reference_mean: NaN where there
    is none. test: the line of the statistics (statistics.COLUMNS) of best against the reference, or None. control: the
    trivial control with the best mean, with control_mean and, over the same cases, rival_mean of the best variant.
    judge_dice: of its segmenter against the true labels; NaN where these are not known. verdict: a word from above.
    tau: how alike the seeds rank the variants (seeds.rank_agreement); NaN for one seed.
    """

    name: str
    metric: type[Metric]
    n: int
    verdict: str = TOO_FEW
    best: str = ""
    best_mean: float = math.nan
    reference_mean: float = math.nan
    test: pd.Series | None = None
    control: str = ""
    control_mean: float = math.nan
    rival_mean: float = math.nan
    judge_dice: float = math.nan
    tau: float = math.nan
    place: str = ""

    @property
    def spoken(self) -> str:
        """`HD95 (mm) of Bones`: the name without an arrow."""
        name, _, of = self.name.partition(f" {self.metric.arrow()}")
        return name + of.replace(", ", " of ", 1)


def claim(task: Task, column: tuple[str, str, str], variants: Sequence[str]) -> Claim:
    """What a column says of variants.

    column: metric, structure or region, name for people. Rows are compared over the cases that all variants have, by
    means as they are shown: where the reference row shows the best digits, it is the best. Nothing is said of a
    structure that no real CT shows, of fewer than three cases, nor where the judge is poor. A trivial control that is
    better than the best variant wins. Else the best variant is better than the reference if p after Holm's correction
    is below alpha and, where there are several seeds, the second test's p is too.
    """
    name, place, words = column
    metric, lines = METRICS[name], _lines(task.compared, name, place)
    values = common_values(lines[lines["variant"].isin(variants)])
    found = Claim(words, metric, len(values), judge_dice=task.judge_dice.get(place, math.nan), place=place)
    if never_in_real(lines):
        return replace(found, verdict=NEVER_REAL)
    if len(values) < FEWEST_CASES or values.empty:
        return found
    if found.judge_dice < POOR_DICE:
        return replace(found, verdict=POOR_JUDGE)
    every = _lines(task.every, name, place)
    every = every[every["variant"].isin(variants) & every["case"].isin(values.index)]
    found = replace(_with_best(task, found, values, variants), tau=rank_agreement(every, metric.score))
    found = _with_control(task, found, lines, values)
    if found.control and _score(metric, found.control_mean) > _score(metric, found.rival_mean):
        return replace(found, verdict=CONTROL_WINS)
    reference = task.context["reference"]
    test = _lines(task.statistics, name, place)
    test = test[(test["variant"] == found.best) & (test["n"] > 0)]
    if test.empty:
        return replace(found, verdict=REFERENCE if found.best == reference else NOT_SHOWN)
    line = test.iloc[0]
    alpha = task.context["alpha"]
    if not (line["p_holm"] < alpha and line["direction"] == "better"):
        return replace(found, test=line, verdict=NOT_SHOWN)
    return replace(found, test=line, verdict=OTHER_SEED if line["p_seeds"] >= alpha else BETTER)


def _with_best(task: Task, found: Claim, values: pd.DataFrame, variants: Sequence[str]) -> Claim:
    means = values.mean().to_dict()
    reference = task.context["reference"]
    order = [row for row in (reference, *variants) if row in means]  # of equal ones the first
    best = max(order, key=lambda row: _score(found.metric, means[row]))
    return replace(found, best=best, best_mean=means[best], reference_mean=means.get(reference, math.nan))


def _with_control(task: Task, found: Claim, lines: pd.DataFrame, values: pd.DataFrame) -> Claim:
    """The trivial control with the best mean over those of the common cases that it has."""
    for control in TRIVIAL_CONTROLS:
        own = lines[lines["variant"] == control].set_index("case")["value"].dropna()
        own = own[own.index.isin(values.index)]
        if len(own) < FEWEST_CASES or control not in task.context["controls"]:
            continue
        mean, rival = float(own.mean()), float(values.loc[own.index, found.best].mean())
        lead = _score(found.metric, mean) - _score(found.metric, rival)
        so_far = _score(found.metric, found.control_mean) - _score(found.metric, found.rival_mean)
        if math.isnan(so_far) or lead > so_far:
            found = replace(found, control=control, control_mean=mean, rival_mean=rival)
    return found


def _lines(frame: pd.DataFrame, metric: str, place: str) -> pd.DataFrame:
    return frame[(frame["metric"] == metric) & (frame["structure"] == place)]


def _score(metric: type[Metric], mean: float) -> float:
    """A mean as it is shown, higher where it is better."""
    return float(metric.score(round(mean, metric.decimals)))
