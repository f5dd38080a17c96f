"""What a table is, as a study file names it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .kind import Kind

if TYPE_CHECKING:
    from ..paths import TaskPaths

CAPTION: dict[str, Any] = {"$ref": "#/$defs/caption"}
PUBLISHED: dict[str, Any] = {"$ref": "#/$defs/published"}


class Table(Kind):
    """A table of rows (variants, controls), made for machines and for people.

    A subclass says which files it is made of (`inputs`) and names an `implementation` that makes it of them.
    """

    GROUP: ClassVar[str] = "tables"
    SECTION: ClassVar[str] = "tables"
    has_controls: ClassVar[bool] = True  # whether a control can be one of its rows

    @classmethod
    def shared_properties(cls) -> Mapping[str, Mapping[str, Any]]:
        return {"caption": CAPTION, "published": PUBLISHED}

    def complete(self, options: dict[str, Any]) -> None:
        """All rows of the task, unless the entry says which."""
        task = self.task.options
        options.setdefault("rows", [*task["variants"], *(task["controls"] if self.has_controls else [])])

    def columns(self) -> list[Mapping[str, Any]]:
        """The metrics that it shows: entries with `metric`, `structure`, `region`. Figures show the same."""
        return []

    def inputs(self, paths: "TaskPaths", chunks: int) -> dict[str, str | list[str]]:
        """Name -> file or files that it is made of. chunks: how many the test cases are divided into."""
        raise NotImplementedError(f"{type(self).__name__}.inputs")

    def problems(self) -> Iterable[str]:
        return ()
