"""A table that is a pandas frame with a caption: the files of a user's own kind."""

import csv
import html
import io
import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..base import latex
from ..base.errors import DataError
from .build import Context, Row
from .footnotes import footnotes
from .inputs import Inputs
from .latex import Body, environment
from .render import DASH, escape_markdown, file_names, number, pipe

if TYPE_CHECKING:
    from ..study.kinds.table import Table


@dataclass(frozen=True)
class FrameTable:
    """frame: a line for each row, by key; its columns are headings. labels: of the rows, for people. decimals: of
    numbers, for people."""

    name: str
    caption: str
    frame: pd.DataFrame
    labels: Sequence[str]
    decimals: int
    footnotes: Sequence[str] = ()

    def lines(self) -> list[list[str]]:
        """The cells as people read them, each row's label first."""
        values = self.frame.itertuples(index=False, name=None)
        return [
            [label, *(_text(value, self.decimals) for value in row)]
            for label, row in zip(self.labels, values, strict=True)
        ]


def frame_files(kind: "Table", inputs: Inputs, context: Context) -> dict[str, str]:
    """File name -> text of the table that a kind's `frame` makes, with the failed cases below it."""
    frame = kind.frame(inputs, context)
    _check(frame, kind.entry)
    labels = [str(context.labels.get(key) or key) for key in frame.index]
    rows = [Row(key, context.labels.get(key) or key, "", 0, 0, (), tuple(inputs.failures(key))) for key in inputs.rows]
    table = FrameTable(kind.entry, kind.caption(inputs, context), frame, labels, kind.decimals, footnotes(rows, ()))
    return {file: render(table) for file, render in file_names(kind.entry, RENDERERS).items()}


def to_csv(table: FrameTable) -> str:
    """One line per row; numbers in full precision, nothing for what is not there."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "label", *table.frame.columns])
    for key, label, values in zip(
        table.frame.index, table.labels, table.frame.itertuples(index=False, name=None), strict=True
    ):
        writer.writerow([key, label, *("" if _is_missing(value) else _exact(value) for value in values)])
    return out.getvalue()


def to_markdown(table: FrameTable) -> str:
    """A pipe table."""
    heads = ["Row", *map(str, table.frame.columns)]
    lines = [f"**{escape_markdown(table.name)}.** {escape_markdown(table.caption)}", ""]
    lines += [pipe([escape_markdown(head) for head in heads]), pipe(["---"] + ["---:"] * (len(heads) - 1))]
    lines += [pipe([escape_markdown(cell) for cell in line]) for line in table.lines()]
    if table.footnotes:
        lines += ["", *(f"- {escape_markdown(note)}" for note in table.footnotes)]
    return "\n".join(lines) + "\n"


def to_latex(table: FrameTable) -> str:
    """Floats for pdflatex (see `environment`)."""
    heads = ["", *(latex.text(head) for head in table.frame.columns)]
    body = Body(heads, [[latex.text(cell) for cell in line] for line in table.lines()])
    return environment(body, table.caption, table.name, table.footnotes)


def to_html(table: FrameTable) -> str:
    """A <table> without a style of its own."""
    heads = "".join(f'<th scope="col">{html.escape(str(head))}</th>' for head in ["Row", *table.frame.columns])
    lines = [
        f'<table id="{html.escape(table.name)}">',
        f"<caption>{html.escape(table.caption)}</caption>",
        f"<thead><tr>{heads}</tr></thead>",
        "<tbody>",
    ]
    for label, *cells in table.lines():
        body = "".join(
            f'<td data-label="{html.escape(str(head))}">{html.escape(cell)}</td>'
            for head, cell in zip(table.frame.columns, cells, strict=True)
        )
        lines.append(f'<tr><th scope="row">{html.escape(label)}</th>{body}</tr>')
    lines.append("</tbody>")
    if table.footnotes:
        notes = "<br>".join(html.escape(note) for note in table.footnotes)
        lines.append(f'<tfoot><tr><td colspan="{len(table.frame.columns) + 1}">{notes}</td></tr></tfoot>')
    return "\n".join([*lines, "</table>"]) + "\n"


RENDERERS: dict[str, Callable[[FrameTable], str]] = {
    "csv": to_csv, "md": to_markdown, "tex": to_latex, "html": to_html
}  # fmt: skip


def _check(frame: Any, name: str) -> None:
    """A frame with plain headings and one line for each row."""
    found = ""
    if not isinstance(frame, pd.DataFrame):
        found = type(frame).__name__
    elif isinstance(frame.index, pd.MultiIndex) or isinstance(frame.columns, pd.MultiIndex):
        found = "several levels of rows or columns"
    elif frame.index.has_duplicates or frame.columns.has_duplicates:
        found = "a row or a column twice"
    if found:
        raise DataError(
            f"tables.{name}: `frame` did not return a table",
            found=found,
            expected="a pandas DataFrame with one level of rows and columns, each once",
        )


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _exact(value: Any) -> str:
    whole = isinstance(value, numbers.Integral) or not isinstance(value, numbers.Real)
    return str(value) if whole else repr(float(value))


def _text(value: Any, decimals: int) -> str:
    if _is_missing(value):
        return DASH
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return str(value)
    return number(float(value), 0 if isinstance(value, numbers.Integral) else decimals)
