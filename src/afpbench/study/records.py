"""The records of a study: the small JSON files by which its jobs tell one another, and people, what they did.

One reader for all of them: what a record must hold goes by its file's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.atomic import read_json
from ..base.errors import UnusableFile
from ..base.shapes import COUNT, NUMBER, Shape, mismatch

OK = "ok"
MACHINE = {"gpu": (str, type(None)), "cores": (int, type(None)), "processor": (str, type(None))}
ENDS = {"low": [NUMBER], "high": [NUMBER]}
RANGES = {"extent_mm": ENDS, "spacing_mm": ENDS, "normalised": ENDS, "tilt_degrees": {"low": NUMBER, "high": NUMBER}}
LINE = {"slope": NUMBER, "offset_hu": NUMBER}
CHUNK = {"cases": [{"case": str, "status": str, "calibration?": LINE, "uncertainty?": bool}]}
SEGMENTER = {"label": str, "classes": dict, "structures": [{"label": str, "values": [int]}]}
TASK = {
    "title": str, "reference": str, "has_mr": bool, "has_ct?": bool, "mr_channels?": [str],
    "rows": [{"run": str, "label": str}], "segmenters": dict, "test": [str], "others_side": str, "others": [str],
}  # fmt: skip
SYNTHESIS = {"seconds": NUMBER, "peak_memory_mb": NUMBER, "shape": [int]}  # of an entry of a synthesis that is OK


@dataclass(frozen=True)
class Record:
    """What a record holds. in_folder: it lies in a folder that one job makes as a whole, so that this has to go."""

    shape: Shape
    in_folder: bool = False


KINDS: dict[str, Record] = {
    "case.json": Record({"case": str, "mr_channels?": [str]}, in_folder=True),
    "failed.json": Record({"case": str, "stage": str, "error": str}, in_folder=True),
    "registration.json": Record(
        {
            "case": str, "method": str, "mr_channel?": str,
            "attempts": [{"used": bool, "final_metrics": (dict, type(None))}],
        },
        in_folder=True,
    ),
    "contents.json": Record({"tasks": dict}),
    "splits.json": Record({"train": [str], "validation": [str], "test": [str]}),
    "normalization.json": Record({"mr": {"scheme": str, "channels?": [{"scheme": str}]}, "ct": {"scheme": str}}),
    "mr_range.json": Record({"cases": COUNT, "percentiles": [NUMBER], **RANGES, "other_channels?": [RANGES]}),
    "calibration.json": Record(LINE),
    "slices.json": Record(
        {
            "case": str, "note": str, "window_hu": [NUMBER], "error_hu": NUMBER,
            "planes": [{"plane": str, "slices": [int], "aspect": NUMBER}],
            "images": [{"what": str, "row": str, "strips": [str]}],
        }
    ),
    "cost.json": Record(
        {
            "iterations": COUNT, "seconds": NUMBER, "seconds_per_iteration": NUMBER, "peak_memory_mb": NUMBER,
            "parameters": COUNT, "patch_size": [int], "batch_size": COUNT, "gpus": COUNT, "precision": str,
            "machine": MACHINE,
        }
    ),
}  # fmt: skip


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a record by its name; that of a chunk lies in `records/`. Raises UnusableFile."""
    path = Path(path)
    kind = Record(CHUNK) if path.parent.name == "records" else KINDS.get(path.name, Record(dict))
    return read_json(path, kind.shape, path.parent if kind.in_folder else None)


def read_contents(path: str | Path) -> dict[str, Any]:
    """What a results folder holds (study.plan.contents). Raises UnusableFile."""
    tasks: dict[str, Any] = read_record(path)["tasks"]
    for name, task in tasks.items():
        problem = mismatch(task, TASK, f"tasks.{name}")
        segmenters = [] if problem else task["segmenters"].items()
        found = (mismatch(entry, SEGMENTER, f"tasks.{name}.segmenters.{key}") for key, entry in segmenters)
        if problem := problem or next(filter(None, found), None):
            raise UnusableFile(Path(path), problem)
    return {"tasks": tasks}


def read_entries(path: str | Path, made: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The entries of a chunk's record, one for each case. made: what those that are OK hold beside. As read_record."""
    entries = read_record(path)["cases"]
    for index, entry in enumerate(entries):
        problem = mismatch(entry, made or {}, f"cases[{index}]") if entry["status"] == OK else None
        if problem:
            raise UnusableFile(Path(path), problem)
    return entries
