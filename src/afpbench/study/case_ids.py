"""Which case ids and paths are usable: they become folders, files and wildcards. Standard library only."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ..base.errors import ConfigError

CASE_ID = re.compile(r"[A-Za-z0-9_-]+")
WILDCARD = re.compile(r"\{\s*\w[^{}]*\}")  # what Snakemake takes for one


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


def check_unique(where: str, ids: Iterable[str]) -> None:
    """Refuse case ids that are given twice. where: what lists them, for the message. Raises ConfigError."""
    repeated = sorted(case for case, count in Counter(ids).items() if count > 1)
    if repeated:
        raise ConfigError(
            f"{where}: a case id stands there more than once",
            found=", ".join(repeated),
            expected="each id once",
            hint="give every case an id of its own, and list it once",
        )


def braces(path: str | Path) -> str:
    """The first word in braces in a path, which Snakemake would take for a wildcard; nothing where there is none."""
    match = WILDCARD.search(str(path))
    return match[0] if match else ""


def check_path(path: str | Path, where: str) -> None:
    """Refuse a path with a word in braces. where: what names it, for the message. Raises ConfigError."""
    if word := braces(path):
        raise ConfigError(
            f"{where}: not a usable path",
            found=f"{word} in {path}",
            expected="a path without a word in braces, as Snakemake takes it for a wildcard",
            hint="rename the file or the folder, or link to it under another name",
        )
