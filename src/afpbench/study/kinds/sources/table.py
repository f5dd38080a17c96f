"""A user's own pairs, in a table."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ..source import CASES, EXCLUDE, LABELS, Source
from .case_table import CaseTable, read_table

ROI: dict[str, Any] = {
    "description": "Name of the structure to take from an RTSTRUCT, `*` for any text, such as `GTV*`; `null` where "
    "each has one only.",
    "type": ["string", "null"],
    "default": None,
}


class Table(Source):
    """Your own pairs, listed in a table - one line per case with its id, its files, and any columns to split by."""

    name = "table"
    label_maps = "the table's column `labels`"
    required: ClassVar[tuple[str, ...]] = ("table",)
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "table": {
            "description": "The table: tab-separated with a header line (comma-separated where the name ends in "
            "`.csv`). Columns `case`, `mr`, `ct`; optional `mask` (region of evaluation, on the MR's grid), `labels` "
            "(label map on the CT's grid), `mr_contour`, `ct_contour`, `mr_series`, `ct_series` (SeriesInstanceUID, "
            "where a DICOM folder holds several); any others. An image may be a folder of DICOM files, a mask or "
            "contour an RTSTRUCT. Paths in it start from the table's folder.",
            "type": "string",
            "minLength": 1,
        },
        "roi": ROI,
        "cases": CASES,
        "exclude": EXCLUDE,
        "labels": LABELS,
    }

    @cached_property
    def rows(self) -> CaseTable:
        """The table. Raises ConfigError where it cannot be read."""
        return read_table(self.path(self.options["table"]))

    def available(self) -> list[str]:
        return list(self.rows.rows)

    def files(self, case: str) -> dict[str, Path]:
        return self.rows.files(case)

    def series(self, case: str) -> dict[str, str]:
        row = self.rows.rows[case]
        return {role: row[f"{role}_series"] for role in ("mr", "ct") if row.get(f"{role}_series")}

    def column(self, name: str) -> dict[str, str]:
        return self.rows.column(name)
