"""Label maps that lie in files."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ....base.errors import ConfigError
from ...file_rows import FileRow
from ..segmenter import Segment, Segmenter

PATTERN: dict[str, Any] = {
    "type": "string",
    "pattern": r"\{case\}",
    "x-allowed": "a path with {case} in it, such as 'theirs/{case}.nii.gz'",
}


class LabelFiles(Segmenter):
    """Label maps that lie in files, whoever made them, on the grid of each case. Rows without label maps, other than
    the control `real_ct`, cannot be evaluated by it.
    """

    name = "files"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "real": {
            **PATTERN,
            "description": "Where the label map of a case's real CT lies. `{case}` stands for the case's id, `*` for "
            "any text without a slash; relative to the working directory.",
        },
        "synthetic": {
            "description": "Where those of the rows lie, in the same way, by row.",
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"$ref": "#/$defs/name"},
            "x-name": "variant",
            "additionalProperties": {**PATTERN, "description": "Where the label maps of that row lie."},
        },
        "classes": {
            "description": "The values that structures may name. Others may occur.",
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"$ref": "#/$defs/name"},
            "x-name": "class",
            "additionalProperties": {
                "description": "Its value in the label maps.",
                "type": "integer",
                "minimum": 1,
                "maximum": 255,
            },
        },
    }
    required = ("real", "synthetic", "classes")

    def class_values(self) -> dict[str, int]:
        return dict(self.options["classes"])

    def known_values(self) -> dict[str, int]:
        return {}

    def model_folder(self, fold_folder: str) -> str:
        return ""

    def inputs(self, fold_folder: str) -> list[str]:
        return []

    def label_files(self, root: Path) -> dict[str, FileRow]:
        given = {"ct": ("real", self.options["real"])}
        given |= {row: (f"synthetic.{row}", pattern) for row, pattern in self.options["synthetic"].items()}
        place = self.place if self._task is not None else f"segmenters.{self.entry}"
        return {
            image: FileRow({"synthetic": pattern, "resample": False}, root, f"{place}.{key}")
            for image, (key, pattern) in given.items()
        }

    def open(self, folder: Path, device: str, threads: int) -> Segment:
        """There is no network to be opened: jobs read `label_files`."""
        raise ConfigError(
            f"the segmenter '{self.entry or self.name}' has the label maps of its files and makes no others",
            expected="a segmenter with weights",
        )

    def problems(self) -> Iterable[str]:
        """Every row has label maps, and is one whose images lie in files; losses cannot use it."""
        if not any(structure["segmenter"] == self.entry for structure in self.task.options["structures"].values()):
            return
        rows = [*self.task.options["variants"], *self.task.options["controls"]]
        given = self.options["synthetic"]
        for row in rows:
            if row != "real_ct" and row not in given:
                yield f"{self.place}.synthetic: no label maps of the row '{row}'; hint: add them, or remove the row"
        from_files = [*self.task.file_rows, *self.task.label_rows]
        for row in given:
            if row not in from_files:
                yield (
                    f"{self.place}.synthetic.{row}: no such row from files; allowed: {', '.join(from_files) or 'none'}"
                )
