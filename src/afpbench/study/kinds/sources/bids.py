"""A user's own pairs in the Brain Imaging Data Structure (https://bids.neuroimaging.io)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ....base.errors import ConfigError
from ...case_ids import check_id, check_path
from ..source import CASES, DATA_ROOT, EXCLUDE, LABELS, NAME, RootSource
from .patterns import find, need_folder

ENTITIES: dict[str, Any] = {
    "type": "object",
    "default": {},
    "propertyNames": NAME,
    "x-name": "entity",
    "additionalProperties": {"description": "Its value.", "type": "string"},
}


class Bids(RootSource):
    """Your own pairs in a BIDS folder. A case is a subject (`sub-01`) or, where there are sessions, a session
    (`sub-01_ses-02`).
    """

    name = "bids"
    required: ClassVar[tuple[str, ...]] = ("root",)
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "root": DATA_ROOT,
        "mr_suffix": {
            "description": "Suffix of the MR's file name.",
            "type": "string",
            "minLength": 1,
            "default": "T1w",
        },
        "mr_entities": {
            **ENTITIES,
            "description": "Entities that the MR's file name must have, for example `{acq: ute}`, where a subject has "
            "several.",
        },
        "ct_suffix": {
            "description": "Suffix of the CT's file name.",
            "type": "string",
            "minLength": 1,
            "default": "ct",
        },
        "ct_entities": {**ENTITIES, "description": "Entities that the CT's file name must have."},
        "cases": CASES,
        "exclude": EXCLUDE,
        "labels": LABELS,
    }

    def available(self) -> list[str]:
        """The ids that have an MR or a CT."""
        base, options = self.base_folder, self.options
        need_folder(base)
        found = {case for role in ("mr", "ct") for case, _ in self._images(role, "sub-*")}
        if not found:
            raise ConfigError(
                f"data.root: no case in {base}",
                found=f"no sub-*/ with a file *_{options['mr_suffix']}.nii.gz or *_{options['ct_suffix']}.nii.gz",
                expected="a BIDS folder: sub-01/[ses-01/]<type>/sub-01_[..._]<suffix>.nii.gz",
                hint="correct data.root, data.mr_suffix and data.ct_suffix",
            )
        return sorted(check_id(case, f"data.root: {base}") for case in found)

    def files(self, case: str) -> dict[str, Path]:
        """Raises ConfigError where there is not exactly one MR and one CT."""
        files = {}
        for role in ("mr", "ct"):
            found = sorted(path for name, path in self._images(role, case.split("_")[0]) if name == case)
            if len(found) != 1:
                raise ConfigError(
                    f"case {case}: {'no' if not found else 'more than one'} {role.upper()} in the BIDS folder",
                    found=", ".join(path.name for path in found) or "none",
                    expected=f"one file *_{self.options[f'{role}_suffix']}.nii.gz",
                    hint=f"choose by data.{role}_suffix and data.{role}_entities (such as {{acq: ute}}), "
                    "or leave the case out with data.exclude",
                )
            check_path(found[0], f"case {case}: {role.upper()}")
            files[role] = found[0]
        return files

    def _images(self, role: str, subject: str) -> Iterator[tuple[str, Path]]:
        """(case, path) of every image of a subject (`sub-*`: of all) with the suffix and entities of the role."""
        suffix, entities = self.options[f"{role}_suffix"], self.options[f"{role}_entities"]
        for level in (f"{subject}/*", f"{subject}/ses-*/*"):
            for ending in (".nii.gz", ".nii"):
                for name in find(self.base_folder, f"{level}/{subject}_*{suffix}{ending}"):
                    path = self.base_folder / name
                    words = path.name.removesuffix(ending).split("_")
                    pairs = dict(word.split("-", 1) for word in words[:-1] if "-" in word)
                    if words[-1] == suffix and all(pairs.get(key) == value for key, value in entities.items()):
                        session = f"_ses-{pairs['ses']}" if "ses" in pairs else ""
                        yield f"sub-{pairs.get('sub', '')}{session}", path
