"""A table as CSV (for machines, full precision) and as Markdown, LaTeX (booktabs) and HTML (for people).

The same table gives the same bytes.
"""

import csv
import html
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from ..base import latex
from ..base.atomic import write_text
from .build import Row, Table
from .cells import Cell, Column
from .latex import Body, environment

CSV_COLUMNS = (
    "row", "label", "kind", "column", "metric", "segmenter", "structure", "source",
    "mean", "sd", "n", "n_failed", "best", "significant", "shade", "mark",
)  # fmt: skip
SEED_COLUMNS = ("sd_seeds",)  # beside these, where several seeds trained a variant
DASH = "—"
Render = TypeVar("Render")
COLOURS = {  # shade -> (background, text), with a contrast of at least 7 : 1
    "optimal": ("1B5E20", "FFFFFF"),
    "favorable": ("B7E1A1", "000000"),
    "moderate": ("FFCC80", "000000"),
    "suboptimal": ("F4A6A0", "000000"),
}


def rendered(tables: Iterable[Table]) -> dict[str, str]:
    """File name -> text: <name>.csv, .md, .tex and .html of each table."""
    return {file: render(table) for table in tables for file, render in file_names(table.name, RENDERERS).items()}


def file_names(name: str, renderers: Mapping[str, Render]) -> dict[str, Render]:
    """<name>.<suffix> -> renderer."""
    return {f"{name}.{suffix}": render for suffix, render in renderers.items()}


def write_files(files: Mapping[str, str], folder: str | Path) -> list[Path]:
    """Write each text into the folder, atomically. Returns their paths."""
    paths = [Path(folder) / name for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        write_text(path, text)
    return paths


def to_csv(table: Table) -> str:
    """One line per row and column; numbers in full precision, nothing for what is not there."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*CSV_COLUMNS, *(SEED_COLUMNS if table.seeds > 1 else ())])
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            numbers = ["" if math.isnan(value) else repr(value) for value in (cell.mean, cell.sd)]
            counts = ["", ""] if column.published else [cell.n, cell.n_failed]
            source = "published" if column.published else "ours"
            place = [column.key, column.metric.name, column.segmenter, column.structure, source]
            flags = [str(cell.best).lower(), str(cell.significant).lower(), cell.shade, cell.mark]
            seeds = ["" if math.isnan(cell.sd_seeds) else repr(cell.sd_seeds)] if table.seeds > 1 else []
            writer.writerow([row.key, row.label, row.kind, *place, *numbers, *counts, *flags, *seeds])
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """A pipe table. Markdown has no rules and no colours: controls stand in italics, below the variants."""
    heads = ["Row", *(_flat_head(column) for column in table.columns), "n"]
    lines = [f"**{_title(table)}** {escape_markdown(table.caption)}", ""]
    lines += [pipe([escape_markdown(head) for head in heads]), pipe(["---"] + ["---:"] * (len(heads) - 1))]
    for row in table.rows:
        label = escape_markdown(row.label)
        cells = [_text(cell, column, row, "**{}**".format, r"\*") for cell, column in _cells(table, row)]
        lines.append(pipe([f"*{label}*" if row.kind == "control" else label, *cells, _n_text(row)]))
    if notes := _given(*table.footnotes, *table.reading, table.losses):
        lines += ["", *(f"- {escape_markdown(note)}" for note in notes)]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """Floats for pdflatex (see `environment`); a rule stands between controls and other rows."""
    controls = [row.kind == "control" for row in table.rows]
    body = Body(
        ["", *(_latex_head(column) for column in table.columns), "$n$"],
        [
            [
                latex.text(row.label),
                *(_latex_text(cell, column, row) for cell, column in _cells(table, row)),
                latex.text(_n_text(row)),
            ]
            for row in table.rows
        ],
        ["", *(latex.text(column.group) for column in table.columns), ""],
        [number for number in range(1, len(controls)) if controls[number] != controls[number - 1]],
        shared=1,
        tied=[number for number, column in enumerate(table.columns, 1) if column.published],
    )
    notes = _given(*table.footnotes, *table.reading, table.legend, table.losses)
    return environment(body, table.caption, table.name, notes)


def to_html(table: Table) -> str:
    """A <table> whose only style is the cells' colours; rows carry their kind as a class, cells their shade.

    It belongs into a page, which says once for all its tables how they are read and what the rows' losses are. Each
    cell names its column, for screens on which the cells of a row stand one below the other.
    """
    top = "".join(
        f'<th colspan="{count}" scope="colgroup">{html.escape(name)}</th>' for name, count in _groups(table.columns)
    )
    heads = "".join(f'<th scope="col">{html.escape(_short_head(column))}</th>' for column in table.columns)
    lines = [
        f'<table id="{html.escape(table.name)}">',
        f"<caption>{html.escape(table.caption)}</caption>",
        f"<thead><tr><td></td>{top}<td></td></tr>",
        f'<tr><th scope="col">Row</th>{heads}<th scope="col">n</th></tr></thead>',
        "<tbody>",
    ]
    for row in table.rows:
        body = "".join(_html_cell(cell, column, row) for cell, column in _cells(table, row))
        body += f'<td data-label="n">{_n_text(row)}</td>'
        lines.append(f'<tr class="{row.kind}"><th scope="row">{html.escape(row.label)}</th>{body}</tr>')
    lines.append("</tbody>")
    if table.footnotes:
        notes = "<br>".join(html.escape(note) for note in table.footnotes)
        lines.append(f'<tfoot><tr><td colspan="{len(table.columns) + 2}">{notes}</td></tr></tfoot>')
    return "\n".join([*lines, "</table>"]) + "\n"


RENDERERS: dict[str, Callable[[Table], str]] = {"csv": to_csv, "md": to_markdown, "tex": to_latex, "html": to_html}


def _cells(table: Table, row: Row):
    return zip(row.cells, table.columns, strict=True)


def _text(cell: Cell, column: Column, row: Row, bold: Callable[[str], str], star: str) -> str:
    """mean ± SD [SD between seeds], bold, asterisk, and n where it is not the row's."""
    if math.isnan(cell.mean):
        return DASH
    decimals = column.metric.decimals if cell.decimals is None else cell.decimals
    text = number(cell.mean, decimals)
    if not math.isnan(cell.sd):
        text += f" ± {number(cell.sd, decimals)}"
    if not math.isnan(cell.sd_seeds):
        text += f" [{number(cell.sd_seeds, decimals)}]"
    text = bold(text) if cell.best else text
    text += (star if cell.significant else "") + cell.mark
    return text if column.published or cell.n == row.n else f"{text} (n={cell.n})"


def _latex_text(cell: Cell, column: Column, row: Row) -> str:
    text = _text(cell, column, row, r"\textbf{{{}}}".format, "$^{*}$")
    for character in "±∞−†‡":
        text = text.replace(character, latex.CHARACTERS[character])
    text = text.replace(DASH, "---")
    if not cell.shade:
        return text
    background, colour = COLOURS[cell.shade]
    return rf"\cellcolor[HTML]{{{background}}}\textcolor[HTML]{{{colour}}}{{{text}}}"


def _html_cell(cell: Cell, column: Column, row: Row) -> str:
    text = _text(cell, column, row, "<strong>{}</strong>".format, "*")
    label = f' data-label="{html.escape(_flat_head(column))}"'
    if not cell.shade:
        return f"<td{label}>{text}</td>"
    background, colour = COLOURS[cell.shade]
    return f'<td class="{cell.shade}"{label} style="background:#{background};color:#{colour}">{text}</td>'


def number(value: float, decimals: int) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{decimals}f}"
    text = text.lstrip("-") if float(text) == 0 else text
    return text.replace("-", "−")


def _n_text(row: Row) -> str:
    if row.kind == "published":
        return DASH
    return f"{row.n} ({row.n_failed} failed)" if row.n_failed else str(row.n)


def _short_head(column: Column) -> str:
    unit = f" ({column.metric.unit})" if column.metric.unit else ""
    return f"{column.metric.label}{unit} {column.metric.arrow()}" + (", paper" if column.published else "")


def _flat_head(column: Column) -> str:
    return _short_head(column) if column.group == "Image" else f"{column.group}: {_short_head(column)}"


def _latex_head(column: Column) -> str:
    if column.published:  # it follows our own column of the metric, and wide tables are shrunk
        return "paper"
    arrow = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "zero": r"$\rightarrow 0$"}[column.metric.better]
    return latex.text(_short_head(column).replace(column.metric.arrow(), "@")).replace("@", arrow)


def _groups(columns: Sequence[Column]) -> list[tuple[str, int]]:
    return [(name, len(list(members))) for name, members in groupby(columns, key=lambda column: column.group)]


def _given(*notes: str) -> list[str]:
    return [note for note in notes if note]


def _title(table: Table) -> str:
    return escape_markdown(table.title or table.name) + "."


def pipe(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def escape_markdown(text: str) -> str:
    for character in ("\\", "|", "*", "_", "<", "`"):
        text = text.replace(character, "\\" + character)
    return text.replace("\n", " ")
