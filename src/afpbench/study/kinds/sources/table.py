"""A user's own pairs, in a table."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ... import channels
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
        "mr": {
            **channels.schema_of({"type": "string", "minLength": 1}, "The column of that channel."),
            "default": "mr",
            "description": "The column of the MR. An MR of several channels has a column for each (and one for each "
            "with `_series` behind it), by names that you choose; the CT is registered to the first.",
            "x-allowed": "the name of a column, or one for each channel, such as {t1: mr_t1, t2: mr_t2}",
        },
        "roi": ROI,
        "cases": CASES,
        "exclude": EXCLUDE,
        "labels": LABELS,
    }

    @cached_property
    def rows(self) -> CaseTable:
        """The table. Raises ConfigError where it cannot be read."""
        return read_table(self.path(self.options["table"]), channels.by_role(self.options["mr"]))

    @property
    def mr_channels(self) -> tuple[str, ...]:
        return channels.names_of(self.options["mr"])

    def available(self) -> list[str]:
        return list(self.rows.rows)

    def files(self, case: str) -> dict[str, Path]:
        return self.rows.files(case)

    def series(self, case: str) -> dict[str, str]:
        return self.rows.series(case)

    def column(self, name: str) -> dict[str, str]:
        return self.rows.column(name)
