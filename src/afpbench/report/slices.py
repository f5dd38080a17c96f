"""The slices of the shown cases, to choose from: MR, real CT, each row's synthetic CT and its error."""

import math
from collections.abc import Mapping

from ..base import html
from ..base.errors import DataError, UnusableFile
from ..base.switches import Axis, Frame, Option, error_scale, switches
from ..figures.cases import choose_case, value_of
from ..study.records import read_record
from .context import Task, mr_title

AXES = {"axial": "Axial, z =", "coronal": "Coronal, y ="}
REAL = "real_ct"  # the control: the real CT stands there already


def slice_panels(task: Task) -> list[str]:
    """The slices of each case to show, as HTML; in the place of those that cannot be shown, why. None without CT."""
    return [_panel(task, pick) for pick in task.shown_cases()] if task.source.has_ct else []


def _panel(task: Task, pick: str) -> str:
    try:
        record = _read(task, pick)
    except DataError as error:
        words = error.cause if isinstance(error, UnusableFile) else str(error)
        return html.note(f"Slices to choose from, case {pick}: missing. {words} ({task.paths.slice_panel(pick)})")
    case, axes = record["case"], [_axis(plane) for plane in record["planes"]]
    title = f"Slices of {case}" + (f" ({pick})" if pick != case else "")
    made = switches(f"{task.name}-{pick}", title, axes, _options(task, record))
    return "\n".join([html.heading(title), made, error_scale(record["error_hu"]), html.note(_caption(record))])


def _read(task: Task, pick: str) -> Mapping:
    """The record of a case. Raises DataError where it is missing, damaged, or of another case than the one to show."""
    case = choose_case(pick, task.long, task.context["reference"])
    record = read_record(task.paths.slice_panel(pick))
    if record["note"]:
        raise DataError(record["note"])
    if record["case"] != case:
        raise DataError("They are of another case", found=record["case"], expected=case)
    planes, counts = (
        [plane["plane"] for plane in record["planes"]],
        {len(image["strips"]) for image in record["images"]},
    )
    if planes != list(AXES) or counts != {len(AXES)} or len(record["window_hu"]) != 2:
        raise DataError("They were made by another version", found=", ".join(planes), expected=", ".join(AXES))
    return record


def _axis(plane: Mapping) -> Axis:
    return Axis(AXES[plane["plane"]], plane["slices"], plane["aspect"])


def _options(task: Task, record: Mapping) -> list[Option]:
    strips = {(image["what"], image["row"]): image["strips"] for image in record["images"]}
    mr = [Frame(mr_title(task), strips["mr", ""])] if ("mr", "") in strips else []
    options = [Option("Real CT", [Frame("Real CT", strips.get(("ct", ""), [])), *mr])]
    for row in task.spec["figures"]["rows"]:
        if row != REAL:
            frames = [Frame(task.label(row), strips.get(("row", row), []))]
            frames.append(Frame(_error_title(task, row, record["case"]), strips.get(("error", row), [])))
            options.append(Option(task.label(row), frames))
    return options


def _error_title(task: Task, row: str, case: str) -> str:
    mae = value_of(task.long, row, case, "mae")
    return "Error" + ("" if math.isnan(mae) else f", MAE {mae:.1f} HU")


def _caption(record: Mapping) -> str:
    low, high = record["window_hu"]
    window = html.minus(f"{low:g} to {high:g} HU")
    return (
        f"Choose an image and a slice, with the arrow keys too. CT from {window}; error: synthetic minus real CT "
        "inside the body. Slices lie evenly in the body; z and y count the prepared images' voxels from 0."
    )
