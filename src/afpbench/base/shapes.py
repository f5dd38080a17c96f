"""What JSON that was read must hold, so that a damaged file is told by its key and not by a traceback later."""

import math
from collections.abc import Mapping
from typing import Any

NUMBER = (int, float)
COUNT = (int,)
_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", dict: "keys", list: "a list"}

Shape = type | tuple[type, ...] | list | Mapping[str, Any]


def mismatch(content: object, shape: Shape, place: str = "") -> str | None:
    """The first thing that is wrong with JSON, in words with its place (`cases[2].status is missing`); None if none is.

    shape: a type or several (`bool` is no number, and a number is finite); `[shape]`, a list of such; or key -> shape,
    where a key with a `?` at its end may be absent and keys that are not named may be anything.
    """
    if isinstance(shape, Mapping):
        return _of_keys(content, shape, place)
    if isinstance(shape, list):
        if not isinstance(content, list):
            return _other(content, [list], place)
        found = (mismatch(item, shape[0], f"{place}[{index}]") for index, item in enumerate(content))
        return next(filter(None, found), None)
    types = shape if isinstance(shape, tuple) else (shape,)
    fits = isinstance(content, types) and not (isinstance(content, bool) and bool not in types)
    if fits and isinstance(content, float) and not math.isfinite(content):
        return f"{place or 'the whole'} is {content}"
    return None if fits else _other(content, types, place)


def _of_keys(content: object, shape: Mapping[str, Any], place: str) -> str | None:
    if not isinstance(content, dict):
        return _other(content, [dict], place)
    for key, inner in shape.items():
        name, where = key.removesuffix("?"), f"{place}.{key}".lstrip(".").removesuffix("?")
        if name in content:
            problem = mismatch(content[name], inner, where)
        else:
            problem = None if key.endswith("?") else f"{where} is missing"
        if problem:
            return problem
    return None


def _other(content: object, types, place: str) -> str:
    found = "null" if content is None else _WORDS.get(type(content), type(content).__name__)
    wanted = dict.fromkeys("null" if kind is type(None) else _WORDS.get(kind, kind.__name__) for kind in types)
    words = "a number" if "a number" in wanted and len(wanted) == 2 else " or ".join(wanted)
    return f"{place or 'the whole'} is {found} instead of {words}"
