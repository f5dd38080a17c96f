"""One reader for the CSV files that a study makes: one that was cut off or edited is an error, not another number."""

import csv
import io
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from ..base.atomic import read_text
from ..base.errors import UnusableFile


def read_csv(path: str | Path, columns: Collection[str] = (), text: Collection[str] | None = ()) -> pd.DataFrame:
    """Read a CSV file with a header.

    columns: that it must have. text: those of text, in which an empty cell is "" (None: all); the others are numbers,
    or True and False, and an empty cell is NaN. Raises UnusableFile, also where the last line has no end: a number in
    it may have lost its last digits.
    """
    path = Path(path)
    content = read_text(path)
    header = _checked_lines(path, content)
    if missing := [name for name in columns if name not in header]:
        raise UnusableFile(path, f"it has no column {missing[0]}")
    words = header if text is None else [name for name in header if name in text]
    table = pd.read_csv(
        io.StringIO(content), dtype=dict.fromkeys(words, str), keep_default_na=False,
        na_values={name: [""] for name in header if name not in words}, skip_blank_lines=False,
    )  # fmt: skip
    for name in header:
        if name not in words and len(table) and not pd.api.types.is_numeric_dtype(table[name].dtype):
            raise UnusableFile(path, f"column {name} has {_no_number(table[name])!r} for a number")
    return table


def _checked_lines(path: Path, content: str) -> list[str]:
    """The header of a file that ends with a whole line and whose lines are all as long."""
    if not content.strip():
        raise UnusableFile(path, "it is empty")
    if not content.endswith("\n"):
        raise UnusableFile(path, "its last line has no end: it was cut off, or an editor took the line break away")
    lines = csv.reader(io.StringIO(content), strict=True)
    try:
        header = next(lines)
        for line in lines:
            if len(line) != len(header):
                raise UnusableFile(path, f"line {lines.line_num} has {len(line)} cells, the header {len(header)}")
    except csv.Error as error:
        raise UnusableFile(path, f"line {lines.line_num} is no CSV: {error}") from error
    return header


def _no_number(column: pd.Series) -> str:
    strange = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
    return str(strange.iloc[0]) if len(strange) else str(column.iloc[0])
