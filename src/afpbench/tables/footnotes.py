"""What stands below a table: the failed cases and the values that are not defined."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ..metrics.longtable import FAILED, is_failed

if TYPE_CHECKING:
    from .build import Column, Row


def failures(lines: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """(case, reason) of the failed cases among a row's lines of the long table."""
    failed = lines[is_failed(lines["status"])].drop_duplicates("case")
    return tuple(
        (case, status.removeprefix(FAILED)) for case, status in zip(failed["case"], failed["status"], strict=True)
    )


def footnotes(rows: Sequence["Row"], columns: Sequence["Column"]) -> list[str]:
    """The failed cases, each with the rows that it failed in, and the values that are not defined."""
    failures: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for failure in row.failures:
            failures.setdefault(failure, []).append(row.label)
    notes = []
    for (case, reason), labels in failures.items():
        rows_text = "every row" if len(labels) == len(rows) else ", ".join(labels)
        notes.append(f"Failed in {rows_text}: case {case}: {reason}")
    return notes + _undefined(rows, columns)


def _undefined(rows: Sequence["Row"], columns: Sequence["Column"]) -> list[str]:
    """The values that are not defined: metrics and rows that say the same share a note."""
    metrics: dict[tuple, list[str]] = {}
    for position, column in enumerate(columns):
        by_status: dict[str, list[tuple[str, int]]] = {}
        for row in rows:
            for status, count in row.cells[position].undefined.items():
                by_status.setdefault(status, []).append((row.label, count))
        for status, found in by_status.items():
            metrics.setdefault((column.group, status, tuple(found)), []).append(column.metric.label)
    notes = []
    for (group, status, found), labels in metrics.items():
        counts = {count for _, count in found}
        if len(found) == len(rows) and len(counts) == 1:
            where = f"{_cases(*counts)} in every row"
        else:
            where = ", ".join(f"{label} {_cases(count)}" for label, count in found)
        notes.append(f"{', '.join(labels)} of {group} undefined ({status}): {where}")
    return notes


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
