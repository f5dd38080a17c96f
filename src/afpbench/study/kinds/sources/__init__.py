"""The built-in data sources, and how a `data` section of a study file becomes one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..registry import SOURCES
from ..source import Source


def open_source(data: Mapping[str, Any], root: Path) -> Source:
    """The source of a `data` section, its defaults filled in; a job may leave out what it does not need.

    root: the folder that relative paths start from. Raises ConfigError for a source that there is not.
    """
    kind = SOURCES[data.get("source", "")]
    return kind({**kind.defaults(), **data}, root=root)
