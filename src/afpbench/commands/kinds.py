"""`afpbench list`: what there is to choose from, with options and what to cite."""

import argparse
import textwrap
from collections.abc import Iterator
from typing import Any

from ..base.errors import ConfigError
from ..study import docs, messages, schema
from ..study.kinds.kind import Kind
from ..study.kinds.lookup import Registry
from ..study.kinds.registry import REGISTRIES, use_extensions
from ..study.load import read_study
from .arguments import add_study

WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `afpbench list`."""
    parser.add_argument("group", choices=list(REGISTRIES), help="what to list")
    parser.add_argument("name", nargs="?", help="only this one")
    add_study(parser, required=False, position=False, words="a study file, whose `extensions` are listed too")


def run(options: argparse.Namespace) -> int:
    """Print the kinds of a group."""
    if options.study is not None:
        study = read_study(options.study)
        use_extensions(study.get("extensions") or [] if isinstance(study, dict) else [], options.root)
    registry = REGISTRIES[options.group]
    names = registry.names()
    if options.name is not None:
        if options.name not in names:
            raise ConfigError(messages.not_among(options.group, options.name, names))
        names = [options.name]
    print("\n\n".join("\n".join(described(registry, name)) for name in names))
    return 0


def described(registry: Registry[Any], name: str) -> Iterator[str]:
    """The lines that say what a kind is: description, options, origin, citation."""
    kind: type[Kind] = registry[name]
    yield f"{name}"
    yield from _wrapped(kind.description(), 4)
    branch = schema.inlined(kind.schema())
    for key, option in branch["properties"].items():
        if key != kind.TAG:
            yield f"    {key}: {_value(key, option, branch)}"
            yield from _wrapped(option.get("description", ""), 8)
    if kind.citation:
        yield from _wrapped(f"cite: {kind.citation}", 4)
    if (origin := registry.origin(name)) != "built in":
        yield f"    from: {origin}"


def _value(key: str, option: dict[str, Any], branch: dict[str, Any]) -> str:
    """The default of an option, or that it is required, and what is allowed."""
    if "x-inherits" in option:
        default = f"as {option['x-inherits']}"
    elif "default" in option:
        default = docs.as_yaml(option["default"])
    else:
        default = "required" if key in branch["required"] else "no default"
    return f"{default} ({messages.allowed_words(option)})"


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent)
