"""A user's own pairs in the Brain Imaging Data Structure (https://bids.neuroimaging.io)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ....base.errors import ConfigError
from ... import channels
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
CHANNEL: dict[str, Any] = {
    "description": "How the file of that channel is named.",
    "type": "object",
    "additionalProperties": False,
    "required": ["suffix"],
    "properties": {
        "suffix": {"description": "Suffix of the file name.", "type": "string", "minLength": 1},
        "entities": {**ENTITIES, "description": "Entities that the file name must have, as `{echo: '1'}`."},
    },
}


class Bids(RootSource):
    """Your own pairs in a BIDS folder. A case is a subject (`sub-01`) or, where there are sessions, a session
    (`sub-01_ses-02`).
    """

    name = "bids"
    required: ClassVar[tuple[str, ...]] = ("root",)
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "root": DATA_ROOT,
        "mr": {
            "description": "The channels of an MR that has several, by names that you choose, each with the `suffix` "
            "of its file name and, where needed, the `entities` in it; the CT is registered to the first. `null` for "
            "an MR of one image, which `mr_suffix` and `mr_entities` choose.",
            "x-allowed": "two channels or more, such as {t1: {suffix: T1w}, t2: {suffix: T2w, entities: {acq: tse}}}, "
            "or null",
            "default": None,
            "oneOf": [
                {
                    "type": "object",
                    "minProperties": 2,
                    "propertyNames": NAME,
                    "x-name": "channel",
                    "x-allowed": "two channels or more by name",
                    "additionalProperties": CHANNEL,
                },
                {"type": "null"},
            ],
        },
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

    @property
    def mr_channels(self) -> tuple[str, ...]:
        return channels.names_of(self.options["mr"])

    @property
    def _named(self) -> dict[str, tuple[str, dict[str, str], str]]:
        """Role of an image -> suffix and entities of its file, and where the study file says so."""
        found = {
            role: (named["suffix"], named.get("entities", {}), f"data.mr.{name}.suffix and .entities")
            for name, (role, named) in zip(self.mr_channels, channels.by_role(self.options["mr"]).items(), strict=True)
        }
        for role in ("mr", "ct"):
            place = f"data.{role}_suffix and data.{role}_entities"
            found.setdefault(role, (self.options[f"{role}_suffix"], self.options[f"{role}_entities"], place))
        return found

    def available(self) -> list[str]:
        """The ids that have an MR or a CT."""
        base = self.base_folder
        need_folder(base)
        found = {case for role in self.image_roles for case, _ in self._images(role, "sub-*")}
        if not found:
            suffixes = dict.fromkeys(self._named[role][0] for role in self.image_roles)
            raise ConfigError(
                f"data.root: no case in {base}",
                found=f"no sub-*/ with a file {' or '.join(f'*_{suffix}.nii.gz' for suffix in suffixes)}",
                expected="a BIDS folder: sub-01/[ses-01/]<type>/sub-01_[..._]<suffix>.nii.gz",
                hint="correct data.root, data.mr_suffix and data.ct_suffix",
            )
        return sorted(check_id(case, f"data.root: {base}") for case in found)

    def files(self, case: str) -> dict[str, Path]:
        """Raises ConfigError where there is not exactly one file for each channel of the MR and for the CT."""
        files = {}
        for role in self.image_roles:
            what = channels.title(role, self.mr_channels) if channels.is_mr(role) else role.upper()
            suffix, _, place = self._named[role]
            found = sorted(path for name, path in self._images(role, case.split("_")[0]) if name == case)
            if len(found) != 1:
                raise ConfigError(
                    f"case {case}: {'no' if not found else 'more than one'} {what} in the BIDS folder",
                    found=", ".join(path.name for path in found) or "none",
                    expected=f"one file *_{suffix}.nii.gz",
                    hint=f"choose by {place} (such as {{acq: ute}}), or leave the case out with data.exclude",
                )
            check_path(found[0], f"case {case}: {what}")
            files[role] = found[0]
        return files

    def _images(self, role: str, subject: str) -> Iterator[tuple[str, Path]]:
        """(case, path) of every image of a subject (`sub-*`: of all) with the suffix and entities of the role."""
        suffix, entities, _ = self._named[role]
        for level in (f"{subject}/*", f"{subject}/ses-*/*"):
            for ending in (".nii.gz", ".nii"):
                for name in find(self.base_folder, f"{level}/{subject}_*{suffix}{ending}"):
                    path = self.base_folder / name
                    words = path.name.removesuffix(ending).split("_")
                    pairs = dict(word.split("-", 1) for word in words[:-1] if "-" in word)
                    if words[-1] == suffix and all(pairs.get(key) == value for key, value in entities.items()):
                        session = f"_ses-{pairs['ses']}" if "ses" in pairs else ""
                        yield f"sub-{pairs.get('sub', '')}{session}", path
