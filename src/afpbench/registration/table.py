"""A task's registrations as a table: registration.csv."""

import csv
import io as text_io
from pathlib import Path

from ..base.atomic import write_text
from ..study.records import read_record
from ..study.registration import TRAINING_SIDE

EVALUATION, TRAINING = "evaluation", "training"
COLUMNS = (
    "case",
    "method",
    "status",
    "seconds",
    "attempts",
    "error_before_mean_mm",
    "error_after_mean_mm",
    "error_before_p95_mm",
    "error_after_p95_mm",
    "edge_dice_before",
    "edge_dice_after",
    "body_dice_before",
    "body_dice_after",
    "contour_dice_before",
    "contour_dice_after",
    "contour_soft_before",
    "contour_soft_after",
    "jacobian_min",
    "jacobian_p1",
    "jacobian_median",
    "jacobian_p99",
    "jacobian_max",
    "folded_share",
    "displacement_mean_mm",
    "displacement_max_mm",
    "final_metric",
    "mutual_information_before",
    "mutual_information_after",
)


def summarize(records: list[Path], target: Path) -> None:
    """Write registration.csv: one row per case, from the cases' registration.json (of a failed case: failed.json).

    An empty cell is what a case does not have (no contour, no known deformation). Where the CT that is learned from is
    registered apart, a case has a row for each use, and the column `used_for` says which.
    """
    rows = [{**summary_row(read_record(path)), "used_for": used_for(path.parent)} for path in records]
    apart = any(row["used_for"] != EVALUATION for row in rows)
    buffer = text_io.StringIO()
    columns = ("case", "used_for", *COLUMNS[1:]) if apart else COLUMNS
    writer = csv.DictWriter(buffer, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: (row["case"], row["used_for"])))
    write_text(target, buffer.getvalue())


def used_for(registered: Path) -> str:
    """What a `registered` folder is for: EVALUATION, or TRAINING where the CT that is learned from has its own."""
    return TRAINING if registered.name.endswith(TRAINING_SIDE) else EVALUATION


def summary_row(record: dict) -> dict:
    """One row of registration.csv from a registration.json, or from the failed.json of a case that failed."""
    if "error" in record:
        return {"case": record["case"], "status": f"failed in {record['stage']}: {' '.join(record['error'].split())}"}
    row = {name: record.get(name) for name in COLUMNS}
    used = [attempt for attempt in record["attempts"] if attempt["used"]]
    row["attempts"] = len(record["attempts"])
    row["final_metric"] = list(used[0]["final_metrics"].values())[-1] if used and used[0]["final_metrics"] else None
    row["status"] = "folds" if record.get("folded_share", 0) > 0 else "ok"
    return {name: "" if value is None else value for name, value in row.items()}
