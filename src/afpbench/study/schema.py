"""The study file's schema: reading it, and filling in defaults.

Imported when a study is planned: standard library, PyYAML and jsonschema only. The schema's own conventions
(`x-allowed`, `x-inherits`, tagged parts) are described at the top of src/afpbench/study/schema.yaml.
"""

import copy
import functools
from pathlib import Path
from typing import Any

from ..base.errors import ConfigError

PRESET_KEYS = ("runtime", "seeds")  # of a study, that a preset may have beside those of a task
SCHEMA_PATH = Path(__file__).with_name("schema.yaml")


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
    """The schema of a preset: that of a task, `runtime` and `seeds`; nothing is required, and all kinds' keys count."""
    return _preset_schema(_kinds())


@functools.lru_cache(maxsize=4)
def _preset_schema(kinds: tuple[type, ...]) -> dict:
    task, study = task_schema(), study_schema()["properties"]
    return _partial({**task, "properties": task["properties"] | {key: study[key] for key in PRESET_KEYS}})


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
    schema = form(alternative(schema, value), value)
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


def forms(schema: dict) -> tuple[dict, ...]:
    """The forms of a part that has two, the usual one first; () for any other part."""
    return (schema["else"], schema["then"]) if "else" in schema else ()


def form(schema: dict, value: object) -> dict:
    """The form of a part of two that a value has, by the key that tells; otherwise the schema itself."""
    if not forms(schema):
        return schema
    (key,) = schema["if"]["required"]
    return schema["then" if isinstance(value, dict) and key in value else "else"]


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
        if name not in definitions:
            raise ConfigError("no such $ref", found=reference, expected=f"#/$defs/ and {', '.join(definitions)}")
        definition = _inline(definitions[name], definitions)
        node = {**definition, "x-ref": name, "x-section": definition.get("description", ""), **node}
    return node


def _partial(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_partial(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if both := forms(schema):
        properties = {key: _partial(sub) for one in both for key, sub in one["properties"].items()}
        return {"type": "object", "additionalProperties": False, "properties": properties}
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
