"""Every row against the reference row: the median of the paired differences, its interval, and p."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from ..base import html, latex
from ..study.kinds.registry import METRICS
from ..tables.latex import Body, environment
from .context import Task, section
from .glance import seeds_words

Column = tuple[str, str, str]  # metric, structure or region, name for people
SIGNS = {"better": "▲ ", "worse": "▼ "}


def comparison(task: Task) -> str:
    """The section of the page; "" where nothing is compared."""
    parts = [part for title, columns in _tables(task) for part in (html.heading(title), _table(task, columns))]
    if not parts or not _rows(task):
        return ""
    return section(task, "Statistics", "statistics", html.paragraph(_note(task)), *parts)


def _tables(task: Task) -> Iterator[tuple[str, list[Column]]]:
    """Title and columns of each table of the study, less those columns that a table before it has."""
    seen: set[tuple[str, str]] = set()
    for name, spec in task.spec["tables"].items():
        columns = [column for column in task.columns([name]) if column[:2] not in seen]
        seen |= {(metric, place) for metric, place, _ in columns}
        if columns:
            yield spec["title"], columns


def _table(task: Task, columns: Sequence[Column]) -> str:
    cells = {row: [_cell(task, row, metric, place) for metric, place, _ in columns] for row in _rows(task)}
    lines = [[task.label(row), *its] for row, its in cells.items()]
    return html.table(["Row", *(name for *_, name in columns)], lines)


def comparison_latex(task: Task) -> str:
    """The same as a LaTeX table, a line for each metric and row; "" where nothing is compared."""
    lines: list[list[str]] = []
    rules = []
    for metric, place, name in task.columns():
        rules += [len(lines)] if lines else []
        for row in _rows(task):
            test = _test(task, row, metric, place)
            if test is not None:
                lines.append([latex.text(cell) for cell in (name, task.label(row), *_numbers(task, test, metric))])
    if not lines:
        return ""
    heads = ["", "Row", r"Difference [95~\%]", "$p$", "Holm", "$n$", *(["Over seeds"] if len(task.seeds) > 1 else [])]
    return environment(Body(heads, lines, rules=rules, names=2), _note(task), "statistics")


def _rows(task: Task) -> list[str]:
    every = (*task.context["variants"], *task.context["controls"])
    return [row for row in every if row != task.context["reference"]]


def _note(task: Task) -> str:
    note = (
        f"Differences from {task.label(task.context['reference'])} over the same cases: median [95 % bootstrap "
        f"interval], two-sided Wilcoxon p and, over the variants, p after Holm. ▲ better and ▼ worse with p < "
        f"{task.context['alpha']:g} before Holm's adjustment; of signed errors the absolute values are compared."
    )
    if len(task.seeds) > 1:
        note += (
            " Of values averaged over the seeds; over seeds: the difference of the means with Welch's interval and p, "
            "of the networks' means over the cases."
        )
    return note


def _test(task: Task, row: str, metric: str, place: str) -> pd.Series | None:
    """A row's line of the statistics; None where nothing could be compared."""
    table = task.statistics
    found = table[(table["variant"] == row) & (table["metric"] == metric) & (table["structure"] == place)]
    return None if found.empty or not found["n"].iloc[0] else found.iloc[0]


def _cell(task: Task, row: str, metric: str, place: str) -> html.Cell:
    test = _test(task, row, metric, place)
    if test is None:
        return html.Cell(["–"])
    difference, p, holm, n, *seeds = _numbers(task, test, metric)
    adjusted = "" if math.isnan(test["p_holm"]) else f", Holm {holm}"
    return html.Cell([difference, f"p {p}{adjusted}, n {n}", *seeds], _direction(test))


def _numbers(task: Task, test: pd.Series, metric: str) -> list[str]:
    """Difference with its interval, p, p after Holm, n and, of several seeds, the second test."""
    digits = METRICS[metric].decimals
    interval = "" if math.isnan(test["ci_low"]) else f" [{test['ci_low']:.{digits}f}, {test['ci_high']:.{digits}f}]"
    holm = "–" if math.isnan(test["p_holm"]) else f"{test['p_holm']:.3g}"
    words = [f"{SIGNS.get(_direction(test), '')}{test['median_difference']:+.{digits}f}{interval}"]
    words += [f"{test['p']:.3g}", holm, f"{test['n']:d}"]
    words += [seeds_words(test, METRICS[metric])] if len(task.seeds) > 1 else []
    return [html.minus(entry) for entry in words]


def _direction(test: pd.Series) -> str:
    """`better` or `worse` where the row differs significantly from the reference, else ""."""
    return test["direction"] if test["significant"] and test["direction"] in SIGNS else ""
