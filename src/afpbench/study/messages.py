"""What breaks a study file, or another file with a schema, in one line each: where, found, allowed, the nearest key.

Imported when a study is planned: standard library and jsonschema only.
"""

import difflib
from collections.abc import Iterator

from .numbers import not_finite, number_hint

TYPE_NAMES = {
    "object": "a group of keys",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def nearest(word: object, allowed) -> str:
    """`; did you mean 'x'?` for the allowed word nearest to `word`, or nothing where none is near."""
    close = difflib.get_close_matches(str(word), [str(a) for a in allowed], n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def not_among(where: str, found: object, allowed, what: str = "") -> str:
    """The line for a value that is not one of a list: where, found, allowed, nearest."""
    allowed = [str(a) for a in allowed]
    listed = ", ".join(allowed) if allowed else "none"
    return f"{where}: {what or 'not allowed'}; found: {shown(found)}; allowed: {listed}{nearest(found, allowed)}"


def shown(value: object) -> str:
    """A value as a message shows it: text in quotes, groups and lists shortened."""
    if isinstance(value, dict):
        return "a group of keys" if value else "an empty group"
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def allowed_words(schema: dict) -> str:
    """The allowed values of a schema in words: its type, choices and limits."""
    if "x-allowed" in schema:
        return schema["x-allowed"]
    if "enum" in schema:
        return ", ".join(str(item) for item in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "oneOf" in schema:
        return " or ".join(allowed_words(branch) for branch in schema["oneOf"])
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    words = " or ".join(TYPE_NAMES[name] for name in types) or "any value"
    limits = []
    for key, text in (
        ("minimum", "at least {}"),
        ("exclusiveMinimum", "above {}"),
        ("maximum", "at most {}"),
        ("exclusiveMaximum", "below {}"),
    ):
        if key in schema:
            limits.append(text.format(schema[key]))
    if "items" in schema and "enum" in schema["items"]:
        limits.append("of " + ", ".join(map(str, schema["items"]["enum"])))
    for key, noun in (("minItems", "entries"), ("minProperties", "keys")):
        if schema.get(key) == 1:
            limits.append("not empty")
        elif key in schema:
            limits.append(f"at least {schema[key]} {noun}")
    if schema.get("minLength"):
        limits.append("not empty")
    return f"{words} {', '.join(limits)}".strip()


def problems(schema: dict, value: object, where: str = "") -> list[tuple[list, str]]:
    """Everything in `value` that breaks the schema, as (path, line), in the order of the file.

    Keys must be text (see `odd_keys`).
    """
    from jsonschema import Draft202012Validator

    found = []
    for error in Draft202012Validator(schema).iter_errors(value):
        path = list(error.absolute_path)
        found += [(path, line) for line in _lines(error, _join(where, path)) if (path, line) not in found]
    for path, number in not_finite(value):
        found.append((path, f"{_join(where, path)}: not a finite number; found: {shown(number)}"))
    return sorted(found, key=lambda item: _position(value, item[0]))


def odd_keys(value: object, where: str = "") -> Iterator[str]:
    """A line for each key that YAML read as something other than text, such as 1, true (yes, no, on, off), a date."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(value, dict) and not isinstance(key, str):
            place = where or "the study file"
            yield f"{place}: a key must be text; found: {str(key).lower()}; hint: write it in quotes"
        else:
            yield from odd_keys(item, _join(where, [key]))


def _join(where: str, path: list) -> str:
    for step in path:
        where += f"[{step}]" if isinstance(step, int) else f".{step}" if where else str(step)
    return where or "the study file"


def _position(value: object, path: list) -> list[int]:
    """Sort key: the place of a path in the file."""
    place = []
    for step in path:
        if isinstance(value, dict):
            keys = list(value)
            place.append(keys.index(step) if step in keys else len(keys))
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            place.append(step)
            value = value[step]
    return place


def _lines(error, where: str) -> list[str]:
    """The line or lines that say what one error of jsonschema is about."""
    return _LINES.get(error.validator, _other_lines)(error, where)


def _other_lines(error, where: str) -> list[str]:
    what = "not a usable name" if "propertyNames" in error.absolute_schema_path else "not allowed"
    return [f"{where}: {what}; found: {shown(error.instance)}; allowed: {allowed_words(error.schema)}"]


def _unknown_keys(error, where: str) -> list[str]:
    allowed = list(error.schema.get("properties", {}))
    prefix = "" if where == "the study file" else f"{where}."
    unknown = [key for key in error.instance if key not in allowed]
    absent = error.schema.get("x-absent", {})
    return [_unknown_key(key, prefix, allowed, absent.get(key, "")) for key in unknown]


def _unknown_key(key: str, prefix: str, allowed: list[str], why: str = "") -> str:
    """why: there is no such key here, where people look for it."""
    hint = f"; hint: {why}" if why else nearest(key, allowed)
    return f"{prefix}{key}: unknown key; allowed: {', '.join(allowed)}{hint}"


def misspelt(key: str, schema: dict, value: dict) -> list[str]:
    """The lines of unknown keys that are nearest to this one, where the schema's part has not got it."""
    allowed = list(schema["properties"])
    unknown = [name for name in value if name not in allowed and key not in value]
    meant = [name for name in unknown if difflib.get_close_matches(str(name), allowed, n=1) == [key]]
    return [_unknown_key(name, "", allowed) for name in meant]


def _missing_keys(error, where: str) -> list[str]:
    keys = [key for key in error.validator_value if key not in error.instance]
    return [_missing(where, key, error.schema) for key in keys if error.message.startswith(repr(key))]


def _wrong_choice(error, where: str) -> list[str]:
    return [not_among(where, error.instance, error.validator_value)]


def _wrong_type(error, where: str) -> list[str]:
    value, schema = error.instance, error.schema
    hint = number_hint(value, schema)
    return [f"{where}: wrong type; found: {shown(value)}; allowed: {allowed_words(schema)}{hint}"]


def _given_twice(error, where: str) -> list[str]:
    value = error.instance
    doubled = next(item for i, item in enumerate(value) if item in value[:i])
    return [f"{where}: given twice: {shown(doubled)}; hint: remove one of the two"]


def _lines_of_alternatives(error, where: str) -> list[str]:
    """The problems inside the one alternative whose type fits, or that no type fits."""
    per_branch: dict[int, list] = {}
    for sub in error.context:
        per_branch.setdefault(sub.relative_schema_path[0], []).append(sub)
    for subs in per_branch.values():
        if not any(sub.validator == "type" and not sub.relative_path for sub in subs):
            return [line for sub in subs for line in _lines(sub, _join(where, list(sub.relative_path)))]
    allowed = allowed_words(error.schema)
    return [f"{where}: wrong type; found: {shown(error.instance)}; allowed: {allowed}"]


def _missing(where: str, key: str, schema: dict) -> str:
    place = key if where == "the study file" else f"{where}.{key}"
    sub = schema.get("properties", {}).get(key, {})
    return f"{place}: missing; allowed: {allowed_words(sub)}"


_LINES = {
    "oneOf": _lines_of_alternatives,
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "enum": _wrong_choice,
    "type": _wrong_type,
    "uniqueItems": _given_twice,
}
