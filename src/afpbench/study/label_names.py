"""Which label values of the real CT a name in a study stands for. Standard library only: read when a study is planned.

Patch sampling (`training.patch_sampling`) and the `region` of a loss term name structures of the task or labels of the
data source. Only what the cases' own label maps hold can be named: a structure whose segmenter comes with weights of
its own has no values there.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .kinds.registry import LOSSES
from .kinds.source import Source
from .kinds.sources import open_source

TOTALSEGMENTATOR_CLASSES = 117


def label_values(task: Mapping) -> dict[str, list[int]]:
    """Every name that a task may use -> its label values; a structure goes before a label of the same name.

    task: a completed task of a study.
    """
    source = open_source(task["data"], Path())
    ids = source.label_ids()
    values = {name: [value] for name, value in ids.items()}
    for name, structure in task["structures"].items():
        segmenter = task["segmenters"].get(structure["segmenter"], {})
        joined = {label for labels in (segmenter.get("classes") or {}).values() for label in labels}
        groups = segmenter_groups(source, segmenter) if segmenter and joined <= set(ids) else {}
        if all(group in groups for group in structure["classes"]):
            values[name] = sorted({value for group in structure["classes"] for value in groups[group]})
    return values


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


def segmenter_groups(source: Source, segmenter: Mapping[str, Any]) -> dict[str, list[int]]:
    """Class name -> label values of the cases, for a segmenter that is trained from the cases' labels.

    Of TotalSegmentator's stand-in these are its `classes`, or all that occur in the source under its ids.
    A segmenter with weights of its own has none, nor has one that learns from another.
    """
    if segmenter["kind"] == "distilled":
        return {}
    ids = source.label_ids()
    if segmenter["kind"] == "trained" or segmenter.get("classes"):
        return {group: [ids[name] for name in members] for group, members in segmenter["classes"].items()}
    if segmenter["kind"] == "totalsegmentator" and segmenter["weights"] == "stand_in" and source.has_true_labels:
        present = [name for name in source.label_names() if ids[name] <= TOTALSEGMENTATOR_CLASSES]
        return {name: [ids[name]] for name in sorted(present, key=ids.__getitem__)}
    return {}
