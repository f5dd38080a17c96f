"""What a schema cannot see of a results folder: that it is another study's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...base.errors import UnusableFile
from ..paths import StudyPaths
from ..records import read_record


def other_study(study: Mapping[str, Any], root: Path) -> list[str]:
    """A line where the last run that wrote into the folder had none of this study's tasks."""
    try:
        there = read_record(root / StudyPaths(study["results"]).contents)["tasks"]
    except UnusableFile:  # no study was run there, or `afpbench status` says what is damaged
        return []
    if not there or set(there) & set(study["tasks"]):
        return []
    return [
        f"results: '{study['results']}' holds the results of another study (tasks: {', '.join(there)}), whose "
        "report.html this one overwrites; hint: a folder of its own, such as results: results/my_study"
    ]
