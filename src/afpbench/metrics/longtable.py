"""The long table: one line per task, row, seed, case, structure and metric. Nothing is inferred from a path."""

import math
from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from ..base.atomic import write_text
from ..base.errors import DataError, UnusableFile
from ..study.kinds.metric import REGIONS
from ..study.metrics import score_metrics
from . import surface
from .csv_file import read_csv

COLUMNS = ("task", "variant", "seed", "case", "segmenter", "structure", "metric", "value", "status")
KEY = ("task", "variant", "seed", "case", "segmenter", "structure", "metric")
FAILED = "failed: "
NO_VALUE = "no_value"  # of a metric that says itself that there is none
NO_UNCERTAINTY = "no_uncertainty"  # of an image without an uncertainty map, where others have one
STATUSES = (*surface.STATUSES, NO_VALUE, NO_UNCERTAINTY)
DIAGONAL = "diagonal_mm"  # of the volume, from corner to corner: the largest possible distance
CASE_FIGURES = ("calibration_slope", "calibration_offset_hu", DIAGONAL)  # nothing to compare or to show as a column


def failed_status(reason: str) -> str:
    """The status of a case that failed: one line."""
    return FAILED + (" ".join(str(reason).split()) or "no reason was recorded")


def is_failed(status: pd.Series) -> pd.Series:
    """Which statuses tell of a failed case."""
    return status.str.startswith(FAILED)


def check_long(long: pd.DataFrame, source: str = "the long table") -> pd.DataFrame:
    """Return the table if its columns, metrics, statuses, regions and keys are right; else raise DataError."""
    if list(long.columns) != list(COLUMNS):
        raise DataError(
            f"{source}: wrong columns",
            found=", ".join(map(str, long.columns)),
            expected=", ".join(COLUMNS),
            hint="write it with `afpbench metrics` or with afpbench.metrics.longtable.write_long",
        )
    _check_values(long, source)
    duplicates = long[long.duplicated(list(KEY), keep=False)]
    if len(duplicates):
        raise DataError(
            f"{source}: the same value twice",
            found="; ".join(_place(line) for _, line in duplicates.head(3).iterrows()),
            expected="one line for each " + ", ".join(KEY),
            hint="two files hold the same row: give each row's file once",
        )
    return long


def read_long(path: str | Path) -> pd.DataFrame:
    """Read and check a long table. Empty text stays "", an empty value becomes NaN."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"metrics: no such file: {path}", expected="a CSV with the columns " + ", ".join(COLUMNS))
    text = read_csv(path, text=None)
    if "value" in text.columns:
        try:
            text["value"] = [float(value) if value else math.nan for value in text["value"]]
        except ValueError as error:
            raise DataError(
                f"{path}: a value is not a number", found=str(error), expected="a number or nothing"
            ) from error
    return check_long(text, str(path))


def write_long(long: pd.DataFrame, path: str | Path) -> None:
    """Check and write a long table atomically; NaN becomes an empty cell, numbers keep full precision."""
    check_long(long, str(path))
    write_text(path, long.to_csv(index=False, lineterminator="\n"))


def merge(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The long table of per-row files: their lines in the order of the files and of the lines, checked together.

    Raises UnusableFile for a file that lost whole lines: without a case that others have, or with fewer lines of it.
    """
    tables = {Path(path): read_long(path) for path in paths}
    if not tables:
        raise DataError("metrics: no files to merge", expected="one CSV for each row of the table")
    cases = dict.fromkeys(case for table in tables.values() for case in table["case"])
    for path, table in tables.items():
        _check_complete(path, table, cases)
    return check_long(pd.concat(tables.values(), ignore_index=True), "the merged long table")


def _check_complete(path: Path, table: pd.DataFrame, cases: Collection[str]) -> None:
    """A row is measured in every case, and in each that did not fail in the same way."""
    missing = [case for case in cases if case not in set(table["case"])]
    if missing:
        raise UnusableFile(path, f"it has no line of case {missing[0]}, as other rows have")
    counts = table[~is_failed(table["status"])].groupby("case", sort=False).size()
    if counts.nunique() > 1:
        raise UnusableFile(
            path, f"case {counts.idxmin()} has {counts.min()} lines, case {counts.idxmax()} {counts.max()}"
        )


def _check_values(long: pd.DataFrame, source: str) -> None:
    def refuse(lines: pd.Series, problem: str, column: str, expected: str) -> None:
        if lines.any():
            line = long[lines].iloc[0]
            raise DataError(f"{source}: {problem}", found=f"{line[column]!r} ({_place(line)})", expected=expected)

    failed = is_failed(long["status"])
    known = [*score_metrics(), *CASE_FIGURES]
    refuse(~long["metric"].isin(known), "an unknown metric", "metric", ", ".join(known))
    refuse(
        ~(long["status"].isin(STATUSES) | failed), "an unknown status", "status", f"{', '.join(STATUSES)}, {FAILED}…"
    )
    image = long["segmenter"].eq("") & ~long["structure"].isin(REGIONS)
    refuse(image, "an image metric of an unknown region", "structure", " or ".join(REGIONS) + ", or a segmenter")
    refuse(failed & long["value"].notna(), "a value for a failed case", "value", "an empty cell")
    refuse(long["status"].eq("ok") & long["value"].isna(), "no value although the status is ok", "value", "a number")


def _place(line: pd.Series) -> str:
    return ", ".join(f"{name} {line[name]}" for name in KEY if line[name] != "")


def line(
    task: str,
    variant: str,
    case: str,
    segmenter: str,
    structure: str,
    metric: str,
    value: float,
    status: str,
    seed: str = "",
) -> dict:
    """One line of the long table. seed: that trained the row; "" where nothing was trained, or nobody knows."""
    entries = (task, variant, seed, case, segmenter, structure, metric, float(value), status)
    return dict(zip(COLUMNS, entries, strict=True))
