"""The inspection of a source as text for a terminal, as a CSV, and as an HTML page with a picture of each pair."""

import csv
import io as text_io
from pathlib import Path

from ..base import html
from ..base.atomic import write_text
from ..study import channels
from .inspection import Inspection

COLUMNS = {
    "mr_size": "MR size (x, y, z)",
    "mr_spacing_mm": "MR spacing, mm",
    "mr_axes": "MR axes",
    "mr_low": "MR 0.5 %",
    "mr_high": "MR 99.5 %",
    "ct_size": "CT size (x, y, z)",
    "ct_spacing_mm": "CT spacing, mm",
    "ct_axes": "CT axes",
    "ct_low": "HU 0.5 %",
    "ct_high": "HU 99.5 %",
    "box_share": "CT over MR",
    "body_share": "body",
    "body_dice": "Dice of bodies",
    "mutual_information": "mutual information",
    "contour_dice": "Dice of contours",
}
ON_TERMINAL = ("mr_size", "mr_spacing_mm", "mr_axes", "ct_spacing_mm", "ct_axes", "ct_low", "ct_high", "box_share",
               "body_share", "body_dice")  # fmt: skip
LEGEND = (
    ("Sizes and spacings", "x, y, z as stored"),
    ("Axes", "the side of the patient towards which x, y and z run; ~ means oblique"),
    ("CT over MR", "share of the MR's box that the CT's box covers; this and what follows of its first channel"),
    ("body", "share of the MR's volume that is body in the CT"),
    ("Dice of bodies", "of the bodies found in MR and CT where both have data, before any registration"),
    ("mutual information", "in nats, inside the bodies"),
)


def columns(inspections: list[Inspection]) -> dict[str, str]:
    """Key of a fact -> what the column is called; of an MR of several channels those of each, by its name."""
    names = next((item.mr_channels for item in inspections if item.mr_channels), ())
    of_mr = {key: words for key, words in COLUMNS.items() if key.startswith("mr_")}
    each = {
        key.replace("mr", role, 1): words.replace("MR", channels.title(role, names), 1)
        for role in channels.roles(names)
        for key, words in of_mr.items()
    }
    return {**each, **{key: words for key, words in COLUMNS.items() if key not in of_mr}}


def write_report(task: str, inspections: list[Inspection], folder: Path) -> None:
    """Write check.csv and index.html into the folder, each atomically."""
    write_text(folder / "check.csv", to_csv(inspections))
    write_text(folder / "index.html", to_html(task, inspections))


def to_csv(inspections: list[Inspection]) -> str:
    """One line per case."""
    target = text_io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    keys = columns(inspections)
    writer.writerow(["case", "status", *keys, "findings"])
    for item in inspections:
        writer.writerow(
            [item.case, item.status, *(item.facts.get(key, "") for key in keys), " | ".join(problems(item))]
        )
    return target.getvalue()


def to_text(task: str, inspections: list[Inspection]) -> str:
    """The table for a terminal, what was found under it, and a line of totals."""
    titles = columns(inspections)
    rows = [["case", "status", *(titles[key] for key in ON_TERMINAL)]]
    rows += [[item.case, item.status, *(str(item.facts.get(key, "")) for key in ON_TERMINAL)] for item in inspections]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"{task}:", ""]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", *(f"{item.case}: {problem}" for item in inspections for problem in problems(item))]
    return "\n".join([*lines, totals(inspections)])


def totals(inspections: list[Inspection]) -> str:
    """How many cases are what."""
    count = {status: sum(item.status == status for item in inspections) for status in ("ok", "look", "error")}
    return f"{len(inspections)} cases: {count['ok']} ok, {count['look']} to look at, {count['error']} with errors"


def problems(item: Inspection) -> list[str]:
    """The error and the findings of a case, each on one line."""
    error = ["; ".join(part.strip() for part in item.error.splitlines())] if item.error else []
    return error + item.findings


def to_html(task: str, inspections: list[Inspection]) -> str:
    """The page: a table of all cases, then what was found in each, with its picture."""
    titles = columns(inspections)
    heads = ["case", "status", *titles.values()]
    lines = [
        [html.link(item.case, item.case), item.status, *(item.facts.get(key, "") for key in titles)]
        for item in inspections
    ]
    table = html.table(heads, lines, kinds=[item.status for item in inspections])
    legend = html.folded("What the columns say", html.facts(LEGEND))
    sections = [_section(item) for item in inspections]
    return html.page(f"Input of {task}", [html.paragraph(totals(inspections)), table, legend, *sections])


def _section(item: Inspection) -> str:
    parts = [html.items(found)] if (found := problems(item)) else []
    shown = [channels.title(role, item.mr_channels) for role in channels.roles(item.mr_channels)]
    which = "both" if len(shown) == 1 else f"{shown[0]} and CT"
    caption = f"{item.case}: {', '.join(shown)}, CT at the same place, and {which} as a checkerboard"
    parts += [html.picture(item.picture, caption, scale=1.0)] if item.picture else []
    return html.section(item.case, item.case, *parts, kind=item.status)
