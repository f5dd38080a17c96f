"""The cells of a table: which cases of a column are shown and compared, and what each row has there."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from ..metrics.longtable import is_failed
from ..metrics.missing import FEWEST_CASES, PENALISED, common_values, never_in_real
from ..metrics.statistics import p_of_rows
from ..study.kinds.metric import Metric

MAY_CHANGE = "‡"  # behind an asterisk that holds for these networks, and not surely for those of other seeds


@dataclass(frozen=True)
class Column:
    """A metric of a region (segmenter "") or of a structure. group: the heading above; published: the paper's own.

    n_common: the cases of which every variant has a value; None where nothing is compared over cases. differs: whether
    the variants differ over them at all (statistics.p_of_rows). never_real: the real CT of no case has the structure.
    """

    metric: type[Metric]
    structure: str
    segmenter: str
    group: str
    published: bool = False
    n_common: int | None = None
    differs: bool = False
    never_real: bool = False

    @property
    def is_compared(self) -> bool:
        """Whether the rows can be ranked: enough cases that all variants have, or the paper's own."""
        return self.published or (self.n_common is not None and self.n_common >= FEWEST_CASES)

    @property
    def key(self) -> str:
        """`mae`, `mae:volume`, `dice:airways`; the paper's columns end in `(published)`."""
        plain = self.segmenter == "" and self.structure in ("", "body")
        name = self.metric.name if plain else f"{self.metric.name}:{self.structure}"
        return name + (" (published)" if self.published else "")


@dataclass(frozen=True)
class Cell:
    """mean, sd (ddof 1; NaN for one value) of n values; None decimals: the metric's own. NaN mean: nothing to show.

    penalised: how many of the values are penalties. shade: one of marks.SHADES, or "". mark: a sign after the number
    that a footnote explains. sd_seeds: between the means of the seeds (ddof 1); NaN for one seed.
    """

    mean: float = math.nan
    sd: float = math.nan
    n: int = 0
    n_failed: int = 0
    best: bool = False
    significant: bool = False
    decimals: int | None = None
    undefined: Mapping[str, int] = field(default_factory=dict)
    shade: str = ""
    mark: str = ""
    penalised: int = 0
    sd_seeds: float = math.nan


def compared_cases(
    long: pd.DataFrame, column: Column, variants: Sequence[str], alpha: float
) -> tuple[Column, list[str] | None]:
    """The column with what its comparison rests on, and the cases that the variants share; None where too few.

    long: the task's lines, with penalties.
    """
    lines = _of_column(long, column)
    values = common_values(lines[lines["variant"].isin(variants)])
    differs = p_of_rows(column.metric.compared(values.to_numpy())) < alpha
    column = replace(column, n_common=len(values), differs=differs, never_real=never_in_real(lines))
    return column, list(values.index) if column.is_compared else None


def cell(
    lines: pd.DataFrame,
    tested: pd.DataFrame,
    column: Column,
    cases: Collection[str] | None,
    every: pd.DataFrame,
    alpha: float,
) -> Cell:
    """A row's cell: over the cases that are compared, or, where these are None, over its own and without an asterisk.

    lines: the row's, averaged over its seeds. tested: its lines of the statistics. every: the row's with every seed.
    An asterisk that another seed may undo (p of the second test not below alpha) gets a mark.
    """
    ours, test = _of_column(lines, column), _of_column(tested, column)
    failed = is_failed(ours["status"])
    undefined = ours.loc[ours["value"].isna() & ~failed, "status"].value_counts().sort_index().to_dict()
    shown = ours[ours["value"].notna() & (True if cases is None else ours["case"].isin(cases))]
    values = shown["value"]
    better = len(test) == 1 and bool(test["significant"].iloc[0]) and test["direction"].iloc[0] == "better"
    infinite = values.abs().eq(math.inf).any()
    significant = better and cases is not None
    return Cell(
        mean=float(values.mean()) if len(values) else math.nan,
        sd=float(values.std(ddof=1)) if len(values) > 1 and not infinite else math.nan,
        n=len(values),
        n_failed=int(failed.sum()),
        significant=significant,
        undefined=undefined,
        mark=MAY_CHANGE if significant and float(test["p_seeds"].iloc[0]) >= alpha else "",
        penalised=int(shown["status"].eq(PENALISED).sum()),
        sd_seeds=_between_seeds(_of_column(every, column), shown["case"]),
    )


def _between_seeds(every: pd.DataFrame, cases: Collection[str]) -> float:
    """The SD (ddof 1) of the seeds' means over these cases."""
    means = every[every["case"].isin(cases)].groupby("seed")["value"].mean()
    return float(means.std(ddof=1)) if len(means) > 1 and not means.abs().eq(math.inf).any() else math.nan


def _of_column(frame: pd.DataFrame, column: Column) -> pd.DataFrame:
    return frame[
        (frame["metric"] == column.metric.name)
        & (frame["structure"] == column.structure)
        & (frame["segmenter"] == column.segmenter)
    ]
