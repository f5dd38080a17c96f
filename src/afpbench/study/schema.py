"""The study file's schema: reading it, filling in defaults, and saying in one line what breaks it.

Imported when a study is planned: standard library, PyYAML and jsonschema only. The schema's own conventions
(`x-allowed`, `x-inherits`, tagged parts) are described at the top of src/afpbench/study/schema.yaml.
"""

import copy
import difflib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..base.errors import ConfigError

SCHEMA_PATH = Path(__file__).with_name("schema.yaml")
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


def study_schema() -> dict:
    """The whole schema with every `$ref` replaced by what it names and the branches of all kinds put in."""
    return _study_schema(_kinds())


def _kinds() -> tuple[type, ...]:
    """Every kind there is: a study with `extensions` has others than the one before, and so another schema."""
    from .kinds.registry import REGISTRIES

    return tuple(kind for registry in REGISTRIES.values() for kind in registry.classes().values())


@functools.lru_cache(maxsize=4)
def _study_schema(kinds: tuple[type, ...]) -> dict:
    from . import metrics
    from .kinds.registry import GENERATORS, LOSSES, NETWORKS, SEGMENTERS, SOURCES, TABLES

    raw = _read_yaml(SCHEMA_PATH)
    _put_kinds(raw["$defs"]["data"], SOURCES)
    _put_kinds(raw["$defs"]["segmenter"], SEGMENTERS)
    _put_kinds(raw["$defs"]["feature_network"], NETWORKS)
    _put_kinds(raw["$defs"]["generator"], GENERATORS)
    _put_kinds(raw["$defs"]["loss_term"], LOSSES)
    _put_kinds(raw["$defs"]["table"], TABLES)
    raw["$defs"]["column"]["properties"]["metric"] = {
        "description": metrics.description(),
        "enum": metrics.score_metrics(),
    }
    return _inline(raw, raw["$defs"])


def _put_kinds(part: dict, registry) -> None:
    """Put the branches of a registry's kinds into a tagged part, in place; one with a default is its tag's too."""
    tag = registry.base.TAG
    part["properties"][tag]["enum"] = registry.names()
    default = part["properties"][tag].get("default")
    part["allOf"] = [
        {
            "if": {"properties": {tag: {"const": name}}, **({} if name == default else {"required": [tag]})},
            "then": _without_tag(kind.schema(), tag) if name == default else kind.schema(),
        }
        for name, kind in registry.classes().items()
    ]


def inlined(part: dict) -> dict:
    """A part of a schema with every `$ref` to the study file's definitions replaced by what it names."""
    return _inline(part, _read_yaml(SCHEMA_PATH)["$defs"])


def _without_tag(schema: dict, tag: str) -> dict:
    """The branch of the kind that is the default: its tag may be left out."""
    return {**schema, "required": [key for key in schema["required"] if key != tag]}


def task_schema() -> dict:
    """The schema of one task."""
    return study_schema()["properties"]["tasks"]["additionalProperties"]


def preset_schema() -> dict:
    """The schema of a preset: that of a task and `runtime`, with nothing required and the keys of all kinds allowed."""
    return _preset_schema(_kinds())


@functools.lru_cache(maxsize=4)
def _preset_schema(kinds: tuple[type, ...]) -> dict:
    task, runtime = task_schema(), study_schema()["properties"]["runtime"]
    return _partial({**task, "properties": {**task["properties"], "runtime": runtime}})


def branches(schema: dict) -> dict[object, dict]:
    """The kinds of a tagged part: value of the tag -> schema. Empty for a part without kinds."""
    found = {}
    for rule in schema.get("allOf", []):
        ((_, condition),) = rule["if"]["properties"].items()
        found[condition["const"]] = rule["then"]
    return found


def tag_of(schema: dict) -> str | None:
    """The key whose value chooses the branch of a tagged part."""
    rules = schema.get("allOf", [])
    return next(iter(rules[0]["if"]["properties"])) if rules else None


def fill(schema: dict, value: object) -> object:
    """Put the schema's defaults into `value`, in place and all the way down. Returns it.

    Parts that inherit from elsewhere (`x-inherits`) are left as they are.
    """
    schema = alternative(schema, value)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for key, sub in properties.items():
            if key not in value and "default" in sub:
                value[key] = copy.deepcopy(sub["default"])
        others = schema.get("additionalProperties")
        for key, item in value.items():
            sub = properties.get(key, others)
            if isinstance(sub, dict) and "x-inherits" not in sub:
                fill(sub, item)
        branch = branches(schema).get(value.get(tag_of(schema)))
        if branch:
            fill(branch, value)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            fill(schema["items"], item)
    return value


def alternative(schema: dict, value: object) -> dict:
    """The alternative of a `oneOf` that is for groups of keys if `value` is one; otherwise the schema itself."""
    groups = [branch for branch in schema.get("oneOf", []) if branch.get("type") == "object"]
    return groups[0] if groups and isinstance(value, dict) else schema


def problems(schema: dict, value: object, where: str = "") -> list[tuple[list, str]]:
    """Everything in `value` that breaks the schema, as (path, line), in the order of the file.

    Keys must be text (see `odd_keys`).
    """
    from jsonschema import Draft202012Validator

    found = []
    for error in Draft202012Validator(schema).iter_errors(value):
        path = list(error.absolute_path)
        found += [(path, line) for line in _lines(error, _join(where, path)) if (path, line) not in found]
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


def _read_yaml(path: Path) -> dict:
    import yaml

    if not path.is_file():
        raise ConfigError(
            f"the study file's schema is missing: {path}",
            hint="run afpbench from a whole copy of the repository, installed with `pip install --editable .`",
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)


def _inline(node: Any, definitions: dict) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _inline(item, definitions) for key, item in node.items() if key != "$defs"}
    reference = node.pop("$ref", None)
    if reference:
        name = reference.rsplit("/", 1)[1]
        definition = _inline(definitions[name], definitions)
        node = {**definition, "x-ref": name, "x-section": definition.get("description", ""), **node}
    return node


def _partial(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_partial(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kinds = branches(schema)
    if kinds and tag_of(schema) != "term":
        merged: dict = {}
        for branch in kinds.values():
            for key, sub in branch["properties"].items():
                # A key that differs between kinds is checked where the preset meets a task.
                merged[key] = _partial(sub) if key not in merged else {}
        merged[tag_of(schema)] = schema["properties"][tag_of(schema)]
        return {"type": "object", "additionalProperties": False, "properties": merged}
    return {key: _partial(item) for key, item in schema.items() if key not in ("required", "minProperties")} | (
        {"required": ["term"]} if tag_of(schema) == "term" else {}
    )


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
    value, expected, schema = error.instance, error.validator_value, error.schema
    kind = error.validator
    if kind == "oneOf":
        return _lines_of_alternatives(error, where)
    if kind == "additionalProperties":
        allowed = list(schema.get("properties", {}))
        unknown = [key for key in value if key not in allowed]
        prefix = "" if where == "the study file" else f"{where}."
        return [f"{prefix}{k}: unknown key; allowed: {', '.join(allowed)}{nearest(k, allowed)}" for k in unknown]
    if kind == "required":
        missing = [key for key in expected if key not in value and error.message.startswith(repr(key))]
        return [_missing(where, key, schema) for key in missing]
    if kind == "enum":
        return [not_among(where, value, expected)]
    if kind == "type":
        return [
            f"{where}: wrong type; found: {shown(value)}; allowed: {allowed_words(schema)}{_number_hint(value, schema)}"
        ]
    if kind == "uniqueItems":
        doubled = next(item for i, item in enumerate(value) if item in value[:i])
        return [f"{where}: given twice: {shown(doubled)}; hint: remove one of the two"]
    if "propertyNames" in error.absolute_schema_path:
        return [f"{where}: not a usable name; found: {shown(value)}; allowed: {allowed_words(schema)}"]
    return [f"{where}: not allowed; found: {shown(value)}; allowed: {allowed_words(schema)}"]


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


def _number_hint(text: object, schema: dict) -> str:
    """What to write for a number that YAML has read as text: `1e-4` needs a point, and the exponent a sign."""
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if not isinstance(text, str) or not {"number", "integer"} & set(types):
        return ""
    try:
        number = float(text)
    except ValueError:
        return ""
    if number.is_integer() and abs(number) < 1e15:
        return f"; hint: YAML reads this as text; write {int(number)}"
    mantissa, _, exponent = text.lower().partition("e")
    if exponent:
        mantissa += "" if "." in mantissa else ".0"
        exponent = exponent if exponent[0] in "+-" else f"+{exponent}"
        return f"; hint: YAML reads this as text; write {mantissa}e{exponent}"
    return "; hint: YAML reads this as text; write it without quotes"


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
