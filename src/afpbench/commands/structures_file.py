"""The structures file of `afpbench metrics`: read and checked as study files are."""

from pathlib import Path

from ..base.errors import ConfigError
from ..study import load, messages

_LABELS = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1},
    "minItems": 1,
    "uniqueItems": True,
    "x-allowed": "a list of whole numbers from 1 on, such as [1, 2]",
}
_GROUP = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "labels": _LABELS,
        "exclude": _LABELS,
        "tolerance_mm": {"type": "number", "exclusiveMinimum": 0},
        "tree": {"type": "boolean"},
    },
    "x-allowed": "a group of labels, exclude, tolerance_mm, tree",
}
SCHEMA = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"minLength": 1},
    "additionalProperties": {"oneOf": [_LABELS, _GROUP]},
    "x-allowed": "at least one `name: [labels]`",
}


def read_structures(path: Path) -> dict[str, dict]:
    """name -> {labels, exclude, tolerance_mm, tree}, of which only what the file gives is there.

    Raises ConfigError with all problems at once: a missing file, broken YAML, a name or key given twice, an unknown
    key, a wrong type.
    """
    content = load.read_study(path, "structures file")
    name = path.name
    if not isinstance(content, dict) or not content:
        raise _error(path, [f"{name}: found: {messages.shown(content)}; allowed: {SCHEMA['x-allowed']}"])
    lines = list(messages.odd_keys(content, name)) or [line for _, line in messages.problems(SCHEMA, content)]
    if lines:
        raise _error(path, lines)
    groups = {name: {"labels": entry} if isinstance(entry, list) else entry for name, entry in content.items()}
    return {name: {key: _whole(value) for key, value in group.items()} for name, group in groups.items()}


def _whole(value: object) -> object:
    """Labels as integers: 1.0 is a whole number to the schema."""
    return [int(label) for label in value] if isinstance(value, list) else value


def _error(path: Path, lines: list[str]) -> ConfigError:
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return ConfigError("\n  ".join([f"the structures file {path} has {count}:", *lines]))
