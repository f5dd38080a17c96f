"""The inspection of a source as text for a terminal, as a CSV, and as an HTML page with a picture of each pair."""

import base64
import csv
import html
import io as text_io
from pathlib import Path

from ..atomic import write_text
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
STYLE = """body { font-family: sans-serif; margin: 2em; color: #222; }
table { border-collapse: collapse; }
td, th { padding: 0.3em 0.6em; border-bottom: 1px solid #ddd; vertical-align: top; }
th { text-align: left; background: #f3f3f3; position: sticky; top: 0; }
pre { margin: 0; white-space: pre-wrap; }
.error { background: #fbe3e0; }
.look { background: #fff4d6; }
img { max-width: 32em; }"""
LEGEND = """<p>Sizes and spacings are x, y, z as stored. <b>Axes</b>: the side of the patient towards which x, y and z
run; ~ means oblique. <b>CT over MR</b>: share of the MR's box that the CT's box covers. <b>Body</b>: share of the MR's
volume that is body in the CT. <b>Dice of bodies</b>: of the bodies found in MR and CT where both have data, before any
registration. <b>Mutual information</b>: in nats, inside the bodies. Pictures: middle slice of the MR, the CT at the
same place, both as a checkerboard.</p>"""


def write_report(task: str, inspections: list[Inspection], folder: Path) -> None:
    """Write check.csv and index.html into the folder, each atomically."""
    write_text(folder / "check.csv", to_csv(inspections))
    write_text(folder / "index.html", to_html(task, inspections))


def to_csv(inspections: list[Inspection]) -> str:
    """One line per case."""
    target = text_io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["case", "status", *COLUMNS, "findings"])
    for item in inspections:
        writer.writerow(
            [item.case, item.status, *(item.facts.get(key, "") for key in COLUMNS), " | ".join(problems(item))]
        )
    return target.getvalue()


def to_text(task: str, inspections: list[Inspection]) -> str:
    """The table for a terminal, what was found under it, and a line of totals."""
    rows = [["case", "status", *(COLUMNS[key] for key in ON_TERMINAL)]]
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
    """The page, with every picture inside it."""
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in ("case", "status", *COLUMNS.values(), "pair"))
    body = "\n".join(_row(item) for item in inspections)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(task)}: input</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>Input of {html.escape(task)}</h1>\n"
        f"<p>{html.escape(totals(inspections))}</p>\n{LEGEND}\n<table><tr>{heads}</tr>\n{body}\n</table></body></html>\n"
    )


def _row(item: Inspection) -> str:
    cells = "".join(f"<td>{html.escape(str(item.facts.get(key, '')))}</td>" for key in COLUMNS)
    notes = "".join(f"<pre>{html.escape(line)}</pre>" for line in problems(item))
    picture = base64.b64encode(item.picture).decode()
    image = f'<img alt="MR, CT and both of {html.escape(item.case)}" src="data:image/png;base64,{picture}">'
    return (
        f'<tr class="{item.status}"><td>{html.escape(item.case)}</td><td>{item.status}</td>{cells}'
        f"<td>{image if picture else ''}{notes}</td></tr>"
    )
