"""A user's own pairs, found by the pattern of their names."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ....base.errors import ConfigError
from ..source import CASES, DATA_ROOT, EXCLUDE, LABELS, RootSource
from .patterns import CASE, file_of, ids_of, need_folder

PATTERN: dict[str, Any] = {
    "type": "string",
    "pattern": r"\{case\}",
    "x-allowed": "a path with {case} in it, such as '{case}/mr.nii.gz'",
}
OPTIONAL_PATTERN: dict[str, Any] = {
    "default": None,
    "type": ["string", "null"],
    "pattern": r"\{case\}",
    "x-allowed": "a path with {case} in it, such as '{case}/mr.nii.gz', or null",
}
ROLES = {"mr": "mr", "ct": "ct", "mask": "mask", "label_map": "labels"}  # option -> role


class Folder(RootSource):
    """Your own pairs in a folder, found by the pattern of their names."""

    name = "folder"
    label_maps = "data.label_map"
    required: ClassVar[tuple[str, ...]] = ("root", "ct")
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "root": DATA_ROOT,
        "mr": {
            **OPTIONAL_PATTERN,
            "description": "Where the MR of a case lies below `root`. `{case}` stands for the id, `*` for any text "
            "without a slash. `null` if there is none: the CT's grid is the case's then, nothing is registered, and "
            "rows are files or the control `real_ct`.",
        },
        "ct": {**PATTERN, "description": "Where the CT of a case lies, in the same way."},
        "mask": {
            **OPTIONAL_PATTERN,
            "description": "Where the region of evaluation of a case lies, a mask on the grid of the MR (without MR of "
            "the CT); `null` if there is none, and the body is found in the images.",
        },
        "label_map": {
            **OPTIONAL_PATTERN,
            "description": "Where the label map of a case lies, on the CT's grid, for `labels: {kind: files}`; `null` "
            "if there is none.",
        },
        "cases": CASES,
        "exclude": EXCLUDE,
        "labels": LABELS,
    }

    @property
    def has_mr(self) -> bool:
        return bool(self.options.get("mr"))

    @property
    def _images(self) -> tuple[str, ...]:
        return ("mr", "ct") if self.has_mr else ("ct",)

    def available(self) -> list[str]:
        need_folder(self.base_folder)
        cases = set().union(*(ids_of(self.options[role], self.base_folder, f"data.{role}") for role in self._images))
        if not cases:
            raise ConfigError(
                f"data.root: no case in {self.base_folder}",
                found=f"nothing that fits {' or '.join(self.options[role] for role in self._images)}",
                expected="at least one MR and its CT" if self.has_mr else "at least one CT",
                hint=f"correct data.root, data.mr and data.ct; {CASE} stands for the id, * for any text",
            )
        return sorted(cases)

    def files(self, case: str) -> dict[str, Path]:
        """A file that is not there keeps the pattern's path. Raises ConfigError where a pattern with * fits several."""
        hint = "list the cases in a table (data.source: table)"
        return {
            role: file_of(self.options[option], case, self.base_folder, f"data.{option}", hint)
            for option, role in ROLES.items()
            if self.options.get(option)
        }

    def problems(self) -> Iterable[str]:
        if self.has_label_files and not self.options["label_map"]:
            yield (
                f"{self.place}.label_map: missing; allowed: a path with {{case}} in it; hint: data.labels.kind is "
                "'files'"
            )
