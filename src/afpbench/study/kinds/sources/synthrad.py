"""What the SynthRAD challenges share: a folder for each patient, whose name says region, task and centre."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from ....base.errors import ConfigError
from ..source import RootSource

PARENTS = ("Task1", "synthRAD2025_Task1_Train/Task1", ".")
ROLES = ("mr", "ct", "mask")


class SynthRad(RootSource):
    """Task 1 of a SynthRAD challenge, as its archives are laid out: MR, CT and the mask of the patient's outline, on
    one grid.

    regions: region -> its folder, and how the ids of its patients begin. ending: of the files.
    """

    columns: ClassVar[tuple[str, ...]] = ("centre",)
    absent: ClassVar[Mapping[str, str]] = {
        "mr": "SynthRAD has one MR for each patient, so that there are no channels; with MRs of your own beside it, "
        "name them by data.source 'folder'"
    }
    regions: ClassVar[Mapping[str, tuple[str, str]]] = {}
    ending: ClassVar[str] = ""

    def available(self) -> list[str]:
        """What is no patient's folder (`overview`) is passed over."""
        return sorted(entry.name for entry in self._region_folder().iterdir() if self._is_patient(entry))

    def files(self, case: str) -> dict[str, Path]:
        """A case that is not there has the paths that the archive gives it."""
        places = [folder / case for folder in self._folders]
        folder = next((place for place in places if place.is_dir()), places[0])
        return {role: folder / f"{role}{self.ending}" for role in ROLES}

    def column(self, name: str) -> dict[str, str]:
        """`centre`: the letter in the id."""
        if name not in self.columns:
            return super().column(name)
        return {case: case[-4] for case in self.available()}

    @cached_property
    def _folders(self) -> list[Path]:
        """Where the patients of the region may lie."""
        part, _ = self.regions[self.options["region"]]
        return [*(self.base_folder / parent / part for parent in PARENTS), self.base_folder]

    def _is_patient(self, entry: Path) -> bool:
        _, beginning = self.regions[self.options["region"]]
        return re.fullmatch(beginning + r"[A-E]\d{3}", entry.name) is not None and entry.is_dir()

    def _region_folder(self) -> Path:
        """The first folder that holds patients. Raises ConfigError where none does."""
        for folder in self._folders:
            if folder.is_dir() and any(self._is_patient(entry) for entry in folder.iterdir()):
                return folder
        base, (part, beginning) = self.base_folder, self.regions[self.options["region"]]
        raise ConfigError(
            f"data.root: no patients of {self.name}, region {self.options['region']}",
            found=f"{base} ({'a folder without them' if base.is_dir() else 'no such folder'})",
            expected=f"a folder that holds Task1/{part}/{beginning}A001/ with mr, ct and mask ({self.ending})",
            hint="unpack the archive of Task 1 there, or correct data.root",
        )
