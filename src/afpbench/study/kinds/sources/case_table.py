"""A table of cases: one line each with its id, its files, and any column to split by. Standard library only."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ....base.errors import ConfigError
from ...case_ids import check_id, check_path

OPTIONAL = ("mask", "labels", "mr_contour", "ct_contour")  # columns and roles of files
PLAIN = {"mr": "mr"}


@dataclass(frozen=True)
class CaseTable:
    """rows: case id -> column -> text, in the order of the file. Paths in it start from the table's folder.

    images: role of an image -> its column.
    """

    path: Path
    columns: tuple[str, ...]
    rows: dict[str, dict[str, str]]
    images: dict[str, str]

    def files(self, case: str) -> dict[str, Path]:
        """Role -> path of the files that the case's line names."""
        row = self.rows[case]
        columns = {**self.images, **{role: role for role in OPTIONAL}}
        return {role: self.path.parent / row[column] for role, column in columns.items() if row.get(column)}

    def series(self, case: str) -> dict[str, str]:
        """Role -> SeriesInstanceUID, of the images whose line names one, in the column `<image>_series`."""
        row = self.rows[case]
        named = {role: row.get(f"{column}_series", "") for role, column in self.images.items()}
        return {role: uid for role, uid in named.items() if uid}

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


def read_table(path: Path, mr: Mapping[str, str] = PLAIN) -> CaseTable:
    """Read a table: tab-separated, or comma-separated where the name ends in .csv; UTF-8, a header line.

    mr: role -> column, of the MR or its channels. Columns: `case`, `ct`, those of the MR, optionally `mask`, `labels`,
    `mr_contour`, `ct_contour`, and any others.
    Raises ConfigError for a missing or broken table, a missing column or value, an unusable or repeated id.
    """
    path, images = Path(path), (*mr.items(), ("ct", "ct"))
    try:
        stat = path.stat()
    except OSError as error:
        raise ConfigError(
            f"cannot read the table of cases {path}",
            found=error.strerror,
            expected="a text file with the columns " + ", ".join(_required(images)),
            hint="correct data.table; relative paths start from the folder where Snakemake runs",
        ) from error
    return _read(path, images, stat.st_mtime_ns, stat.st_size)


def _required(images: tuple[tuple[str, str], ...]) -> list[str]:
    """The columns that a table must have."""
    return ["case", *(column for _, column in images)]


@lru_cache(maxsize=8)
def _read(path: Path, images: tuple[tuple[str, str], ...], mtime_ns: int, size: int) -> CaseTable:
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
    _check_header(path, header, _required(images))
    rows: dict[str, dict[str, str]] = {}
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not any(value.strip() for value in line):
            continue
        row = _row(path, number, header, line, dict(images))
        case = row["case"]
        if case in rows:
            raise ConfigError(
                f"{path}: two lines have one case id",
                found=f"'{case}' in lines {first_line[case]} and {number}",
                expected="each id once",
                hint="give every pair its own id, for example with the visit in it",
            )
        rows[case], first_line[case] = row, number
    return CaseTable(path, tuple(header), rows, dict(images))


def _check_header(path: Path, header: list[str], required: list[str]) -> None:
    missing = [name for name in required if name not in header]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if missing or repeated:
        raise ConfigError(
            f"{path}: the first line does not name the columns",
            found=", ".join(header) or "an empty file",
            expected="each column once, among them " + ", ".join(required),
            hint="columns are parted by tabs (by commas in a .csv)",
        )


def _row(path: Path, number: int, header: list[str], line: list[str], images: Mapping[str, str]) -> dict[str, str]:
    if len(line) != len(header):
        raise ConfigError(
            f"{path}, line {number}: another number of columns than the first line",
            found=f"{len(line)} values",
            expected=f"{len(header)}: {', '.join(header)}",
            hint="part values by one tab (by one comma in a .csv); leave a value that is not there empty",
        )
    row = {name: value.strip() for name, value in zip(header, line, strict=True)}
    check_id(row["case"], f"{path}, line {number}")
    for role, column in images.items():
        if not row[column]:
            what = role.upper() if column == role else column
            raise ConfigError(
                f"{path}, line {number}: case {row['case']} has no {what}",
                found="an empty value",
                expected=f"the path of its {what}",
                hint="complete the line or remove it",
            )
    for name in (*images.values(), *OPTIONAL):
        check_path(row.get(name, ""), f"{path}, line {number}, column {name}")
    return row
