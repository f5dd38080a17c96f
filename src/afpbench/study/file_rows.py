"""Synthetic CTs and label maps that lie in files, whoever made them. Standard library only: planning reads it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base import formats
from ..base.errors import ConfigError, one_line
from .kinds.source import normal
from .kinds.sources.patterns import CASE, file_of
from .messages import nearest


class FileRow:
    """One variant with `synthetic`. No seed and no fold trains it: its cases are matched by id alone.

    options: its entry in the study file, completed. root: the folder that relative paths start from. place: where the
    entry stands in the study file.
    """

    def __init__(self, options: Mapping[str, Any], root: Path, place: str = "synthetic"):
        self.options = options
        self.place = place
        fixed, self._pattern = _split(options["synthetic"])
        self.folder = normal(Path(root), fixed)

    @property
    def resample(self) -> bool:
        """Whether images on another grid are brought onto the case's."""
        return bool(self.options["resample"])

    def file(self, case: str) -> Path:
        """The file of a case, or the folder of its DICOM files; it need not be there.

        Raises ConfigError where a pattern with `*` fits several, and for a path that Snakemake cannot take.
        """
        written = self.options["synthetic"]
        return file_of(self._pattern, case, self.folder, self.place, "move the others away", written)

    def existing(self, cases: Iterable[str]) -> list[str]:
        """The files of these cases that are there: what a rule that reads them depends on."""
        return [str(path) for path in map(self.file, cases) if path.exists()]

    def problems(self, cases: Sequence[str]) -> Iterator[str]:
        """A line for what no run could mend: no such folder, several files of one case."""
        if not self.folder.is_dir():
            yield f"{self.place}: no such folder; found: '{self.folder}'; hint: correct the path before {CASE}"
            return
        for case in cases:
            try:
                self.file(case)
            except ConfigError as error:
                yield one_line(error)

    def missing(self, cases: Sequence[str]) -> Iterator[str]:
        """A line for each of these cases that has no file, with what lies beside it."""
        for case in cases:
            try:
                path = self.file(case)
            except ConfigError:  # problems has said so
                continue
            if self.folder.is_dir() and not path.exists():
                yield f"{self.place}: case {case}: no such file; found: {beside(path)}; expected: '{path}'"


def beside(path: Path) -> str:
    """In words, what lies where a file is missing: its name with another ending, or the nearest one."""
    names = sorted(other.name for other in path.parent.iterdir()) if path.parent.is_dir() else []
    same = [name for name in names if formats.stem(Path(name)) == formats.stem(path)]
    if same:
        return f"{', '.join(same)}, of another ending"
    near = nearest(path.name, names).removeprefix("; did you mean ").removesuffix("?")
    return f"{near}, of another name" if near else "nothing like it"


def _split(pattern: str) -> tuple[str, str]:
    """The folder before the first part with `{case}` or `*`, and what follows."""
    parts = Path(pattern).parts
    first = next(index for index, part in enumerate(parts) if CASE in part or "*" in part)
    return str(Path(*parts[:first])), "/".join(parts[first:])
