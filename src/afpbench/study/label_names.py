"""Which label values of the real CT a name in a study stands for. Standard library only: read when a study is planned.

Patch sampling (`training.patch_sampling`) and the `region` of a loss term name structures of the task or labels of the
data source. Only what the cases' own label maps hold can be named: a structure whose segmenter comes with weights of
its own has no values there.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .kinds import Segmenter
from .kinds.registry import LOSSES

if TYPE_CHECKING:
    from .task import Task


def label_values(task: "Task") -> dict[str, list[int]]:
    """Every name that a task may use -> its label values; a structure goes before a label of the same name."""
    values = {name: [value] for name, value in task.source.label_ids().items()}
    for name, structure in task.options["structures"].items():
        groups = _groups(task.segmenters.get(structure["segmenter"]))
        if all(group in groups for group in structure["classes"]):
            values[name] = sorted({value for group in structure["classes"] for value in groups[group]})
    return values


def _groups(segmenter: Segmenter | None) -> dict[str, list[int]]:
    """Class -> values in the cases' label maps; {} where the classes come from elsewhere."""
    if segmenter is None or segmenter.teacher is not None:
        return {}
    try:
        return segmenter.label_groups()
    except KeyError:  # a label that the source does not have: a problem of the segmenter, which says so
        return {}


def used_names(variant: Mapping) -> list[str]:
    """The names that a variant's loss terms and patch sampling use, in order."""
    sampling = variant["training"]["patch_sampling"]
    names = [] if isinstance(sampling, str) else list(sampling)
    names += [name for region in label_regions(variant["loss"]) for name in region]
    return list(dict.fromkeys(names))


def label_regions(terms: Iterable[Mapping]) -> list[tuple[str, ...]]:
    """The groups of names that the terms of a loss are limited to, each once, in order.

    The mask that comes with patches has the body in channel 0 and the i-th of these in channel i + 1.
    """
    return [group for group in dict.fromkeys(LOSSES.filled(term).label_names() for term in terms) if group]
