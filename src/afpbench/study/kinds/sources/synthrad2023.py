"""SynthRAD2023: downloaded and unpacked, or from a folder."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from ....base.errors import ConfigError
from ..source import CASES, EXCLUDE, LABELS
from .synthrad import ROLES, SynthRad

PELVIS = Path(__file__).with_name("synthrad2023_pelvis.txt")


@cache
def synthrad2023_pelvis() -> tuple[str, ...]:
    """The ids of the 180 patients of SynthRAD2023, Task 1, pelvis (training set), as its archive has them."""
    return tuple(PELVIS.read_text(encoding="utf-8").split())


class SynthRad2023(SynthRad):
    """SynthRAD2023, Task 1 (MR to CT; Thummerer et al. 2023, CC BY-NC 4.0). Pairs are aligned and have a mask."""

    name = "synthrad2023"
    aligned = True
    citation = "Thummerer et al., SynthRAD2023 Grand Challenge dataset, Medical Physics 50: 4664, 2023"
    regions: ClassVar[Mapping[str, tuple[str, str]]] = {"pelvis": ("pelvis", "1P"), "brain": ("brain", "1B")}
    ending = ".nii.gz"
    required: ClassVar[tuple[str, ...]] = ("region",)
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "region": {"description": "The part of the body.", "enum": list(regions)},
        "root": {
            "description": "Folder that holds `Task1/pelvis/1PA001/`, or `Task1` or `pelvis` itself. `null` downloads "
            "the archive (14.5 GB) and unpacks the pelvis into `download_dir`.",
            "type": ["string", "null"],
            "default": None,
        },
        "cases": CASES,
        "exclude": EXCLUDE,
        "labels": LABELS,
        "url": {
            "description": "Address of the dataset's record, from which size and checksum of the archive are taken; "
            "`null` means the public record on Zenodo.",
            "type": ["string", "null"],
            "default": None,
        },
        "download_dir": {
            "description": "Folder for the downloaded archive and the unpacked patients, relative to the working "
            "directory. It may be filled by hand.",
            "type": "string",
            "minLength": 1,
            "default": "resources/synthrad2023",
        },
    }

    @property
    def base_folder(self) -> Path:
        return self.path(self.options["root"]) if self.options["root"] else self.download_folder

    @property
    def download_folder(self) -> Path:
        return self.path(self.options["download_dir"])

    def needs_download(self, case: str) -> bool:
        return not self.options["root"]

    def available(self) -> list[str]:
        """The ids are known before the archive is there, of the pelvis only."""
        if self.options["root"]:
            return super().available()
        if self.options["region"] == "pelvis":
            return list(synthrad2023_pelvis())
        raise ConfigError(
            "data.root: missing",
            found=f"region {self.options['region']}, of which the ids are not known before the archive is unpacked",
            expected="the folder into which Task1.zip was unpacked",
            hint="only the region pelvis is downloaded by itself",
        )

    def members(self, case: str) -> list[str]:
        """The names of a case's files in the archive of Task 1."""
        part, _ = self.regions[self.options["region"]]
        return [f"Task1/{part}/{case}/{role}{self.ending}" for role in ROLES]
