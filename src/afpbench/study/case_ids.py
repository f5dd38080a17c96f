"""Which case ids are usable: they become names of folders, of files and of wildcards. Standard library only."""

import re

from ..base.errors import ConfigError

CASE_ID = re.compile(r"[A-Za-z0-9_-]+")


def check_id(case: str, where: str) -> str:
    """The id itself. where: what names it, for the message. Raises ConfigError for spaces, slashes, Unicode, none."""
    if CASE_ID.fullmatch(case):
        return case
    usable = re.sub(r"[^A-Za-z0-9_-]+", "_", case).strip("_") or "p01"
    raise ConfigError(
        f"{where}: not a usable case id",
        found=repr(case),
        expected="letters a to z, digits, '_' and '-': ids become names of folders and files",
        hint=f"give the case an id such as '{usable}' in a table (data.source: table)",
    )
