"""Patients with soft-tissue sarcomas: on this machine, or downloaded."""

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from ... import channels
from ..source import CASES, EXCLUDE, Source, normal

REAL_DATA_VARIABLE = "AFPBENCH_REAL_DATA"
REAL_DATA_DEFAULT = "../shared/real"
FILES = Path(__file__).with_name("sts_files.tsv")
T1 = "MR_T1_image.nii.gz"
ROLES = {
    "mr": T1,
    "ct": "CT_image.nii.gz",
    "mr_contour": "MR_T1_mask.nii.gz",
    "ct_contour": "CT_mask.nii.gz",
}


@dataclass(frozen=True)
class RemoteFile:
    """One file of the public repository: its path there, size in bytes and sha256."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def case(self) -> str:
        return self.path.split("/")[-2]

    @property
    def name(self) -> str:
        return self.path.split("/")[-1]


@lru_cache(maxsize=1)
def sts_files() -> tuple[RemoteFile, ...]:
    """The files of the soft-tissue-sarcoma patients in the public repository `theibsi/data_sets`."""
    with open(FILES, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return tuple(RemoteFile(row["path_in_repository"], int(row["bytes"]), row["sha256"]) for row in rows)


def real_data_folder(root: Path) -> Path:
    """The folder of real inputs: what AFPBENCH_REAL_DATA names, else a sibling folder of the project."""
    return normal(root, os.environ.get(REAL_DATA_VARIABLE) or REAL_DATA_DEFAULT)


class Sts(Source):
    """Paired CT and T1-weighted MR of patients with soft-tissue sarcomas of the limbs (TCIA)."""

    name = "sts"
    citation = (
        "Vallières et al., A radiomics model from joint FDG-PET and MRI texture features for the prediction of lung "
        "metastases in soft-tissue sarcomas of the extremities, Physics in Medicine and Biology 60: 5471, 2015"
    )
    required: ClassVar[tuple[str, ...]] = ("labels",)
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "root": {
            "description": "Folder that holds the patients' folders (`STS_001`, ...). `null` means, for each patient, "
            "the folder `sts` below the one that the environment variable `AFPBENCH_REAL_DATA` names (unset: "
            "`../shared/real`) where the patient lies there, else `download_dir`.",
            "type": ["string", "null"],
            "default": None,
        },
        "mr": {
            **channels.schema_of({"type": "string", "minLength": 1}, "The file or DICOM folder of that channel."),
            "default": T1,
            "description": "The file of the MR in a patient's folder, or its folder of DICOM files. The public copies "
            "hold T1 alone. The collection (TCIA) has fat-suppressed T2 or STIR too: laid beside T1 in a `root` of "
            "your own, the two are channels, by names that you choose; the CT is registered to the first.",
            "x-allowed": "a name in the patient's folder, or one for each channel, such as "
            "{t1: MR_T1_image.nii.gz, t2: MR_T2_image.nii.gz}",
        },
        "cases": {
            **CASES,
            "description": "The patients to use; `null` means all.",
            "x-allowed": "a list of patients such as [STS_001, STS_002], or null",
        },
        "exclude": {
            **EXCLUDE,
            "description": "Patients to leave out.",
            "x-allowed": "a list of patients such as [STS_001, STS_002]",
        },
        "labels": {"$ref": "#/$defs/labels"},
        "url": {
            "description": "Address to download from; `null` means the public repository at the pinned commit. "
            "Checksums are checked in either case.",
            "type": ["string", "null"],
            "default": None,
        },
        "download_dir": {
            "description": "Folder for downloaded files, relative to the working directory. It may be filled by hand.",
            "type": "string",
            "minLength": 1,
            "default": "resources/sts",
        },
    }

    def available(self) -> list[str]:
        return sorted({file.case for file in sts_files()})

    def files(self, case: str) -> dict[str, Path]:
        folder, mr = self.case_folder(case), channels.by_role(self.options["mr"])
        return {role: folder / name for role, name in {**ROLES, **mr}.items()}

    @property
    def mr_channels(self) -> tuple[str, ...]:
        return channels.names_of(self.options["mr"])

    def problems(self) -> Iterable[str]:
        """A channel that nobody downloads lies in a folder of the user's own."""
        yield from super().problems()
        downloaded = sorted({file.name for file in sts_files()})
        places = [f"mr.{name}" for name in self.mr_channels] or ["mr"]
        for place, name in zip(places, channels.by_role(self.options["mr"]).values(), strict=True):
            if not self.options["root"] and name not in downloaded:
                yield (
                    f"{self.place}.{place}: not among the files of the public copies, which hold T1 alone; found: "
                    f"'{name}'; allowed: {', '.join(downloaded)}; hint: lay the file into each patient's folder beside "
                    "the others, and name the folder of the patients by data.root"
                )

    def case_folder(self, case: str) -> Path:
        """In `data.root` where that is given, else in the folder of real data (variable AFPBENCH_REAL_DATA) where the
        case lies there, else in the download folder."""
        if self.options["root"]:
            return self.path(self.options["root"]) / case
        local = real_data_folder(self.root) / "sts" / case
        return local if local.is_dir() else self.download_folder / case

    @property
    def download_folder(self) -> Path:
        return self.path(self.options["download_dir"])

    def needs_download(self, case: str) -> bool:
        return self.case_folder(case).parent == self.download_folder
