"""A task's registrations on one page, for the eye: registration/qc.html, which needs no other file."""

from pathlib import Path

from ..base import html
from ..base.atomic import write_text
from ..study.records import read_record
from .pictures import NAMES
from .table import EVALUATION, summary_row, used_for

BEFORE_AFTER = (
    ("error (mm)", "error_before_mean_mm", "error_after_mean_mm"),
    ("edge Dice", "edge_dice_before", "edge_dice_after"),
    ("body Dice", "body_dice_before", "body_dice_after"),
    ("contour Dice", "contour_dice_before", "contour_dice_after"),
    ("soft tissue in the contour", "contour_soft_before", "contour_soft_after"),
    ("mutual information (nats), optimised", "mutual_information_before", "mutual_information_after"),
)
JACOBIAN = ("jacobian_min", "jacobian_p1", "jacobian_median", "jacobian_p99", "folded_share")
EXPLANATION = (
    "MR and CT take turns from tile to tile (axial, coronal, sagittal, through the middle of the body): a border that "
    "runs on from tile to tile says that the two agree there. Yellow: to be looked at. elastix optimises mutual "
    "information, whose rise proves nothing; it does not see the other figures (edges only with edge_weight)."
)


def write_page(task: str, folders: list[Path], target: Path) -> None:
    """Write the page of a task from its cases' `registered` folders: a table, then two checkerboards for each case.

    Of a case that failed, `failed.json` in its folder is told. A case whose CT is registered apart for training goes by
    its name and ", training" there. Every text is escaped, pictures are in the page.
    """
    cases = [_read(Path(folder)) for folder in folders]
    rows = [(_named(summary_row(record), folder), record, folder) for record, folder in cases]
    rows.sort(key=lambda entry: entry[0]["case"])
    looks = [row["case"] for row, record, _ in rows if remarks(row, record)]
    which = f": {', '.join(looks)}" if looks else ""
    parts = [
        html.paragraph(f"{len(rows)} cases; {len(looks)} to be looked at{which}."),
        _table(rows),
        html.paragraph(EXPLANATION),
        *[_section(row, record, folder) for row, record, folder in rows],
    ]
    write_text(target, html.page(f"Registration: {task}", parts))


def remarks(row: dict, record: dict) -> list[str]:
    """What is not as it should be with a case: it failed, folds, or is worse after registration than before."""
    if row["status"] != "ok":
        return [row["status"]] if "error" in record else [f"folds in {record['folded_share']:.2g} of the voxels"]
    if record["method"] == "none":
        return []
    worse = {"mutual information fell": "mutual_information", "the bodies overlap less": "body_dice"}
    pairs = {words: (record.get(f"{name}_before"), record.get(f"{name}_after")) for words, name in worse.items()}
    return [words for words, (old, new) in pairs.items() if old is not None and new is not None and new < old - 0.005]


def _named(row: dict, folder: Path) -> dict:
    return row if used_for(folder) == EVALUATION else {**row, "case": f"{row['case']}, {used_for(folder)}"}


def _read(folder: Path) -> tuple[dict, Path]:
    failed = folder / "failed.json"
    return read_record(failed if failed.is_file() else folder / "registration.json"), folder


def _table(rows: list[tuple[dict, dict, Path]]) -> str:
    shown = [names for names in BEFORE_AFTER if any(row.get(names[2], "") != "" for row, _, _ in rows)]
    heads = ["case", *(label for label, _, _ in shown), *(name.replace("_", " ") for name in JACOBIAN), "attempts"]
    lines, kinds = [], []
    for row, record, _ in rows:
        notes = remarks(row, record)
        cells = [f"{_figure(row.get(old))} → {_figure(row.get(new))}" for _, old, new in shown]
        cells += [_figure(row.get(name)) for name in JACOBIAN] + [row.get("attempts", "")]
        lines.append([html.link(row["case"], row["case"]), *cells, html.Cell(["; ".join(notes)], "words")])
        kinds.append("look" if notes else "")
    return html.table([*heads, "remarks"], lines, kinds=kinds)


def _section(row: dict, record: dict, folder: Path) -> str:
    notes, case = remarks(row, record), row["case"]
    of = f", MR {record['mr_channel']}" if record.get("mr_channel") else ""
    parts = [html.paragraph("; ".join(notes))] if notes else []
    parts += [
        html.picture(folder / name, f"{case}, {words} registration{of}", scale=1.0)
        for name, words in zip(NAMES, ("before", "after"), strict=True)
        if (folder / name).is_file()
    ]
    return html.section(case, case, *parts, kind="look" if notes else "")


def _figure(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) else "–"
