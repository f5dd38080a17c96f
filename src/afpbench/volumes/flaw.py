"""What is wrong with a file, before it is known which case it belongs to."""

from pathlib import Path

from ..base.errors import DataError


class Flaw(Exception):
    """What was found in a file, what was expected, and what to do about that cause. title: the kind of fault."""

    def __init__(self, found: str, expected: str, hint: str, title: str = "cannot read"):
        super().__init__(found)
        self.found, self.expected, self.hint, self.title = found, expected, hint, title

    def error(self, what: str, path: str | Path) -> DataError:
        """The error that names the case and the file. what: with the case ("case p01: MR")."""
        return DataError(f"{what}: {self.title}: {path}", found=self.found, expected=self.expected, hint=self.hint)
