"""A results folder as a viewer may read it: what lies inside, by no link that leads out."""

import os
from pathlib import Path

from ..base.errors import ConfigError, DataError
from ..study.paths import StudyPaths
from ..study.records import read_contents


class ResultsFolder:
    """The folder of a study's results, read only.

    path: the folder, made absolute, its own links followed. contents: as study.plan.contents has them.
    """

    def __init__(self, path: Path, contents: dict | None = None):
        """contents: of the study file; None: the folder's own record is read. Raises ConfigError or UnusableFile."""
        self.path = Path(os.path.realpath(path))
        if not self.path.is_dir():
            raise ConfigError(
                f"no results folder {path}",
                found="nothing" if not path.exists() else "no folder",
                expected="the folder that `results` in the study file names",
                hint="run the study first, or correct the path",
            )
        self.paths = StudyPaths(self.path.as_posix())
        self.contents = contents or self._read()

    def inside(self, path: str | Path) -> Path:
        """The path itself, of a regular file below the folder that no symbolic link is on the way to.

        Raises DataError for anything else.
        """
        path = Path(path)
        steps = path.relative_to(self.path).parts if path.is_relative_to(self.path) else ("..",)
        found = "a path out of it" if ".." in steps else ""
        for depth in range(len(steps)):
            if not found and self.path.joinpath(*steps[: depth + 1]).is_symlink():
                found = f"a link: {'/'.join(steps[: depth + 1])}"
        if found or not path.is_file():
            raise DataError(
                f"not shown: {path}",
                found=found or "no file",
                expected="a file inside the results folder",
                hint="copy the file there in place of the link" if found.startswith("a link") else "",
            )
        return path

    def _read(self) -> dict:
        record = Path(self.paths.contents)
        if not record.exists():
            raise ConfigError(
                f"the results folder {self.path} does not say what it holds",
                found=f"no {record.name}, which a run writes when it starts",
                expected="the results of a study",
                hint="give the study file instead: afpbench view STUDY.yaml",
            )
        return read_contents(record)
