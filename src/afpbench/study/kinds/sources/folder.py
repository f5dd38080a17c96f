"""A user's own pairs, found by the pattern of their names."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ....base.errors import ConfigError
from ... import channels
from ..source import CASES, DATA_ROOT, EXCLUDE, LABELS, RootSource
from .patterns import CASE, file_of, ids_of, need_folder

PATTERN: dict[str, Any] = {
    "type": ["string", "null"],
    "pattern": r"\{case\}",
    "x-allowed": "a path with {case} in it, such as '{case}/mr.nii.gz', or null",
}
OPTIONAL_PATTERN: dict[str, Any] = {**PATTERN, "default": None}
ROLES = {"ct": "ct", "mask": "mask", "label_map": "labels"}  # option -> role, beside the MR's


class Folder(RootSource):
    """Your own pairs in a folder, found by the pattern of their names."""

    name = "folder"
    label_maps = "data.label_map"
    required: ClassVar[tuple[str, ...]] = ("root", "ct")
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "root": DATA_ROOT,
        "mr": {
            **channels.schema_of(OPTIONAL_PATTERN, "Where that channel of the MR lies."),
            "default": None,
            "description": "Where the MR of a case lies below `root`. `{case}` stands for the id, `*` for any text "
            "without a slash. An MR of several channels has a pattern for each, by names that you choose; the CT is "
            "registered to the first. `null` if there is no MR: the CT's grid is the case's then, nothing is "
            "registered, and rows are files or the control `real_ct`.",
            "x-allowed": "a path with {case} in it, such as '{case}/mr.nii.gz', or one for each channel, such as "
            "{t1: '{case}/t1.nii.gz', t2: '{case}/t2.nii.gz'}, or null",
        },
        "ct": {
            **PATTERN,
            "description": "Where the CT of a case lies, in the same way. `null` if there is none, and no MR: a case "
            "is its `label_map` then, whose grid is the case's, and rows are label maps too (`synthetic: null`).",
        },
        "mask": {
            **OPTIONAL_PATTERN,
            "description": "Where the region of evaluation of a case lies, a mask on the grid of the MR (without MR of "
            "the CT, without CT of the label map); `null` if there is none, and the body is found in the images. Of "
            "label maps alone the whole volume counts then.",
        },
        "label_map": {
            **OPTIONAL_PATTERN,
            "description": "Where the label map of a case lies, on the CT's grid, for `labels: {kind: files}`, or in "
            "place of a CT; `null` if there is none.",
        },
        "cases": CASES,
        "exclude": EXCLUDE,
        "labels": LABELS,
    }

    @property
    def has_mr(self) -> bool:
        return bool(self.options.get("mr"))

    @property
    def has_ct(self) -> bool:
        return bool(self.options.get("ct"))

    @property
    def mr_channels(self) -> tuple[str, ...]:
        return channels.names_of(self.options.get("mr"))

    @property
    def _patterns(self) -> dict[str, tuple[str, str]]:
        """Role -> the option that names its pattern, and the pattern."""
        patterns = channels.by_role(self.options.get("mr"))
        places = [f"data.mr.{name}" for name in self.mr_channels] or ["data.mr"]
        found = {role: (place, pattern) for place, (role, pattern) in zip(places, patterns.items(), strict=False)}
        others = {role: (f"data.{option}", self.options.get(option)) for option, role in ROLES.items()}
        return found | {role: (place, pattern) for role, (place, pattern) in others.items() if pattern}

    def available(self) -> list[str]:
        need_folder(self.base_folder)
        if not self.has_ct and not self.options.get("label_map"):
            raise ConfigError(
                "data.ct: null, and no label map in its place",
                found="data.label_map: null",
                expected="data.ct, or data.label_map of cases without CT",
            )
        patterns = [self._patterns[role] for role in self.image_roles]
        cases = set().union(*(ids_of(pattern, self.base_folder, place) for place, pattern in patterns))
        if not cases:
            raise ConfigError(
                f"data.root: no case in {self.base_folder}",
                found=f"nothing that fits {' or '.join(pattern for _, pattern in patterns)}",
                expected=self._least,
                hint=f"correct data.root and these paths; {CASE} stands for the id, * for any text",
            )
        return sorted(cases)

    @property
    def _least(self) -> str:
        if not self.has_ct:
            return "at least one label map"
        return "at least one MR and its CT" if self.has_mr else "at least one CT"

    def files(self, case: str) -> dict[str, Path]:
        """A file that is not there keeps the pattern's path. Raises ConfigError where a pattern with * fits several."""
        hint = "list the cases in a table (data.source: table)"
        return {
            role: file_of(pattern, case, self.base_folder, place, hint)
            for role, (place, pattern) in self._patterns.items()
        }

    def problems(self) -> Iterable[str]:
        if self.has_label_files and not self.options["label_map"]:
            yield (
                f"{self.place}.label_map: missing; allowed: a path with {{case}} in it; hint: data.labels.kind is "
                "'files'"
            )
        if not self.has_ct:
            yield from (
                f"{self.place}.{option}: a case of label maps alone has none; found: {self.options[option]}; "
                "allowed: null; hint: or name the CTs by data.ct"
                for option in ("mr", "labels")
                if self.options.get(option)
            )
