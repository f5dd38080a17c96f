"""config/README.md, made of the study file's schema: `python -m afpbench.study.docs` writes it, `--check` compares."""

import argparse
import sys
from pathlib import Path

from ..base.atomic import write_text
from ..base.package import PROJECT
from . import messages
from . import schema as config_schema

README = PROJECT / "config" / "README.md"
INTRODUCTION = """# The study file

<!-- Made by `python -m afpbench.study.docs` from src/afpbench/study/schema.yaml and study/kinds/. -->

A study is one YAML file. `config.yaml` is the phantom study, `sts.yaml` one of real patients, `own_data.yaml` one to
start from with your own, `pelvis_synthrad2023.yaml` and `thorax_synthrad2025.yaml` those of public challenges,
`synthrad2025_winner.yaml` the winner's recipe beside the paper's rows, `registration_bias.yaml` what a registration
does to a ranking;
`snakemake --configfile FILE` runs another. `afpbench validate FILE` checks a file and says what it asks for,
without running anything; all problems are shown at once.

- **Names** (of tasks, variants, segmenters, ...) are made of letters, digits, `_` and `-`; they are also names of
  folders and columns. `ct` is reserved.
- **Axes**: three numbers are always in the order z, y, x. Units stand at the end of a key: `_mm`, `_hu`, `_gb`.
- **Relative paths** start from the folder where Snakemake runs.
- **Numbers**: YAML reads `1e-4` as text; write `1.0e-4` or `0.0001`.
- **Presets**: `presets` holds named parts of a task (and `runtime`), `preset` chooses one, `--config preset=NAME`
  another. A value is looked for first in the task, then in the preset, then in the defaults below. Lists are replaced,
  not joined. A preset's entries for segmenters, structures, variants and tables reach only tasks that have an entry
  of that name.
- **Inheritance**: where the default says *as ...*, a key left out takes that value. It works key by key:
  `training: {iterations: 100}` in a variant changes that and keeps the rest of the task's training.

In the tables, **required** has no default. `<...>` is a name that you choose.
"""


def render() -> str:
    """The whole text of config/README.md."""
    sections: list[str] = []
    _section(config_schema.study_schema(), "", "Top level", sections, {})
    return INTRODUCTION + "\n" + "\n".join(sections)


def main(arguments: list[str] | None = None) -> int:
    """Write config/README.md, or with --check say whether it is up to date (0) or not (1)."""
    parser = argparse.ArgumentParser(prog="python -m afpbench.study.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the file differs")
    parser.add_argument("--output", type=Path, default=README, help="the file (default: config/README.md)")
    options = parser.parse_args(arguments)
    text = render()
    if options.check:
        if options.output.is_file() and options.output.read_text(encoding="utf-8") == text:
            return 0
        print(f"{options.output} differs from the schema: run python -m afpbench.study.docs", file=sys.stderr)
        return 1
    write_text(options.output, text)
    return 0


def _section(schema: dict, path: str, title: str, sections: list[str], seen: dict[str, str]) -> None:
    """One heading with the table of its keys, then the sections below it; of a part with two forms, both."""
    if both := config_schema.forms(schema):
        (key,) = schema["if"]["required"]
        for one, heading in zip(both, (title, f"{title} with `{key}`"), strict=True):
            seen.setdefault(one.get("x-ref", ""), path)
            _section(one, path, heading, sections, seen)
        return
    lines = [f"## {title}", ""]
    introduction = schema.get("x-section") or schema.get("description")
    if introduction:
        lines += [introduction, ""]
    lines += ["| key | type | default | allowed | description |", "|---|---|---|---|---|"]
    below: list[tuple[dict, str, str]] = []
    branches = config_schema.branches(schema)
    for key, sub in schema.get("properties", {}).items():
        if "const" in sub:
            continue
        here = f"{path}.{key}" if path else key
        text = _text(sub)
        target, target_path = _target(sub, here)
        if target is not None:
            known = seen.get(target.get("x-ref", ""))
            if known:
                text += f" Keys: see `{known}`."
            else:
                if "x-ref" in target:
                    seen[target["x-ref"]] = target_path
                below.append((target, target_path, f"`{target_path}`"))
        lines.append(f"| `{key}` | {_type(sub)} | {_default(key, sub, schema)} | {_allowed(sub)} | {text} |")
    if not any(line.startswith("| `") for line in lines):
        lines = [*lines[:-2], "No further keys.", ""]
    text = "\n".join(lines).rstrip() + "\n"
    if text in sections:  # a part that several kinds share under one path
        return
    sections.append(text)
    tag = config_schema.tag_of(schema)
    for kind, branch in branches.items():
        _section(branch, path, f"`{path}` with `{tag}: {kind}`", sections, seen)
    for target, target_path, heading in below:
        _section(target, target_path, heading, sections, seen)


def _target(schema: dict, path: str) -> tuple[dict | None, str]:
    """The group of keys that a key leads to, directly, by free names or by list entries, and its path."""
    schema = config_schema.alternative(schema, {})
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        path += f".<{schema.get('x-name', 'name')}>"
        schema = schema["additionalProperties"]
    elif schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        path, schema = f"{path}[]", schema["items"]
    schema = config_schema.alternative(schema, {})
    return (schema, path) if "properties" in schema or config_schema.forms(schema) else (None, path)


def _text(schema: dict) -> str:
    text = schema.get("description", "")
    others = schema.get("additionalProperties")
    if isinstance(others, dict) and "properties" not in others and others.get("description"):
        text += f" Each: {others['description'][0].lower()}{others['description'][1:]}"
    return text.replace("|", "\\|")


def _type(schema: dict) -> str:
    if "oneOf" in schema:
        return " or ".join(_type(branch) for branch in schema["oneOf"])
    if "enum" in schema:
        return "choice"
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if types == ["object"] and isinstance(schema.get("additionalProperties"), dict):
        return f"group by {schema.get('x-name', 'name')}"
    names = {"object": "group", "array": "list", "string": "text", "integer": "whole number"}
    return " or ".join(names.get(name, str(name)) for name in types)


def _default(key: str, schema: dict, parent: dict) -> str:
    if "x-inherits" in schema:
        return f"as {schema['x-inherits']}"
    if "default" in schema:
        value = schema["default"]
        if value == {} and isinstance(schema.get("additionalProperties"), dict):
            return "none"
        if value == {}:
            return "each key's own"
        return f"`{as_yaml(value)}`"
    return "**required**" if key in parent.get("required", []) else ""


def as_yaml(value: object) -> str:
    """A default as one writes it in YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(as_yaml(item) for item in value) + "]"
    return '""' if value == "" else str(value)


def _allowed(schema: dict) -> str:
    if "enum" in schema:
        return ", ".join(f"`{item}`" for item in schema["enum"])
    if schema.get("type") == "object":
        return "names that you choose" if isinstance(schema.get("additionalProperties"), dict) else "the keys below"
    return messages.allowed_words(schema).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
