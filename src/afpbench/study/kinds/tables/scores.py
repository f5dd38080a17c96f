"""The table of scores."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ..table import PUBLISHED, Table


class Scores(Table):
    """Metrics of the test cases, mean ± SD."""

    name = "scores"
    implementation = "afpbench.tables.scores:score_files"
    required = ("columns",)
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "columns": {
            "description": "The columns, from left to right.",
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/column"},
            "x-allowed": "a list of columns",
        },
        "published": PUBLISHED,
    }

    def columns(self) -> list[dict[str, Any]]:
        return list(self.options["columns"])
