"""What a class must keep to be used as a kind: options that can stand in a schema, methods that are written.

It is looked at when a class of a user's own is read; those built in have a test. Standard library and jsonschema only.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...base.errors import ConfigError, one_line
from .. import schema as config_schema
from ..messages import TYPE_NAMES, nearest, shown
from .kind import Kind

OTHER_KEYWORDS = {"$ref", "title", "description", "default", "examples", "deprecated", "then", "else", "$comment"}
PYTHON_TYPES = {"float": "number", "int": "integer", "str": "string", "bool": "boolean", "list": "array",
                "tuple": "array", "dict": "object", "None": "null"}  # fmt: skip


class ExtensionError(ConfigError):
    """Files or classes of a user's own that cannot be used. problems: one error for each."""

    def __init__(self, problems: Sequence[ConfigError]):
        self.problems = list(problems)
        super().__init__("\n".join(map(str, problems)))


def check_class(cls: type[Kind], base: type[Kind], where: str) -> None:
    """Refuse a class that could not be used. base: its group's. where: its file or module, for messages.

    Raises ExtensionError with a line for each thing that is wrong.
    """
    options = list(_schema_problems(cls)) or list(_default_problems(cls))
    lines = [*options, *_wrong_target(cls), *_unwritten(cls, base), *_misfits(cls, base), *cls.class_problems()]
    if lines:
        raise ExtensionError([ConfigError(f"{where}: class {cls.__qualname__}: {line}") for line in lines])


# --- options


def _schema_problems(cls: type[Kind]) -> Iterator[str]:
    """Options that are no JSON schemas, and names of options that there are not."""
    if not isinstance(cls.properties, Mapping):
        yield f"properties: wrong type; found: {shown(cls.properties)}; allowed: option -> its JSON schema"
        return
    options = {**cls.shared_properties(), **cls.properties}
    if isinstance(cls.required, str):
        yield f"required: wrong type; found: {shown(cls.required)}; allowed: a tuple, such as ('{cls.required}',)"
        return
    for name in cls.required:
        if name not in options:
            yield f"required: no such option; found: {shown(name)}; allowed: {', '.join(options)}"
    for name, option in cls.properties.items():
        if name == cls.TAG:
            yield f"option '{name}': the study file says by this key which kind it is; hint: give it another name"
        yield from (f"option '{name}': {line}" for line in _no_schema(option))


def _no_schema(option: Any) -> Iterator[str]:
    from jsonschema import Draft202012Validator as Validator

    if not isinstance(option, Mapping):
        yield f"wrong type; found: {shown(option)}; allowed: a JSON schema, such as {{'type': 'number', 'default': 1}}"
        return
    known = [*Validator.VALIDATORS, *OTHER_KEYWORDS]
    for key in option:
        if key not in known and not str(key).startswith("x-"):
            yield f"not a keyword of JSON schemas; found: {shown(key)}{nearest(key, known)}"
    for error in Validator(Validator.META_SCHEMA).iter_errors(dict(option)):
        yield _of_schema(".".join(map(str, error.absolute_path)), error)
    pattern = option.get("pattern")
    if isinstance(pattern, str) and not _is_pattern(pattern):
        yield f"pattern: not a regular expression; found: {shown(pattern)}"


def _of_schema(place: str, error: Any) -> str:
    """The line for one thing that JSON schema's own schema says of an option's."""
    if not place.endswith("type"):
        return f"{place}: {error.message}"
    meant = PYTHON_TYPES.get(str(error.instance))
    near = f"; did you mean '{meant}'?" if meant else nearest(error.instance, TYPE_NAMES)
    return (
        f"{place}: not a type of JSON schemas; found: {shown(error.instance)}; allowed: {', '.join(TYPE_NAMES)}{near}"
    )


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _default_problems(cls: type[Kind]) -> Iterator[str]:
    """Defaults that break their own schema; options with none that may be left out all the same."""
    from jsonschema import Draft202012Validator as Validator

    try:
        options = config_schema.inlined(dict(cls.properties))
    except ConfigError as error:
        yield one_line(error)
        return
    for name, option in options.items():
        if "default" in option:
            for broken in Validator(option).iter_errors(option["default"]):
                yield f"option '{name}': its default breaks its own schema: {broken.message}"
        elif name not in cls.required and "x-inherits" not in option:
            yield (
                f"option '{name}': it has no default and is not in `required`, so that the class could miss it; "
                "hint: give it one (`None`, with 'null' among its types, where there is no value), or require it"
            )


# --- methods


def _wrong_target(cls: type[Kind]) -> Iterator[str]:
    """An implementation whose form names nothing: what it names is imported in jobs only."""
    if cls.implementation and not re.fullmatch(r"[\w.]+:\w+", cls.implementation):
        yield f"implementation: not a target; found: {shown(cls.implementation)}; allowed: 'module:attribute'"


def _unwritten(cls: type[Kind], base: type[Kind]) -> Iterator[str]:
    """Methods that the group's class leaves to its kinds, and that this one has not."""
    for names in cls.to_write():
        if not any(_written(cls, base, name) for name in names):
            methods = " or ".join(f"{name}({', '.join(map(_plain, _arguments(base, name)))})" for name in names)
            others = [name for name in vars(cls) if callable(getattr(cls, name)) and not hasattr(base, name)]
            found = f"; found: {', '.join(others)}" if others else ""
            yield f"a method is missing: {methods}{found}; hint: write it in the class"


def _misfits(cls: type[Kind], base: type[Kind]) -> Iterator[str]:
    """Methods that cannot be called as the group's class says."""
    for name in (name for names in cls.to_write() for name in names if _written(cls, base, name)):
        own, theirs = _arguments(cls, name), _arguments(base, name)
        of_class = isinstance(inspect.getattr_static(base, name), classmethod)
        if of_class and not isinstance(inspect.getattr_static(cls, name), classmethod | staticmethod):
            yield f"{name}: a method of an object; allowed: one of the class; hint: write @classmethod above it"
        elif not _fit(own, theirs):
            words = [f"({', '.join(map(_plain, arguments))})" for arguments in (own, theirs)]
            yield f"{name}: other arguments; found: {words[0]}; allowed: {words[1]}"


def _written(cls: type[Kind], base: type[Kind], name: str) -> bool:
    return inspect.getattr_static(cls, name) is not inspect.getattr_static(base, name)


def _arguments(cls: type[Kind], name: str) -> list[inspect.Parameter]:
    """The arguments of a method, without `self` or `cls`."""
    method = inspect.getattr_static(cls, name)
    arguments = list(inspect.signature(getattr(method, "__func__", method)).parameters.values())
    return arguments if isinstance(method, staticmethod) else arguments[1:]


def _fit(own: Sequence[inspect.Parameter], theirs: Sequence[inspect.Parameter]) -> bool:
    """Whether a call with their arguments, by place, reaches a method with its own; any do where they are free."""
    if any(argument.kind is inspect.Parameter.VAR_KEYWORD for argument in theirs):
        return True
    try:
        inspect.Signature(own).bind(*theirs)
    except TypeError:
        return False
    return True


def _plain(argument: inspect.Parameter) -> str:
    return str(argument.replace(annotation=inspect.Parameter.empty))
