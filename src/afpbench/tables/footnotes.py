"""What stands below a table: failed cases, penalties, values that are not defined, and what is not compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ..metrics.longtable import FAILED, NO_UNCERTAINTY, is_failed
from ..metrics.missing import IN_WORDS
from .cells import MAY_CHANGE

if TYPE_CHECKING:
    from .build import Row
    from .cells import Cell, Column


def failures(lines: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """(case, reason) of the failed cases among a row's lines of the long table."""
    failed = lines[is_failed(lines["status"])].drop_duplicates("case")
    return tuple(
        (case, status.removeprefix(FAILED)) for case, status in zip(failed["case"], failed["status"], strict=True)
    )


def footnotes(rows: Sequence["Row"], columns: Sequence["Column"]) -> list[str]:
    """The failed cases, each with the rows that it failed in, and what the cells and columns say of their values."""
    failures: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for failure in row.failures:
            failures.setdefault(failure, []).append(row.label)
    notes = []
    for (case, reason), labels in failures.items():
        rows_text = "every row" if len(labels) == len(rows) else ", ".join(labels)
        notes.append(f"Failed in {rows_text}: case {case}: {reason}")
    undefined = _counted(rows, columns, lambda cell: {_undefined(s): n for s, n in cell.undefined.items()})
    penalties = _counted(rows, columns, lambda cell: {"with the penalty": cell.penalised} if cell.penalised else {})
    return [*notes, *_never_real(columns), *penalties, *undefined, *_not_compared(columns), *_may_change(rows)]


def _undefined(status: str) -> str:
    words = IN_WORDS | {NO_UNCERTAINTY: "no network made it, and nothing is known of its uncertainty"}
    return f"undefined, {words[status]}" if status in words else f"undefined ({status})"


def _never_real(columns: Sequence["Column"]) -> list[str]:
    """The structures that no real CT shows, each once: their columns say nothing, and no other note is needed."""
    found = dict.fromkeys((column.group, column.segmenter) for column in columns if column.never_real)
    return [
        f"{group}: the segmenter {segmenter} finds it on the real CT of no case, so that its columns say nothing of "
        "any row; it is not in these images, or the segmenter does not know it (see the structure's classes)"
        for group, segmenter in found
    ]


def _may_change(rows: Sequence["Row"]) -> list[str]:
    """What the mark behind an asterisk means, where there is one."""
    marked = any(cell.significant and cell.mark == MAY_CHANGE for row in rows for cell in row.cells)
    words = "By the cases only: another seed may change it (Welch's test on the seeds' means, not below the same limit)"
    return [f"{MAY_CHANGE} {words}"] if marked else []


def _not_compared(columns: Sequence["Column"]) -> list[str]:
    """The columns with too few common cases: those of a group that have equally many share a note."""
    metrics: dict[tuple[str, int], list[str]] = {}
    for column in columns:
        if column.n_common is not None and not column.is_compared and not column.never_real:
            metrics.setdefault((column.group, column.n_common), []).append(column.metric.label)
    return [
        f"{', '.join(labels)} of {group} not compared: {_cases(count)} in common, each row is over its own"
        for (group, count), labels in metrics.items()
    ]


def _counted(
    rows: Sequence["Row"], columns: Sequence["Column"], counted: Callable[["Cell"], Mapping[str, int]]
) -> list[str]:
    """What is counted in cells, in words: metrics and rows that say the same share a note."""
    metrics: dict[tuple, list[str]] = {}
    for position, column in enumerate(columns):
        if column.never_real:
            continue
        by_words: dict[str, list[tuple[str, int]]] = {}
        for row in rows:
            for words, count in counted(row.cells[position]).items():
                by_words.setdefault(words, []).append((row.label, count))
        for words, found in by_words.items():
            metrics.setdefault((column.group, words, tuple(found)), []).append(column.metric.label)
    notes = []
    for (group, words, found), labels in metrics.items():
        counts = {count for _, count in found}
        if len(found) == len(rows) and len(counts) == 1:
            where = f"{_cases(*counts)} in every row"
        else:
            where = ", ".join(f"{label} {_cases(count)}" for label, count in found)
        notes.append(f"{', '.join(labels)} of {group} {words}: {where}")
    return notes


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
