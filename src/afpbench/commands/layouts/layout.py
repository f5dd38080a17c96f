"""What was recognised in a folder, and what only the user can decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...base.errors import AfpbenchError, ConfigError, one_line
from ...study import channels
from ...study.kinds.sources import open_source
from .mr import Chosen

SHOWN = 8
NONE = "none"


@dataclass(frozen=True)
class Asked:
    """What the user said: the source, and which pattern (of BIDS: which suffix, of a table: which column) is the MR,
    the CT, ...; else None. mr: one, or one for each of its channels by name."""

    source: str | None = None
    mr: Chosen | None = None
    ct: str | None = None
    mask: str | None = None
    label_map: str | None = None

    def of(self, role: str) -> Chosen | None:
        return {"mr": self.mr, "ct": self.ct, "mask": self.mask, "label_map": self.label_map}[role]


@dataclass(frozen=True)
class Layout:
    """A way to read a folder. data: the study file's section. words: what it is, for people."""

    words: str
    data: Mapping[str, Any]
    others: Sequence[str] = ()  # what lies there and is not used


@dataclass
class Questions:
    """What is ambiguous, each line with the options that decide it."""

    lines: list[str] = field(default_factory=list)

    def ask(self, what: str, choices: Sequence[str]) -> None:
        self.lines.append("\n      ".join([what, *choices[:SHOWN], *(["..."] if len(choices) > SHOWN else [])]))

    def check(self, folder: Path) -> None:
        """Raises ConfigError where something was asked."""
        if self.lines:
            raise ConfigError(
                f"afpbench init: {folder} can be read in several ways; nothing was written",
                found="\n    ".join(["", *self.lines]),
                expected="one of the options under each question",
            )


def whole_cases(data: Mapping[str, Any], root: Path) -> tuple[list[str], dict[str, str]]:
    """The cases of a source whose files are all there, and why each other one cannot be used."""
    source, broken = open_source(data, root), {}
    cases = source.cases()
    for case in cases:
        try:
            absent = [role for role, path in source.files(case).items() if not path.exists()]
        except AfpbenchError as error:
            broken[case] = one_line(error)
        else:
            if absent:
                broken[case] = f"no {' and no '.join(_called(role, source.mr_channels) for role in absent)}"
    return [case for case in cases if case not in broken], broken


def _called(role: str, names: Sequence[str]) -> str:
    """A role as people know it: of several channels the channel's own name."""
    return channels.title(role, names) if names and channels.is_mr(role) else role
