"""How good the segmenters are on the real CT, where the true labels are known: the limit of what Dice can say."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.atomic import write_text
from ..base.batch import Batch
from ..data.failures import failure_of, policy
from ..study.paths import TaskPaths
from ..volumes import io
from .csv_file import read_csv
from .surface import structure_metrics

METRICS = ("dice", "nsd", "hd95")
COLUMNS = ("task", "case", "segmenter", "structure", "metric", "value", "status")


def write_accuracy(
    root: Path,
    task: str,
    cases: Sequence[str],
    structures: Mapping[str, Mapping],
    truth: Mapping[str, Sequence[int]],
    out: Path,
) -> None:
    """Write Dice, NSD and HD95 of each segmenter on the real CT against the cases' own labels.

    root: the task's folder. structures: name -> {segmenter, labels, tolerance_mm}. truth: name -> values in the cases'
    labels; a structure that is not in it is left out. Columns: task, case, segmenter, structure, metric, value, status;
    inside the region of evaluation. Failed cases have no lines, and neither has one that fails here while failed cases
    are excluded and another succeeds; otherwise a DataError names each at the end, and nothing is written.
    """
    paths = TaskPaths(str(root))
    batch = Batch(
        f"{task}: accuracy of the segmenters",
        [case for case in cases if failure_of(Path(paths.prepared(case))) is None],
    )
    lines: list[list] = []
    for case in batch.cases:
        with batch.case(case):
            lines += [[task, case, *values] for values in _case_values(paths, case, structures, truth)]
    if policy() == "stop" or batch.all_failed:
        batch.finish(kept="nothing was written")
    write_text(out, pd.DataFrame(lines, columns=list(COLUMNS)).to_csv(index=False, lineterminator="\n"))


def read_accuracy(path: str | Path) -> pd.DataFrame:
    """Read what write_accuracy wrote."""
    return read_csv(path, COLUMNS, text=[name for name in COLUMNS if name != "value"])


def _case_values(paths: TaskPaths, case: str, structures: Mapping[str, Mapping], truth: Mapping) -> list[list]:
    """Segmenter, structure, metric, value and status of each value of a case."""
    mask = io.read(paths.prepared_image(case, "mask"), f"case {case}: mask").array > 0
    labels = io.read(paths.prepared_image(case, "labels"), f"case {case}: labels")
    lines = []
    for name in truth:
        spec = structures[name]
        path = paths.segmentations(spec["segmenter"], "ct").image(case)
        found = io.read(path, f"case {case}: segmentation").array
        values = structure_metrics(
            np.isin(labels.array, truth[name]) & mask,
            np.isin(found, spec["labels"]) & mask,
            labels.spacing_mm,
            spec["tolerance_mm"],
        )
        lines += [[spec["segmenter"], name, metric, values[metric], values["status"]] for metric in METRICS]
    return lines
