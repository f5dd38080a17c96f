"""What a schema cannot see of a variant's loss and patches. Standard library only."""

from collections.abc import Iterator

from ..label_names import label_values
from ..messages import not_among
from ..task import Task


def check_losses(task: Task, variant: str) -> Iterator[str]:
    """What each term knows of its entry; and names in patch sampling and loss regions exist."""
    for loss in task.losses(variant):
        yield from loss.placed_problems()
    yield from _label_names(task, variant)


def _label_names(task: Task, variant: str) -> Iterator[str]:
    """Patch sampling and loss regions name structures or labels that the cases' label maps hold."""
    labels, structures = task.source.label_names(), task.options["structures"]
    known = [name for name in label_values(task) if name in labels or name in structures]
    place = f"{task.place}.variants.{variant}"
    sampling = task.options["variants"][variant]["training"]["patch_sampling"]
    named = {f"{place}.training.patch_sampling": () if isinstance(sampling, str) else tuple(sampling)}
    named |= {f"{loss.place}.region_of": loss.label_names() for loss in task.losses(variant)}
    for where, names in named.items():
        for name in names:
            if name not in known:
                yield not_among(where, name, known, "no such structure or label in the data's label maps")
