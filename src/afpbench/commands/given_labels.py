"""Label maps that a user of `afpbench evaluate` has: the values in them, and the structures that are made of these."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import AfpbenchError, ConfigError
from ..base.log import logger
from ..study.kinds.sources import open_source
from ..volumes.labels import read_labels
from .structures_file import read_structures


@dataclass(frozen=True)
class Group:
    """The values of a structure, and what else a structures file says of it."""

    labels: Sequence[int]
    more: Mapping[str, Any]

    def entry(self) -> dict[str, Any]:
        """As the study file has it, but for the segmenter."""
        return {"classes": [name_of(value) for value in self.labels], **self.more}


def name_of(value: int) -> str:
    """The class of a value, in the study file."""
    return f"label_{value}"


def given_structures(
    pattern: str, named: Mapping[str, Sequence[str]], file: Path | None, failed_cases: str
) -> dict[str, Group]:
    """The structures by name: those of the file, else those named, else each value that occurs in a real label map.

    pattern: of the real label maps. named: structure -> values, as text. failed_cases: `stop`, or `exclude`, which
    passes over a label map that cannot be read.
    """
    if file is None and named:
        return {name: Group([_value(text) for text in group], {}) for name, group in named.items()}
    if file is None:
        return {name_of(value): Group([value], {}) for value in _values(pattern, failed_cases)}
    groups = read_structures(file)
    every = _values(pattern, failed_cases) if any("labels" not in group for group in groups.values()) else []
    return {name: _of_file(group, every) for name, group in groups.items()}


def files_of(pattern: str) -> Iterator[tuple[str, Path]]:
    """(case, file or folder of DICOM files) of an absolute pattern, by case."""
    source = open_source({"source": "folder", "root": "/", "ct": pattern.lstrip("/")}, Path("/"))
    for case in source.cases():
        yield case, source.files(case)["ct"]


def _of_file(group: Mapping[str, Any], every: Sequence[int]) -> Group:
    without = set(group.get("exclude", ()))
    labels = [value for value in group.get("labels", every) if value not in without]
    return Group(labels, {key: group[key] for key in ("tolerance_mm", "tree") if key in group})


def _values(pattern: str, failed_cases: str) -> list[int]:
    """The values over 0 in the label maps of all cases: what the first one lacks counts too."""
    found: set[int] = set()
    for case, path in files_of(pattern):
        try:
            found |= set(np.unique(read_labels(path, f"case {case}: label map").array).tolist())
        except AfpbenchError as error:
            if failed_cases == "stop":
                raise
            logger.warning("%s", error)
    return sorted(found - {0})


def _value(text: str) -> int:
    if not text.strip().isdecimal():
        raise ConfigError("afpbench evaluate: --structure: no value of a label map", found=text, expected="NAME=1,2")
    return int(text)
