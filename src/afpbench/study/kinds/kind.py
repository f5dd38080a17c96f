"""What a study file can name by its kind, as planning knows it: the base of all kinds."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...base.errors import ConfigError
from .. import pretrained

if TYPE_CHECKING:
    from ..task import Task


class Kind:
    """One kind of loss, segmenter, feature network, generator, data source, metric or table.

    A subclass is everything that the project knows of it. It is imported when a study is planned, by hosts that may
    have nothing but Snakemake: import NumPy, PyTorch and the like inside the methods that a job calls.

    name: how the study file calls it. The class's docstring is its description there. properties: its options, a JSON
    schema each, with `description`, and `default` unless it is in `required`. citation: what to cite who uses it.
    implementation: "module:attribute" of what does the work, imported only where it is done.
    absent: options that people look for here -> what is said to them.
    """

    GROUP: ClassVar[str] = ""  # of the registry
    TAG: ClassVar[str] = "kind"  # the key of the study file whose value is `name`
    SECTION: ClassVar[str] = ""  # where its entries stand in a task
    name: ClassVar[str] = ""
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    required: ClassVar[tuple[str, ...]] = ()
    citation: ClassVar[str] = ""
    implementation: ClassVar[str] = ""
    absent: ClassVar[Mapping[str, str]] = {}

    def __init__(self, options: Mapping[str, Any], entry: str = "", task: "Task | None" = None):
        """options: the entry of the study file, completed. entry: its name there. task: whose entry it is; jobs have
        none."""
        self.options = options
        self.entry = entry
        self._task = task

    @property
    def task(self) -> "Task":
        """The task of the entry, for planning."""
        if self._task is None:
            raise ConfigError(f"{self.GROUP} '{self.entry or self.name}': asked for its task outside a study")
        return self._task

    @property
    def place(self) -> str:
        """Where the entry stands in the study file, for messages."""
        return f"tasks.{self.task.name}.{self.SECTION}.{self.entry}" if self.entry else f"tasks.{self.task.name}"

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Its branch of the study file's schema: closed, with its tag."""
        tag = {cls.TAG: {"const": cls.name}}
        return {
            "description": cls.description(),
            "type": "object",
            "additionalProperties": False,
            "required": [cls.TAG, *cls.required],
            "properties": {**tag, **deepcopy(dict(cls.shared_properties())), **deepcopy(dict(cls.properties))},
            **({"x-absent": dict(cls.absent)} if cls.absent else {}),
        }

    @classmethod
    def shared_properties(cls) -> Mapping[str, Mapping[str, Any]]:
        """Options that every kind of the group has."""
        return {}

    @classmethod
    def description(cls) -> str:
        """The first paragraph of the class's docstring on one line."""
        return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The options that have a default, with it."""
        known = {**cls.shared_properties(), **cls.properties}
        return {key: deepcopy(value["default"]) for key, value in known.items() if "default" in value}

    @classmethod
    def filled(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with their defaults. Raises ConfigError for an option that is unknown or missing."""
        known = [key for key in cls.schema()["properties"] if key != cls.TAG]
        unknown = [key for key in options if key not in known and key != cls.TAG]
        missing = [key for key in cls.required if key not in options]
        if unknown or missing:
            raise ConfigError(
                f"{cls.GROUP} '{cls.name}': {'unknown' if unknown else 'missing'} option",
                found=", ".join(unknown) if unknown else f"no {', '.join(missing)}",
                expected=", ".join(known),
            )
        return {cls.TAG: cls.name, **cls.defaults(), **options}

    @classmethod
    def code(cls) -> tuple[str, ...]:
        """The modules that its results come from; what they import belongs to it (see base.digest).

        The implementation's, where there is one, so that a description or a check reruns nothing; else its own.
        """
        return (cls.implementation.partition(":")[0] if cls.implementation else cls.__module__,)

    @classmethod
    def implement(cls) -> Any:
        """Import what does the work. Raises ConfigError where the kind has no implementation of its own."""
        if ":" not in cls.implementation:
            raise ConfigError(
                f"{cls.GROUP} '{cls.name}' has nothing that does the work",
                found=f"implementation {cls.implementation!r}",
                expected="'module:attribute', or a class that overrides the method",
                hint=f"correct the class {cls.__module__}.{cls.__qualname__}",
            )
        return load(cls.implementation)

    @classmethod
    def to_write(cls) -> Iterable[tuple[str, ...]]:
        """The methods that a class of the group writes itself; of several in a tuple, one is enough."""
        return ()

    @classmethod
    def class_problems(cls) -> Iterable[str]:
        """What else is wrong with the class itself, a line each."""
        return ()

    def problems(self) -> Iterable[str]:
        """What a schema cannot see of the completed entry: lines such as "above_hu: below the window; found: -2000",
        which need not say where the entry stands."""
        return ()

    def placed_problems(self) -> Iterator[str]:
        """The same as lines of the study file's problems: those that name no place have the entry's in front."""
        for line in self.problems():
            if line.startswith(self.task.place):
                yield line
            else:
                of_option = line.partition(":")[0] in self.options
                yield f"{self.place}{'.' if of_option else ': '}{line}"

    def complete(self, options: dict[str, Any]) -> None:
        """Fill in, in place, what the entry inherits from its task; the schema's defaults are there already."""


def expand_path(path: str, root: Path) -> str:
    """`~` and `pretrained:` in a path of the study file. root: where relative paths start."""
    return pretrained.path_of(path, root) or str(Path(path).expanduser())


def load(target: str) -> Any:
    """What "module:attribute" names, imported now: planning names what jobs do, and imports none of it."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
