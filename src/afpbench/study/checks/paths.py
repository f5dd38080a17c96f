"""Paths in a study file that Snakemake would not take as they stand. Standard library only."""

from collections.abc import Iterator

from ..case_ids import braces

# Keys whose values are paths of the user's, wherever they stand in a task.
PATH_KEYS = {"root", "table", "download_dir", "folder", "weights", "path", "parameter_files", "model"}
PATTERN_KEYS = {"mr", "ct", "mask", "label_map", "mr_contour", "ct_contour", "labels", "transforms", "synthetic"}
BY_NAME = {"mr", "synthetic"}  # of them those that may hold a pattern for each name: of a channel, of a row
CASE = "{case}"


def check_paths(where: str, part: object) -> list[str]:
    """A line for each path with a word in braces other than the `{case}` of a pattern. part: of the study file."""
    return [
        f"{place}: a word in braces; found: {text!r}; allowed: paths without, as Snakemake takes `{word}` for a "
        "wildcard; hint: rename the file or folder, or link to it"
        for place, text, word in _paths(where, part)
    ]


def _paths(where: str, part: object, key: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(part, dict):
        for name, value in part.items():
            yield from _paths(f"{where}.{name}", value, key if key in BY_NAME else str(name))
    elif isinstance(part, list):
        for item in part:
            yield from _paths(where, item, key)
    elif isinstance(part, str):
        text = part if key in PATH_KEYS else part.replace(CASE, "") if key in PATTERN_KEYS else ""
        if word := braces(text):
            yield where, part, word
