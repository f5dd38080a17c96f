"""How the kinds of one group are found by their names: built in, of installed packages, of a study's own files."""

import functools
import importlib.metadata
import inspect
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from ...base.errors import ConfigError
from .contract import check_class
from .kind import Kind

HERE = __package__

K = TypeVar("K", bound=Kind)


class Registry(Generic[K]):
    """The kinds of one group: name -> class, each imported when it is first asked for."""

    def __init__(self, group: str, base: type[K], built_in: Mapping[str, str]):
        """group: as entry points and `afpbench list` call it. built_in: name -> "module:Class", relative to here."""
        self.group = group
        self.base = base
        self._built_in = dict(built_in)
        self._installed: dict[str, str] | None = None
        self._loaded: dict[str, type[K]] = {}
        self._of_files: dict[str, type[K]] = {}

    def names(self) -> list[str]:
        """Every kind's name: built in, installed, of the study's files."""
        return [*self._built_in, *self._entry_points(), *self._of_files]

    def own_names(self) -> list[str]:
        """The names of those that are not built in."""
        return [*self._entry_points(), *self._of_files]

    def classes(self) -> dict[str, type[K]]:
        """Name -> class, of all kinds."""
        return {name: self[name] for name in self.names()}

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> type[K]:
        """The class of a kind. Raises ConfigError for a name that there is not, with the nearest that there is."""
        if name in self._of_files:
            return self._of_files[name]
        if name not in self._loaded:
            target = self._built_in.get(name) or self._entry_points().get(name)
            if target is None:
                raise self._unknown(name)
            self._loaded[name] = self._import(name, target)
        return self._loaded[name]

    def make(self, options: Mapping[str, Any], entry: str = "", task: Any = None) -> K:
        """The kind that an entry of the study file names, with its options."""
        return self[options[self.base.TAG]](options, entry, task)

    def filled(self, options: Mapping[str, Any]) -> K:
        """The same for a job, with the defaults of what is left out. Raises ConfigError for an unknown option."""
        kind = self[options.get(self.base.TAG, "")]
        return kind(kind.filled(options))

    def origin(self, name: str) -> str:
        """Where a kind comes from, for people: "built in", its package, or its file."""
        if name in self._built_in:
            return "built in"
        module = self[name].__module__
        return str(inspect.getfile(self[name])) if name in self._of_files else module.partition(".")[0]

    def add_file_class(self, cls: type[K], path: Path) -> None:
        """Register a class of an extension file. Raises ConfigError for one whose name is taken, and ExtensionError for
        one that cannot be used."""
        where = f"extensions: {path}"
        self._check(cls, where)
        if cls.name in self.names():
            raise ConfigError(
                f"extensions: two {self.group} are named '{cls.name}'",
                found=f"{path} and {self.origin(cls.name)}",
                hint="give the class another `name`",
            )
        check_class(cls, self.base, where)
        self._of_files[cls.name] = cls

    def forget_files(self) -> None:
        """Leave out the classes of extension files."""
        self._of_files = {}

    def _entry_points(self) -> dict[str, str]:
        if self._installed is None:
            found: dict[str, str] = {}
            for point in _installed_points().select(group=f"afpbench.{self.group}"):
                if point.name in self._built_in or found.get(point.name, point.value) != point.value:
                    other = found.get(point.name, "one that is built in")
                    raise ConfigError(
                        f"two {self.group} are named '{point.name}'",
                        found=f"{point.value} and {other}",
                        hint="rename or uninstall one of the packages that bring them",
                    )
                found[point.name] = point.value
            self._installed = found
        return self._installed

    def _import(self, name: str, target: str) -> type[K]:
        module, _, attribute = target.partition(":")
        try:
            loaded = import_module(module, HERE)
            cls = getattr(loaded, attribute)
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"{self.group} '{name}' cannot be loaded from {target}",
                found=f"{type(error).__name__}: {error}",
                expected="a module that can be imported where a study is planned, with this class",
                hint="import what is heavy inside the methods that use it, or install it here",
            ) from error
        self._check(cls, target)
        if cls.name != name:
            raise ConfigError(f"{self.group} '{name}': its class calls itself otherwise", found=cls.name, expected=name)
        if name not in self._built_in:
            check_class(cls, self.base, f"{self.group} '{name}' of {target}")
        return cls

    def _check(self, cls: type, where: str) -> None:
        if not (isinstance(cls, type) and issubclass(cls, self.base)) or not cls.name:
            raise ConfigError(
                f"{where}: not one of the {self.group}",
                found=getattr(cls, "__name__", repr(cls)),
                expected=f"a subclass of {self.base.__name__} with a `name`",
            )

    def _unknown(self, name: str) -> ConfigError:
        names = self.names()
        near = get_close_matches(str(name), names, n=1)
        return ConfigError(
            f"{self.group}: no such kind",
            found=repr(name),
            expected=", ".join(names),
            hint=f"did you mean {near[0]}?" if near else "`extensions` in the study file names files with more",
        )


@functools.cache
def _installed_points() -> Any:
    """The entry points of every installed package: looked for once, since each look opens a file per package."""
    return importlib.metadata.entry_points()
