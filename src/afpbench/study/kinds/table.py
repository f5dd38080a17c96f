"""What a table is, as a study file names it."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ..messages import not_among
from .kind import Kind, load

if TYPE_CHECKING:
    import pandas as pd

    from ...tables.build import Context
    from ...tables.inputs import Inputs
    from ..paths import TaskPaths
    from ..task import Task

TITLE: dict[str, Any] = {
    "description": "Its heading in the report.",
    "type": "string",
    "minLength": 1,
    "x-inherits": "its name in words (`table1`: Table 1)",
}
CAPTION: dict[str, Any] = {"$ref": "#/$defs/caption"}
PUBLISHED: dict[str, Any] = {"$ref": "#/$defs/published"}


class Table(Kind):
    """A table of rows (variants, controls), made for machines and for people.

    A subclass says what it is made of (`uses`) and implements `frame`, or names an `implementation`: a function of
    the table's name, its options, the `tables.inputs.Inputs` and the `tables.build.Context`, which returns the text of
    each file by its name.

    uses: `metrics` (the long table) and `statistics`; `costs` and `syntheses` (records of trainings and of inference).
    decimals: digits after the point of the numbers of `frame`, for people.
    """

    GROUP: ClassVar[str] = "tables"
    SECTION: ClassVar[str] = "tables"
    uses: ClassVar[tuple[str, ...]] = ("metrics", "statistics")
    decimals: ClassVar[int] = 3

    @classmethod
    def shared_properties(cls) -> Mapping[str, Mapping[str, Any]]:
        every, each = ("all variants, then all controls", "variants and controls")
        if not cls.has_controls():
            every, each = "all variants", "variants"
        rows = {
            "description": f"The {'rows, ' if cls.has_controls() else ''}{each}, from top to bottom.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "string"},
            "x-inherits": every,
            "x-allowed": f"a list of {each}",
        }
        return {"title": TITLE, "caption": CAPTION, "rows": rows}

    @classmethod
    def to_write(cls) -> Iterable[tuple[str, ...]]:
        return () if cls.implementation else (("frame", "build"),)

    @classmethod
    def has_controls(cls) -> bool:
        """Whether a control can be one of its rows: nothing was trained for one. (Nor for a row from files, which the
        reader may look for beside the trained ones: its costs are dashes.)"""
        return "costs" not in cls.uses

    def complete(self, options: dict[str, Any]) -> None:
        """All rows of the task, unless the entry says which, and its name in words."""
        options.setdefault("title", title_of(self.entry))
        options.setdefault("rows", self._known_rows())

    def columns(self) -> list[dict[str, Any]]:
        """The metrics that it shows, from its options alone: `metric`, `structure` or None, `region`. Figures show the
        same, and what is computed only where a table asks for it is computed for these."""
        return []

    def inputs(self, paths: "TaskPaths", chunks: int) -> dict[str, str | list[str]]:
        """What `uses` names -> the file, or the files of all its rows, row after row and, in a row, seed after seed.

        chunks: how many the test cases are divided into.
        """
        rows = self.options["rows"]
        runs = [run for row in rows for run in self._runs(row, paths)]
        files: dict[str, Callable[[], str | list[str]]] = {
            "metrics": lambda: paths.metrics,
            "statistics": lambda: paths.statistics,
            "costs": lambda: [path for row in rows if row in self.task.trained for path in paths.costs(row)],
            "syntheses": lambda: [path for run in runs for path in paths.synthesis_records(run, chunks)],
        }
        return {name: files[name]() for name in self.uses}

    def build(self, inputs: "Inputs", context: "Context") -> dict[str, str]:
        """File name -> its text: the table as CSV, Markdown, LaTeX and HTML, and what belongs to it."""
        if self.implementation:
            files: dict[str, str] = self.implement()(self.entry, self.options, inputs, context)
            return files
        made: dict[str, str] = load("afpbench.tables.frame:frame_files")(self, inputs, context)
        return made

    def frame(self, inputs: "Inputs", context: "Context") -> "pd.DataFrame":
        """The table, a line for each row: the index holds rows (people read their labels), the columns are headings.

        A cell is a number (NaN: a dash) or a text.
        """
        raise NotImplementedError(f"{type(self).__name__}.frame")

    def caption(self, inputs: "Inputs", context: "Context") -> str:
        """The text above `frame`."""
        text: str = self.options["caption"]
        return text

    def problems(self) -> Iterable[str]:
        """Rows that are not there, and columns that cannot be."""
        rows = self._known_rows()
        what = "no such variant or control" if self.has_controls() else "no such variant"
        yield from (not_among(f"{self.place}.rows", row, rows, what) for row in self.options["rows"] if row not in rows)
        from .registry import METRICS

        for index, column in enumerate(self.columns()):
            if column["metric"] in METRICS:
                yield from METRICS.make(column, f"{self.entry}.columns[{index}]", self.task).placed_problems()
            else:
                yield not_among(f"{self.place}.columns[{index}].metric", column["metric"], METRICS)

    def problems_between(self, tasks: "Mapping[str, Task]") -> Iterable[str]:
        """What is wrong with it beside other tasks, of a table that shows several. tasks: the study's, completed."""
        return ()

    def _runs(self, row: str, paths: "TaskPaths") -> list[str]:
        return paths.runs(row) if row in self.task.trained else [row]

    def _known_rows(self) -> list[str]:
        task = self.task.options
        return [*task["variants"], *(task["controls"] if self.has_controls() else [])]


def title_of(name: str) -> str:
    """A table's name for people: `table1` is Table 1, `airway_tree` is Airway tree, `hd95` is the metric HD95."""
    from .registry import METRICS

    if numbered := re.fullmatch(r"table_?(\d+\w*)", name):
        return f"Table {numbered[1]}"
    return METRICS[name].label if name in METRICS else name[:1].upper() + name[1:].replace("_", " ")
