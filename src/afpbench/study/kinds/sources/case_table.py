"""A table of cases: one line each with its id, its files, and any column to split by. Standard library only."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ....base.errors import ConfigError
from ...case_ids import check_id, check_path

REQUIRED = ("case", "mr", "ct")
FILE_COLUMNS = ("mr", "ct", "mask", "labels", "mr_contour", "ct_contour")


@dataclass(frozen=True)
class CaseTable:
    """rows: case id -> column -> text, in the order of the file. Paths in it start from the table's folder."""

    path: Path
    columns: tuple[str, ...]
    rows: dict[str, dict[str, str]]

    def files(self, case: str) -> dict[str, Path]:
        """Role -> path of the files that the case's line names."""
        row = self.rows[case]
        return {role: self.path.parent / row[role] for role in FILE_COLUMNS if row.get(role)}

    def column(self, name: str) -> dict[str, str]:
        """Case id -> value of a column. Raises ConfigError for a column that is not there."""
        if name not in self.columns:
            raise ConfigError(
                f"{self.path}: no such column",
                found=name,
                expected="one of " + ", ".join(self.columns),
                hint="correct the name, or add the column to the table",
            )
        return {case: row[name] for case, row in self.rows.items()}


def read_table(path: Path) -> CaseTable:
    """Read a table: tab-separated, or comma-separated where the name ends in .csv; UTF-8, a header line.

    Columns: `case`, `mr`, `ct`, optionally `mask`, `labels`, `mr_contour`, `ct_contour`, and any others.
    Raises ConfigError for a missing or broken table, a missing column or value, an unusable or repeated id.
    """
    path = Path(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise ConfigError(
            f"cannot read the table of cases {path}",
            found=error.strerror,
            expected="a text file with the columns " + ", ".join(REQUIRED),
            hint="correct data.table; relative paths start from the folder where Snakemake runs",
        ) from error
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, mtime_ns: int, size: int) -> CaseTable:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, delimiter="," if path.suffix.lower() == ".csv" else "\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"cannot read the table of cases {path}",
            found=str(error),
            expected="text in UTF-8",
            hint="save it as tab-separated text in UTF-8 (.tsv), or comma-separated (.csv)",
        ) from error
    header = [name.strip() for name in lines[0]] if lines else []
    _check_header(path, header)
    rows: dict[str, dict[str, str]] = {}
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not any(value.strip() for value in line):
            continue
        row = _row(path, number, header, line)
        case = row["case"]
        if case in rows:
            raise ConfigError(
                f"{path}: two lines have one case id",
                found=f"'{case}' in lines {first_line[case]} and {number}",
                expected="each id once",
                hint="give every pair its own id, for example with the visit in it",
            )
        rows[case], first_line[case] = row, number
    return CaseTable(path, tuple(header), rows)


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if missing or repeated:
        raise ConfigError(
            f"{path}: the first line does not name the columns",
            found=", ".join(header) or "an empty file",
            expected="each column once, among them " + ", ".join(REQUIRED),
            hint="columns are parted by tabs (by commas in a .csv)",
        )


def _row(path: Path, number: int, header: list[str], line: list[str]) -> dict[str, str]:
    if len(line) != len(header):
        raise ConfigError(
            f"{path}, line {number}: another number of columns than the first line",
            found=f"{len(line)} values",
            expected=f"{len(header)}: {', '.join(header)}",
            hint="part values by one tab (by one comma in a .csv); leave a value that is not there empty",
        )
    row = {name: value.strip() for name, value in zip(header, line, strict=True)}
    check_id(row["case"], f"{path}, line {number}")
    for name in ("mr", "ct"):
        if not row[name]:
            raise ConfigError(
                f"{path}, line {number}: case {row['case']} has no {name.upper()}",
                found="an empty value",
                expected=f"the path of its {name.upper()}",
                hint="complete the line or remove it",
            )
    for name in FILE_COLUMNS:
        check_path(row.get(name, ""), f"{path}, line {number}, column {name}")
    return row
