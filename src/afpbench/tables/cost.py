"""The table of costs (the paper's Table 4), from the records that trainings and syntheses leave."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..study.metrics import metrics_of
from .build import Context, Row, Table, build_companion
from .captions import loss_notes
from .cells import Cell, Column
from .footnotes import footnotes
from .inputs import Inputs
from .render import rendered

ITERATIONS_PER_EPOCH = 250  # of nnU-Net and of the paper; an epoch of a study may be shorter
PROJECTED = "†"


def cost_files(name: str, spec: Mapping[str, Any], inputs: Inputs, context: Context) -> dict[str, str]:
    """File name -> text of the table and, where its spec says `published`, of its companion."""
    return rendered(build_cost_tables(name, spec, inputs.costs, inputs.syntheses, context))


def build_cost_tables(
    name: str,
    spec: Mapping,
    costs: Mapping[str, Mapping],
    syntheses: Mapping[str, Sequence[Mapping]],
    context: Context,
) -> list[Table]:
    """The table and, where its spec says `published: table4`, its companion with the paper's numbers.

    spec: {"caption", "rows", "epochs", "published"}. costs: variant -> its cost.json; a row without one, which nothing
    trained, has no numbers. syntheses: variant -> the entries of its synthesis records, one for each test case.
    Memory is the peak in MB (of the GPU where one was used, else of the process), the time of training that of `epochs`
    epochs of 250 iterations: projected from the measured seconds per iteration, with a mark, unless just so many were
    run. Inference: mean ± SD of the seconds of a case with reading, and the largest peak.
    """
    columns = tuple(
        Column(metric, "body", "", "Inference" if metric.name.startswith("inference") else "Training")
        for metric in metrics_of("cost")
    )
    target = spec["epochs"] * ITERATIONS_PER_EPOCH
    rows = tuple(
        _row(key, costs[key], syntheses[key], target, context)
        if key in costs
        else _untrained_row(key, syntheses[key], len(columns), context)
        for key in spec["rows"]
    )
    notes = _footnotes(rows, columns, costs, syntheses, spec["epochs"])
    losses = loss_notes(context.losses, context.labels, spec["rows"])
    notes += tuple(_conditions(spec, costs, context))
    table = Table(name, _caption(spec), columns, rows, notes, losses=losses, title=spec.get("title", ""))
    return [table, build_companion(table, spec["published"])] if spec.get("published") else [table]


def pooled_cost(records: Sequence[Mapping], seeds: int = 1, together: int = 1) -> dict:
    """One cost record for a variant's folds and seeds, equally many folds of each seed.

    together: how many networks predict each case together: the folds of an ensemble, 1 of a cross-validation.
    `seconds` are the mean over the records times what a row needs, one for each seed and each of those `together`;
    `seconds_per_iteration` the mean; the peak is the largest; the rest is what the first one says.
    """
    times = {key: float(np.mean([record[key] for record in records])) for key in ("seconds", "seconds_per_iteration")}
    times["seconds"] *= seeds * together
    peak = max(record["peak_memory_mb"] for record in records)
    return {**records[0], **times, "peak_memory_mb": peak, "seeds": seeds, "together": together}


def _row(key: str, cost: Mapping, entries: Sequence[Mapping], target: int, context: Context) -> Row:
    done = [entry for entry in entries if entry["status"] == "ok"]
    per_case: dict[str, list[float]] = {}  # one of each seed
    for entry in done:
        per_case.setdefault(entry["case"], []).append(entry["seconds"])
    seconds = np.array([np.mean(each) for each in per_case.values()], dtype=np.float64)
    failures = _failures(entries)
    n, cell = len(per_case), partial(Cell, n=len(per_case), n_failed=len(failures))
    cells = (
        cell(cost["peak_memory_mb"]),
        cell(cost["seconds_per_iteration"]),
        _training_time(cost, target, cell),
        cell(max((entry["peak_memory_mb"] for entry in done), default=math.nan)),
        cell(float(seconds.mean()) if n else math.nan, float(seconds.std(ddof=1)) if n > 1 else math.nan),
    )
    return Row(key, context.labels.get(key) or key, "variant", n, len(failures), cells, failures)


def _untrained_row(key: str, entries: Sequence[Mapping], columns: int, context: Context) -> Row:
    """A row from files: nobody knows what it took."""
    n, failures = sum(entry["status"] == "ok" for entry in entries), _failures(entries)
    cells = (Cell(n=n, n_failed=len(failures)),) * columns
    return Row(key, context.labels.get(key) or key, "variant", n, len(failures), cells, failures)


def _failures(entries: Sequence[Mapping]) -> tuple[tuple[str, str], ...]:
    """(case, reason), each case once."""
    failed = {e["case"]: e["status"].removeprefix("failed: ") for e in entries if e["status"] != "ok"}
    return tuple(failed.items())


def _training_time(cost: Mapping, target: int, cell: Callable[..., Cell]) -> Cell:
    if cost["iterations"] == target:
        return cell(cost["seconds"] / 3600)
    trainings = cost.get("seeds", 1) * cost.get("together", 1)
    return cell(cost["seconds_per_iteration"] * target * trainings / 3600, mark=PROJECTED)


def _caption(spec: Mapping) -> str:
    words = f"Training of {spec['epochs']} epochs of {ITERATIONS_PER_EPOCH} iterations."
    return " ".join(part for part in (str(spec.get("caption", "")).strip(), words) if part)


def _conditions(spec: Mapping, costs: Mapping[str, Mapping], context: Context) -> list[str]:
    """What was measured, and on what, where it is the same for all rows."""
    used = [costs[key] for key in spec["rows"] if key in costs]
    machines = list(dict.fromkeys(machine_words(cost["machine"]) for cost in used))
    settings = list(dict.fromkeys(_settings(cost) for cost in used))
    where = "of the GPU" if all(cost["machine"]["gpu"] for cost in used) else "of the process"
    return [
        f"Memory: the peak {where}. Inference: mean ± SD over the test cases (n in the last column), with reading and "
        "writing; any loss costs the same there.",
        *([_summed(used)] if _summed(used) else []),
        *([f"Machine: {machines[0]}."] if len(machines) == 1 else []),
        *([f"{settings[0]}."] if len(settings) == 1 else []),
        *([context.notes.strip()] if context.notes.strip() else []),
    ]


def _summed(costs: Sequence[Mapping]) -> str:
    """What a training's time is the sum over, where a row is more than one network."""
    most = {key: max((cost.get(key, 1) for cost in costs), default=1) for key in ("seeds", "together")}
    parts = ["seeds"] if most["seeds"] > 1 else []
    parts += [f"the {most['together']} networks that predict together"] if most["together"] > 1 else []
    return f"Training times are summed over {' and '.join(parts)}." if parts else ""


def _predictions(syntheses: Iterable[Mapping]) -> list[str]:
    """How often a network looks at each case, where that is more than once."""
    ways = {
        (entry.get("networks", 1), entry.get("combine", ""), tuple(entry.get("mirror", ())))
        for entry in syntheses
        if entry["status"] == "ok"
    }
    notes = []
    for networks, combine, axes in sorted(ways):
        how = [f"by {networks} networks together, the {combine} of their synthetic CTs"] if networks > 1 else []
        how += [f"on mirror images too ({', '.join(axes)})"] if axes else []
        if how:
            notes.append(f"Inference {', '.join(how)}: each case is predicted {networks * 2 ** len(axes)} times")
    return notes


def _footnotes(rows: Sequence[Row], columns, costs: Mapping, syntheses: Mapping, epochs: int) -> tuple[str, ...]:
    notes, trained = [], [row for row in rows if row.key in costs]
    projected = [row for row in rows if any(cell.mark for cell in row.cells)]
    if projected:
        counts = "; ".join(f"{row.label}: {costs[row.key]['iterations']} iterations" for row in projected)
        notes.append(f"{PROJECTED} Projected to {epochs} epochs from the measured time of an iteration ({counts})")
    for words in (lambda cost: f"machine: {machine_words(cost['machine'])}", _settings):
        if len({words(costs[row.key]) for row in trained}) > 1:
            notes += [f"{row.label}: {words(costs[row.key])}" for row in trained]
    notes += [f"{row.label}: synthetic CT from files, nothing was trained" for row in rows if row.key not in costs]
    shapes = {tuple(entry["shape"]) for row in trained for entry in syntheses[row.key] if entry["status"] == "ok"}
    if shapes:
        smallest, largest = (_times(shape) for shape in (min(shapes, key=math.prod), max(shapes, key=math.prod)))
        sizes = smallest if smallest == largest else f"{smallest} to {largest}"
        notes.append(f"Volumes of the test cases: {sizes} voxels (z, y, x)")
    notes += _predictions(entry for row in rows for entry in syntheses[row.key])
    return tuple(notes + footnotes(rows, columns))


def machine_words(machine: Mapping) -> str:
    """A machine of a cost record in words: its GPU, or its cores and processor."""
    return machine["gpu"] or f"{machine['cores']} cores of {machine['processor']}"


def _settings(cost: Mapping) -> str:
    shared = f" on {cost['gpus']} GPUs" if cost["gpus"] > 1 else ""
    return f"Patch {_times(cost['patch_size'])}, batch {cost['batch_size']}{shared}, precision {cost['precision']}"


def _times(numbers: Sequence[int]) -> str:
    return " × ".join(map(str, numbers))
