"""The numbers of a table, from the long table, the statistics and a spec of the study file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from ..base.errors import ConfigError
from ..metrics.missing import with_penalties
from ..metrics.seeds import over_seeds, seeds_of
from ..study.kinds.registry import METRICS
from .captions import loss_notes, reading_notes, shades_note
from .cells import Cell, Column, cell, compared_cases
from .footnotes import failures, footnotes
from .marks import mark_best, shade
from .published import PublishedTable, published_table


@dataclass(frozen=True)
class Context:
    """What a task says beyond one table's spec.

    variants, controls: rows in the study file's order. reference: the row that the statistics compare with.
    labels: row -> name for people. structures: structure -> {"label", "segmenter"}. alpha: of the statistics.
    missing: what a row counts with that finds nothing of a structure, as metrics.missing.with_penalties takes it.
    notes: text that belongs below the table. task: "" takes the long table's only one. losses: variant -> its terms.
    chosen_by: variant -> what the epoch of its weights was chosen by, "" for the last one. definition: whose
    definitions of the metrics were taken.
    """

    variants: Sequence[str]
    reference: str
    controls: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    structures: Mapping[str, Mapping] = field(default_factory=dict)
    alpha: float = 0.05
    missing: str = "penalty"
    notes: str = ""
    task: str = ""
    losses: Mapping[str, Sequence[Mapping]] = field(default_factory=dict)
    chosen_by: Mapping[str, str] = field(default_factory=dict)
    definition: str = "afpbench"


@dataclass(frozen=True)
class Row:
    """n: cases that did not fail. kind: `variant`, `control` or `published` (of the paper, not of the study)."""

    key: str
    label: str
    kind: str
    n: int
    n_failed: int
    cells: tuple[Cell, ...]
    failures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """A table ready to be rendered. seeds: how many trained each variant.

    title: for people; "" takes the name. What only some formats say of it: reading, how rows are compared, and losses,
    each row's, where the table stands alone; legend, what the cells' colours mean, where there are colours.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[str, ...]
    seeds: int = 1
    legend: str = ""
    losses: str = ""
    title: str = ""
    reading: tuple[str, ...] = ()


def build_table(name: str, spec: Mapping, long: pd.DataFrame, statistics: pd.DataFrame, context: Context) -> Table:
    """The table `name` of a task.

    spec: {"caption", "rows": [...] (default: all variants and controls), "columns": [{"metric", "structure"?,
    "region"?}]}. Controls stand below the variants. The cells of a column are over the cases that all variants have; a
    column with fewer than three of them is over each row's own, without best, asterisk and shade. Best: the best mean
    among the variants, and every row that shows the same digits. Significant: better than the reference row with
    p < alpha. Shades: see marks.shade. Of several seeds cells show the mean over cases and seeds, the SD over cases
    of values averaged over the seeds, and the SD between the seeds' means.
    Raises ConfigError for a row, metric, structure or region that is not in the metrics.
    """
    every = with_penalties(_task_lines(long, context), context.missing)
    long, seeds = over_seeds(every), len(seeds_of(every)) or 1
    entries = [_column(name, entry, long, context) for entry in spec["columns"]]
    keys = _row_keys(name, spec, long, context)
    variants = [key for key in keys if key not in context.controls]
    compared = [compared_cases(long, column, variants, context.alpha) for column in entries]
    columns = tuple(column for column, _ in compared)
    rows = [_row(key, long, statistics, compared, context, every[every["variant"] == key]) for key in keys]
    rows = shade(mark_best(rows, columns), columns)
    shaded = any(each.shade for row in rows for each in row.cells)
    return Table(
        name, _caption(spec, context, rows), columns, tuple(rows), _notes(rows, columns, context), seeds,
        legend=shades_note(context.alpha) if shaded else "", losses=loss_notes(context.losses, context.labels, keys),
        title=spec.get("title", ""),
        reading=reading_notes(context.missing, any(column.segmenter for column in columns), seeds),
    )  # fmt: skip


def build_companion(table: Table, key: str) -> Table:
    """The published numbers of the paper's table `key` beside ours: each of our columns is followed by the paper's.

    Rows match by the variant's name. Rows of the paper that the study lacks follow the variants; what has no
    counterpart is empty (an em dash for people).
    """
    paper = published_table(key)
    columns = tuple(column for ours in table.columns for column in (ours, replace(ours, published=True)))
    ours = [replace(row, cells=_beside(row.cells, row.key, table.columns, paper)) for row in table.rows]
    known = {row.key for row in table.rows}
    empty = (Cell(),) * len(table.columns)
    theirs = [
        Row(variant, label, "published", 0, 0, _beside(empty, variant, table.columns, paper))
        for variant, label in paper.labels.items()
        if variant not in known
    ]
    variants, controls = ([row for row in ours if (row.kind == "control") is control] for control in (False, True))
    rows = [*variants, *theirs, *controls]
    if any(each.shade for row in table.rows for each in row.cells):
        rows = shade(rows, columns)
    number = key.removeprefix("table")
    caption = (
        f"{table.caption} Beside each column: what the paper printed in its Table {number}; a dash: no counterpart."
    )
    note = "The paper's numbers, bold and asterisks are of other data, networks and training length: not a target"
    name, title = f"{table.name}_published", f"{table.title}, beside the paper" if table.title else ""
    notes = (note, *table.footnotes)
    return replace(table, name=name, title=title, caption=caption, columns=columns, rows=tuple(rows), footnotes=notes)


def build_all(name: str, spec: Mapping, long: pd.DataFrame, statistics: pd.DataFrame, context: Context) -> list[Table]:
    """The table and, where its spec says `published: table1` or so, its companion."""
    table = build_table(name, spec, long, statistics, context)
    return [table, build_companion(table, spec["published"])] if spec.get("published") else [table]


def _task_lines(long: pd.DataFrame, context: Context) -> pd.DataFrame:
    tasks = list(dict.fromkeys(long["task"]))
    task = context.task or (tasks[0] if len(tasks) == 1 else None)
    if task not in tasks:
        raise ConfigError(
            "tables: which task", found=context.task or "none given", expected="one of " + ", ".join(tasks)
        )
    return long[long["task"] == task]


def _column(name: str, entry: Mapping, long: pd.DataFrame, context: Context) -> Column:
    where = f"tables.{name}.columns"
    if entry["metric"] not in METRICS:
        raise ConfigError(f"{where}: unknown metric", found=entry["metric"], expected=", ".join(METRICS))
    metric = METRICS[entry["metric"]]
    lines = long[long["metric"] == metric.name]
    if lines.empty:
        raise ConfigError(
            f"{where}: {metric.name} is not in the metrics",
            found=", ".join(dict.fromkeys(long["metric"])),
            expected=metric.name,
            hint="make the metrics anew: they are older than this column",
        )
    structure = entry.get("structure")
    if structure is None:
        region = entry.get("region", "body")
        present = lines.loc[lines["segmenter"] == "", "structure"]
        if region not in set(present):
            raise ConfigError(
                f"{where}: {metric.name} of this region is not in the metrics",
                found=region,
                expected=", ".join(dict.fromkeys(present)) or "a structure: this metric is computed per structure",
            )
        group = {"body": "Image", "volume": "Image (whole volume)"}[region]
        return Column(metric, region, "", group)
    known = context.structures.get(structure, {})
    present = lines[lines["segmenter"] != ""]
    segmenters = list(dict.fromkeys(present.loc[present["structure"] == structure, "segmenter"]))
    segmenter = entry.get("segmenter", known.get("segmenter", segmenters[0] if len(segmenters) == 1 else None))
    if segmenter not in segmenters:
        raise ConfigError(
            f"{where}: {metric.name} of this structure is not in the metrics",
            found=structure if not segmenters else f"{structure} by {segmenter}",
            expected=", ".join(dict.fromkeys(present["structure"])) if not segmenters else ", ".join(segmenters),
        )
    return Column(metric, structure, segmenter, known.get("label") or structure)


def _row_keys(name: str, spec: Mapping, long: pd.DataFrame, context: Context) -> list[str]:
    wanted = list(spec.get("rows") or (*context.variants, *context.controls))
    missing = [key for key in wanted if key not in set(long["variant"])]
    if missing:
        raise ConfigError(
            f"tables.{name}.rows: not in the metrics",
            found=", ".join(missing),
            expected="rows among " + ", ".join(dict.fromkeys(long["variant"])),
        )
    return sorted(wanted, key=lambda key: key in context.controls)


def _row(
    key: str, long: pd.DataFrame, statistics: pd.DataFrame, compared, context: Context, every: pd.DataFrame
) -> Row:
    lines = long[long["variant"] == key]
    failed = failures(lines)
    tested = statistics[(statistics["variant"] == key) & (statistics["reference"] == context.reference)]
    if "task" in tested and len(lines):
        tested = tested[tested["task"] == lines["task"].iloc[0]]
    cells = tuple(cell(lines, tested, column, cases, every, context.alpha) for column, cases in compared)
    kind = "control" if key in context.controls else "variant"
    n = lines["case"].nunique() - len(failed)
    return Row(key, context.labels.get(key) or key, kind, n, len(failed), cells, failed)


def _beside(cells: Sequence[Cell], variant: str, columns: Sequence[Column], paper: PublishedTable) -> tuple[Cell, ...]:
    both = []
    for ours, column in zip(cells, columns, strict=True):
        structure = column.structure if column.segmenter else ""
        printed = paper.values.get((variant, column.metric.name, structure)) if column.structure != "volume" else None
        theirs = Cell()
        if printed is not None:
            sd = math.nan if printed.sd is None else printed.sd
            theirs = Cell(printed.mean, sd, 0, 0, printed.bold, printed.asterisk, printed.decimals)
        both += [ours, theirs]
    return tuple(both)


def _caption(spec: Mapping, context: Context, rows: Sequence[Row]) -> str:
    counts = [row.n for row in rows]
    cases = f"{max(counts)}" if counts and min(counts) == max(counts) else "up to " + str(max(counts, default=0))
    reference = context.labels.get(context.reference) or context.reference
    means = (
        f"Mean ± SD over {cases} test cases. Bold: the best of the variants. *: better than {reference}, Wilcoxon "
        f"p < {context.alpha:g}, not adjusted for multiple tests."
    )
    return " ".join(part for part in (str(spec.get("caption", "")).strip(), means) if part)


def _notes(rows: Sequence[Row], columns: Sequence[Column], context: Context) -> tuple[str, ...]:
    """What stands below the table: of its cases and cells, and what the task says of its rows."""
    return tuple(note for note in (*footnotes(rows, columns), context.notes.strip()) if note)
