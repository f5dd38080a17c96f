"""The paper's published numbers of Tables 1 to 6, as data (published.csv beside this file).

Rows are keyed by the variant names that the shipped studies use (`nnunet_l1`, `nnunet_afp_navi`, ...), columns by
metric and structure. `bold` and `asterisk` are as printed: in Table 2 the paper prints two NSDs of mucus in bold.
Table 4's columns are costs without a standard deviation. The paper's HD95 supplement is not among its pages.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ..base.errors import ConfigError


@dataclass(frozen=True)
class PublishedValue:
    """One printed cell. sd: None where none is printed. decimals: as printed."""

    mean: float
    sd: float | None
    decimals: int
    bold: bool
    asterisk: bool


@dataclass(frozen=True)
class PublishedTable:
    """labels: variant -> the row's name in the paper. values: (variant, metric, structure) -> cell."""

    key: str
    labels: dict[str, str]
    values: dict[tuple[str, str, str], PublishedValue]


@cache
def published_tables() -> dict[str, PublishedTable]:
    """table key (`table1` ... `table6`) -> the published numbers."""
    tables: dict[str, PublishedTable] = {}
    source = resources.files(__package__).joinpath("published.csv")
    for entry in csv.DictReader(source.read_text(encoding="utf-8").splitlines()):
        table = tables.setdefault(entry["table"], PublishedTable(entry["table"], {}, {}))
        table.labels[entry["variant"]] = entry["label"]
        table.values[entry["variant"], entry["metric"], entry["structure"]] = PublishedValue(
            float(entry["mean"]),
            float(entry["sd"]) if entry["sd"] else None,
            int(entry["decimals"]),
            entry["bold"] == "1",
            entry["asterisk"] == "1",
        )
    return tables


def published_table(key: str) -> PublishedTable:
    """One published table. Raises ConfigError for an unknown key."""
    tables = published_tables()
    if key not in tables:
        raise ConfigError(f"published: no such table of the paper: {key}", expected=", ".join(tables))
    return tables[key]
