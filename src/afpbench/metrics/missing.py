"""Values that a row lacks: the penalty for a structure that it does not find, and the cases that rows share.

A row that finds nothing has no distance there, and would escape the metric on its worst cases. Challenges give such a
case the largest possible distance: BraTS 2023 takes 374 mm, the diagonal of its images of 240 x 240 x 155 mm.
"""

from collections.abc import Mapping

import pandas as pd

from ..base.errors import DataError
from ..study.kinds.metric import DIAGONAL as OF_IMAGE
from ..study.kinds.registry import METRICS
from .longtable import DIAGONAL, is_failed

PENALISED = "penalised"
NOT_IN_REAL = ("both_empty", "real_empty")  # of a case whose real CT does not show a structure, by its segmenter
IN_WORDS = {
    "both_empty": "found in neither CT",
    "real_empty": "not found in the real CT",
    "synthetic_empty": "not found in the synthetic CT",
}
FEWEST_CASES = 3  # that rows must share to be compared


def with_penalties(long: pd.DataFrame, missing: str) -> pd.DataFrame:
    """The long table as rows are compared.

    missing: `penalty` puts each metric's own (Metric.penalty) in the place of a value that is missing since the row
    finds nothing of a structure that is there, and PENALISED into its status; `common` leaves the table as it is.
    Raises DataError where a case's diagonal is needed and not in the table.
    """
    if missing == "common":
        return long
    penalties = {name: metric.penalty for name, metric in METRICS.classes().items() if metric.penalty is not None}
    lines = long["value"].isna() & long["status"].eq("synthetic_empty") & long["metric"].isin(penalties)
    if not lines.any():
        return long
    diagonals = long[long["metric"] == DIAGONAL].groupby(["task", "case"])["value"].first().to_dict()
    places = long.loc[lines, ["task", "case", "metric"]].itertuples(index=False, name=None)
    long = long.copy()
    long.loc[lines, "value"] = [
        _diagonal(diagonals, task, case) if penalties[metric] == OF_IMAGE else float(penalties[metric])
        for task, case, metric in places
    ]
    long.loc[lines, "status"] = PENALISED
    return long


def never_in_real(lines: pd.DataFrame) -> bool:
    """Whether the real CT of no case shows the structure that these lines of the long table are of.

    Failed cases say nothing; lines of the whole image are never of this kind.
    """
    told = lines.loc[~is_failed(lines["status"]), "status"]
    return bool(len(told) and told.isin(NOT_IN_REAL).all())


def common_values(lines: pd.DataFrame) -> pd.DataFrame:
    """Cases x rows, of the lines of one metric and place: the cases of which every row has a value.

    Rows without any value do not count, and are left out.
    """
    values = lines.pivot(index="case", columns="variant", values="value").dropna(axis="columns", how="all")
    return values.dropna(axis="index", how="any")


def _diagonal(diagonals: Mapping[tuple[str, str], float], task: str, case: str) -> float:
    if (task, case) not in diagonals:
        raise DataError(
            f"case {case}: no {DIAGONAL} in the metrics, which is the penalty of a distance that is missing",
            found=f"{len(diagonals)} cases with one",
            expected=f"a line of the metric {DIAGONAL}, structure `volume`, of each case",
            hint="make the metrics anew, or write statistics.missing: common",
        )
    return diagonals[task, case]
