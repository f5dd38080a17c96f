"""Rows by the registration that they learned from, columns by the one that they are compared with."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from ..base.errors import DataError
from ..metrics.longtable import is_failed
from ..metrics.missing import with_penalties
from ..metrics.seeds import over_seeds
from ..study.kinds.metric import Metric
from ..study.kinds.registry import METRICS
from .build import Context
from .inputs import Inputs

EDGES: dict[str, Any] = {"metric": "mr_edges", "structure": None, "region": "body"}


def bias_frame(options: Mapping[str, Any], inputs: Inputs, context: Context) -> pd.DataFrame:
    """The table: a line for each task and row, a column for each metric and task, and the agreement with the MR.

    Numbers are means over the test cases that every cell has. The agreement with the MR is that where a task's rows are
    compared with its own CT. The index is made of the names for people.
    """
    values, tasks = _values(options, inputs, context), options["tasks"]
    index, lines = [], []
    for row, trained in product(options["rows"], tasks):
        index.append(_name(row, trained, context))
        own = [values[_place(column), against, trained, row].mean() for column, against in _columns(options)]
        lines.append([*own, values[_place(EDGES), trained, trained, row].mean()])
    heads = [_heading(column, against, context) for column, against in _columns(options)]
    return pd.DataFrame(lines, index, [*heads, f"{METRICS['mr_edges'].label} {METRICS['mr_edges'].arrow()}"])


def bias_caption(options: Mapping[str, Any], inputs: Inputs, context: Context) -> str:
    """What the table shows, and the best trained row of each column."""
    values = _values(options, inputs, context)
    cases = {len(series) for series in values.values()}
    text = (
        "Each row was trained on CTs registered as in the task that it names, and is compared with the real CTs of "
        f"each task's registration. Mean over the {max(cases)} test cases that every cell has. "
        "MR edges: Dice of the edges of the synthetic CT and of the MR, in which no registration has a part."
    )
    rows = [row for row in options["rows"] if row not in context.controls]
    best = [] if max(cases) == 0 else [_best(options, values, context, rows, *column) for column in _columns(options)]
    return " ".join(part for part in (options["caption"].strip(), text, *best) if part)


def _best(options, values, context: Context, rows: Sequence[str], column: Mapping, against: str) -> str:
    """One sentence: the best variant by a column."""
    if not rows:
        return ""
    metric, place = METRICS[column["metric"]], _place(column)
    scores = {
        _name(row, trained, context): metric.score(values[place, against, trained, row].mean())
        for row, trained in product(rows, options["tasks"])
    }
    return f"Best by {_heading(column, against, context)}: {max(scores, key=lambda name: scores[name])}."


def _values(options: Mapping[str, Any], inputs: Inputs, context: Context) -> dict[tuple, pd.Series]:
    """(place of a column, task compared with, task that trained, row) -> values by case, of the common cases."""
    found: dict[tuple, pd.Series] = {}
    for trained, against, long in _cells(options, inputs, context):
        wanted = [*options["columns"], *([EDGES] if trained == against else [])]
        for column, row in product(wanted, options["rows"]):
            metric, place, segmenter = _place(column, context)
            lines = long[(long["variant"] == row) & (long["metric"] == metric) & (long["structure"] == place)]
            lines = lines[(lines["segmenter"] == segmenter) & ~is_failed(lines["status"])]
            found[_place(column), against, trained, row] = lines.set_index("case")["value"].dropna()
    common = sorted(set.intersection(*(set(series.index) for series in found.values())))
    return {key: series.loc[common] for key, series in found.items()}


def _cells(options: Mapping[str, Any], inputs: Inputs, context: Context) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(task that trained, task compared with, long table of all rows): penalties in, one line for several seeds."""
    tables, pairs = inputs.against, list(product(options["tasks"], repeat=2))
    each, rest = divmod(len(tables), len(pairs))
    if rest or each != sum(inputs.runs[row] for row in options["rows"]):
        raise DataError(
            "tables: the metrics of a table of registration bias",
            found=f"{len(tables)} files",
            expected=f"one for each run, of each pair of {len(options['tasks'])} tasks",
        )
    for number, (trained, against) in enumerate(pairs):
        parts = pd.concat(tables[number * each : (number + 1) * each], ignore_index=True)
        yield trained, against, over_seeds(with_penalties(parts, context.missing))


def _columns(options: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    return list(product(options["columns"], options["tasks"]))


def _place(column: Mapping[str, Any], context: Context | None = None) -> tuple[str, str, str]:
    """Metric, structure or region, and segmenter of a column, as the long table has them."""
    structure = column.get("structure")
    segmenter = context.structures[structure]["segmenter"] if context and structure else ""
    return column["metric"], structure or column.get("region", "body"), segmenter


def _name(row: str, trained: str, context: Context) -> str:
    done = "registered" if row in context.controls else "trained on"
    return f"{context.labels.get(row) or row}, {done} {trained}"


def _heading(column: Mapping[str, Any], against: str, context: Context) -> str:
    metric: type[Metric] = METRICS[column["metric"]]
    unit = f" ({metric.unit})" if metric.unit else ""
    structure = column.get("structure")
    what = f"{context.structures[structure]['label']}: " if structure else ""
    whole = ", whole volume" if column.get("region") == "volume" else ""
    return f"{what}{metric.label}{unit}{whole} against {against} {metric.arrow()}"
