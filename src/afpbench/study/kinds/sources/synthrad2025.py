"""SynthRAD2025, from a folder."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ..source import CASES, EXCLUDE, LABELS
from .synthrad import SynthRad


class SynthRad2025(SynthRad):
    """SynthRAD2025, Task 1 (MR to CT), as its archives are laid out. Pairs have a mask and are aligned rigidly only:
    `registration.method` is `synthrad2025` unless the study says otherwise."""

    name = "synthrad2025"
    registration = "synthrad2025"
    regions: ClassVar[Mapping[str, tuple[str, str]]] = {
        "abdomen": ("AB", "1AB"),
        "head_neck": ("HN", "1HN"),
        "thorax": ("TH", "1TH"),
    }
    ending = ".mha"
    required: ClassVar[tuple[str, ...]] = ("region", "root")
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "region": {"description": "The part of the body.", "enum": list(regions)},
        "root": {
            "description": "Folder that holds `Task1/TH/1THA001/`, or `Task1` or `TH` itself, relative to the working "
            "directory.",
            "type": "string",
            "minLength": 1,
        },
        "cases": CASES,
        "exclude": EXCLUDE,
        "labels": LABELS,
    }
