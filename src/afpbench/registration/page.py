"""A task's registrations on one page, for the eye: registration/qc.html, which needs no other file."""

import base64
import html
from pathlib import Path

from ..atomic import read_json, write_text
from .pictures import NAMES
from .table import summary_row

BEFORE_AFTER = (
    ("mutual information (nats)", "mutual_information_before", "mutual_information_after"),
    ("edge Dice", "edge_dice_before", "edge_dice_after"),
    ("body Dice", "body_dice_before", "body_dice_after"),
    ("contour Dice", "contour_dice_before", "contour_dice_after"),
    ("soft tissue in the contour", "contour_soft_before", "contour_soft_after"),
    ("error (mm)", "error_before_mean_mm", "error_after_mean_mm"),
)
JACOBIAN = ("jacobian_min", "jacobian_p1", "jacobian_median", "jacobian_p99", "folded_share")
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: right; vertical-align: top; }
th:first-child, td:first-child, td.words, th.words { text-align: left; }
tr.look, section.look h2 { background: #fff3cd; }
img { display: block; max-width: 100%; margin: .2rem 0 .6rem; image-rendering: pixelated; }
figure { margin: 0; } figcaption { color: #555; }
"""
EXPLANATION = (
    "MR and CT take turns from tile to tile (axial, coronal, sagittal, through the middle of the body): a border that "
    "runs on from tile to tile says that the two agree there. Yellow: to be looked at."
)


def write_page(task: str, folders: list[Path], target: Path) -> None:
    """Write the page of a task from its cases' `registered` folders: a table, then two checkerboards for each case.

    Of a case that failed, `failed.json` in its folder is told. Every text is escaped, pictures are in the page.
    """
    cases = sorted((_read(Path(folder)) for folder in folders), key=lambda entry: entry[0]["case"])
    rows = [(summary_row(record), record, folder) for record, folder in cases]
    looks = [row["case"] for row, record, _ in rows if remarks(row, record)]
    which = f": {html.escape(', '.join(looks))}" if looks else ""
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>Registration: {html.escape(task)}</title>",
        f"<style>{STYLE}</style></head><body>",
        f"<h1>Registration: {html.escape(task)}</h1>",
        f"<p>{len(rows)} cases; {len(looks)} to be looked at{which}.</p>",
        _table(rows),
        f"<p>{EXPLANATION}</p>",
        *[_section(row, record, folder) for row, record, folder in rows],
        "</body></html>",
    ]
    write_text(target, "\n".join(lines) + "\n")


def remarks(row: dict, record: dict) -> list[str]:
    """What is not as it should be with a case: it failed, folds, or is worse after registration than before."""
    if row["status"] != "ok":
        return [row["status"]] if "error" in record else [f"folds in {record['folded_share']:.2g} of the voxels"]
    if record["method"] == "none":
        return []
    worse = {"mutual information fell": "mutual_information", "the bodies overlap less": "body_dice"}
    pairs = {words: (record.get(f"{name}_before"), record.get(f"{name}_after")) for words, name in worse.items()}
    return [words for words, (old, new) in pairs.items() if old is not None and new is not None and new < old - 0.005]


def _read(folder: Path) -> tuple[dict, Path]:
    failed = folder / "failed.json"
    return read_json(failed if failed.is_file() else folder / "registration.json"), folder


def _table(rows: list[tuple[dict, dict, Path]]) -> str:
    shown = [names for names in BEFORE_AFTER if any(row.get(names[2], "") != "" for row, _, _ in rows)]
    heads = ["case", *(label for label, _, _ in shown), *JACOBIAN, "attempts"]
    lines = ["<table><thead><tr>", *(f'<th scope="col">{html.escape(head.replace("_", " "))}</th>' for head in heads)]
    lines += ['<th scope="col" class="words">remarks</th></tr></thead><tbody>']
    for row, record, _ in rows:
        notes = remarks(row, record)
        cells = [f"{_figure(row.get(old))} → {_figure(row.get(new))}" for _, old, new in shown]
        cells += [_figure(row.get(name)) for name in JACOBIAN] + [str(row.get("attempts", ""))]
        body = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        case = html.escape(row["case"])
        lines.append(
            f'<tr class="{"look" if notes else "ok"}"><th scope="row"><a href="#{case}">{case}</a></th>{body}'
            f'<td class="words">{html.escape("; ".join(notes))}</td></tr>'
        )
    return "\n".join([*lines, "</tbody></table>"])


def _section(row: dict, record: dict, folder: Path) -> str:
    notes, case = remarks(row, record), html.escape(row["case"])
    lines = [f'<section id="{case}"{" class=look" if notes else ""}><h2>{case}</h2>']
    lines += [f"<p>{html.escape('; '.join(notes))}</p>"] if notes else []
    for name, words in zip(NAMES, ("before", "after"), strict=True):
        if (folder / name).is_file():
            data = base64.b64encode((folder / name).read_bytes()).decode("ascii")
            picture = f'<img alt="{case}, {words} registration" src="data:image/png;base64,{data}">'
            lines.append(f"<figure><figcaption>{words}</figcaption>{picture}</figure>")
    return "\n".join([*lines, "</section>"])


def _figure(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) else "–"
