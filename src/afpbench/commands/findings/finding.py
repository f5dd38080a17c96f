"""One thing found out about an installation."""

from dataclasses import dataclass

LEVELS = ("ok", "note", "problem")  # from good to bad


@dataclass(frozen=True)
class Finding:
    """A line of `afpbench doctor`.

    level: `ok`; `note`, to be known, a study runs all the same; `problem`, to be mended first. subject: what was looked
    at, in a word. text: what was found. hint: what to do, where there is something to do.
    """

    level: str
    subject: str
    text: str
    hint: str = ""

    def line(self) -> str:
        """The finding as text."""
        return f"{self.level:<8} {self.subject:<12} {self.text}" + (f"; hint: {self.hint}" if self.hint else "")
