"""Which cases the figures show, and their images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..base.errors import DataError
from ..base.log import logger
from ..data.failures import policy
from ..metrics.longtable import is_failed
from ..metrics.seeds import over_seeds
from ..study.channels import FIRST, title
from ..study.paths import TaskPaths
from ..study.rows import PICKS
from ..volumes import channels, io
from . import style

Made = TypeVar("Made")


@dataclass(frozen=True)
class Context:
    """What figures know of a task.

    root: the task's folder. rows: variants and controls to show. runs: row -> what its images are called, where that is
    not its name (study.paths). labels: row -> name for people. reference: the row
    that the others are tested against. structures: structure -> {"label", "segmenter", "labels": [values],
    "tolerance_mm"}.
    """

    root: Path
    rows: Sequence[str]
    labels: Mapping[str, str]
    reference: str
    structures: Mapping[str, Mapping] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)

    def run(self, row: str) -> str:
        return self.runs.get(row) or row

    def label(self, row: str) -> str:
        return self.labels.get(row) or row


def choose_case(pick: str, long: pd.DataFrame, reference: str) -> str:
    """The case of a pick: `typical`, `best` and `worst` go by the reference row's MAE inside the body, anything else
    is a case id. Where there is no MAE of any row, since there are label maps alone, they go by its mean Dice.

    Typical is the median, of an even number of cases the better one of the two in the middle. Equal values go by id.
    Raises DataError where no case of the reference row has a value, and for a case that failed or is not in the table.
    """
    if pick not in PICKS:
        lines = long[long["case"] == pick]
        if lines.empty or is_failed(lines["status"]).all():
            reason = "not in the metrics" if lines.empty else lines["status"].iloc[0]
            raise DataError(
                f"figures: the case {pick} cannot be shown",
                found=reason,
                expected="one of " + ", ".join(_ranked(long, reference)),
                hint="mend the case, or take it out of figures.cases",
            )
        return pick
    ranked = _ranked(long, reference)
    if not ranked:
        raise DataError(
            f"figures: no case to show as {pick}",
            found=f"no {'MAE' if _has_mae(long) else 'Dice'} of the reference row {reference}",
            expected="at least one test case that did not fail",
        )
    return ranked[{"best": 0, "typical": (len(ranked) - 1) // 2, "worst": -1}[pick]]


def or_words(draw: Callable[[], Figure]) -> Figure:
    """The figure that `draw` makes; where failed cases are excluded and its case failed, a figure that says so."""
    return or_else(draw, style.words)


def or_else(make: Callable[[], Made], words: Callable[[str], Made]) -> Made:
    """What `make` returns; where failed cases are excluded and its case failed, what `words` makes of the reason."""
    try:
        return make()
    except DataError as error:
        if policy() == "stop":
            raise
        logger.exception("nothing to draw")
        return words(str(error))


def _ranked(long: pd.DataFrame, reference: str) -> list[str]:
    """Cases by the reference row's MAE, of several seeds their mean, lowest first; without one by mean Dice, highest
    first."""
    own = over_seeds(long[long["variant"] == reference])
    if _has_mae(long):
        lines = own[(own["metric"] == "mae") & (own["structure"] == "body")]
    else:
        dice = own[own["metric"] == "dice"].groupby("case")["value"].mean()
        lines = (-dice).reset_index()
    lines = lines[lines["value"].notna()]
    return lines.sort_values(["value", "case"])["case"].tolist()


def _has_mae(long: pd.DataFrame) -> bool:
    """Whether anybody has a line of it: a case that failed has one without a value."""
    return bool((long["metric"] == "mae").any())


def value_of(long: pd.DataFrame, row: str, case: str, metric: str, structure: str = "body") -> float:
    """One value of the long table, of several seeds the first one's, which figures show; NaN where there is none."""
    lines = long[
        (long["variant"] == row)
        & (long["case"] == case)
        & (long["metric"] == metric)
        & (long["structure"] == structure)
    ]
    return float(lines["value"].iloc[0]) if len(lines) else float("nan")


def read_prepared(root: Path, case: str, name: str) -> io.Volume:
    """An image of a case's prepared folder: `mr`, `ct` or `mask`."""
    return io.read(TaskPaths(str(root)).prepared_image(case, name), f"case {case}: {name}")


def read_mr(root: Path, case: str) -> io.Volume | None:
    """A case's MR; None where the data are CTs alone."""
    there = Path(TaskPaths(str(root)).prepared_image(case, "mr")).is_file()
    return read_prepared(root, case, "mr") if there else None


def mr_title(root: Path, case: str) -> str:
    """What the MR that figures show is called: `MR`, or with its name the first of several channels."""
    return title(FIRST, channels.names(Path(TaskPaths(str(root)).prepared(case))))


def read_synthetic(context: Context, row: str, case: str) -> io.Volume:
    """A row's synthetic CT of a case, in HU."""
    path = TaskPaths(str(context.root)).synthetic(context.run(row)).image(case)
    return io.read(path, f"case {case}, row {context.run(row)}: synthetic CT")


def read_uncertainty(context: Context, row: str, case: str) -> io.Volume:
    """The uncertainty map of a row's synthetic CT of a case, in HU."""
    path = TaskPaths(str(context.root)).synthetic(context.run(row)).uncertainty(case)
    return io.read(path, f"case {case}, row {context.run(row)}: uncertainty map")


def structure_mask(context: Context, structure: str, image: str, case: str) -> np.ndarray:
    """Where (z, y, x) a structure lies in an image: `ct` for the real CT, or a row."""
    spec = context.structures[structure]
    path = TaskPaths(str(context.root)).segmentations(spec["segmenter"], context.run(image)).image(case)
    labels = io.read(path, f"case {case}: segmentation of {image} by {spec['segmenter']}").array
    return np.isin(labels, list(spec["labels"]))
