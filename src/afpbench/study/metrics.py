"""Which metrics there are: those that a column may name, those that are always computed, and those that a task adds."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .kinds.metric import Metric
from .kinds.registry import METRICS

if TYPE_CHECKING:
    from .task import Task

GROUPS = {
    "image": "Of images",
    "uncalibrated": "Of images, inside the body only",
    "uncertainty": "Of uncertainty maps (`inference.uncertainty`), inside the body only",
    "mr": "Of the synthetic CT and the MR, inside the body only",
    "structure": "Of structures",
    "tree": "Of structures with `tree: true`",
}


def score_metrics() -> list[str]:
    """Every metric that a column of a table may name: all but the costs."""
    return [name for name, metric in METRICS.classes().items() if "cost" not in metric.of]


def metrics_of(what: str) -> list[type[Metric]]:
    """The metrics of an `image`, a `structure`, a `tree` and so on; first those that are of it most of all."""
    found = [metric for metric in METRICS.classes().values() if what in metric.of]
    return sorted(found, key=lambda metric: metric.of.index(what))


def family_metrics(what: str) -> list[str]:
    """Those of them that are computed together, of every case."""
    return [metric.name for metric in metrics_of(what) if metric.family]


def extra_metrics(task: "Task") -> list[str]:
    """The metrics that the tables of a task name and that are computed for that reason only, each once, in order."""
    named = [column["metric"] for table in task.tables.values() for column in table.columns()]
    return [name for name in dict.fromkeys(named) if not METRICS[name].family]


def shown(names: Iterable[str]) -> dict[str, dict[str, str | float | None]]:
    """How metrics are shown and which way they are better: what statistics, tables and figures depend on."""
    return {name: METRICS[name].shown() for name in names}


def description() -> str:
    """What a column's `metric` says of itself in the reference: every metric with its description."""
    parts = []
    for what, words in GROUPS.items():
        listed = [f"`{metric.name}` {_lower(metric.description())}{_unit(metric)}" for metric in metrics_of(what)]
        parts += [f"{words}: {'; '.join(listed)}."] if listed else []
    return " ".join(parts)


def _unit(metric: type[Metric]) -> str:
    return f" ({metric.unit})" if metric.unit else ""


def _lower(text: str) -> str:
    """A sentence within a sentence: no capital (but of an abbreviation), no full stop."""
    first = text.split(" ", 1)[0]
    return (text[:1].lower() + text[1:] if not first.isupper() else text).rstrip(".")
