"""What a schema cannot see of the options of a training."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..messages import not_among
from ..validation import JUDGED, epochs, judged_structures

NNUNET_OPTIMIZERS = ("sgd", "adamw")


def training_problems(place: str, training: Mapping[str, Any], what: str, optimizers: Sequence[str]) -> Iterator[str]:
    """The optimiser is one of those that fit; each GPU takes the same number of patches.

    place: of the entry that is trained. what: why other optimisers do not fit.
    """
    found, batch, gpus = (training[key] for key in ("optimizer", "batch_size", "gpus"))
    if found not in optimizers:
        yield not_among(f"{place}.training.optimizer", found, optimizers, what)
    if batch % gpus:
        yield (
            f"{place}.training.gpus: a batch of {batch} patches cannot be shared equally; found: {gpus}; "
            "hint: set batch_size to a multiple of it"
        )


def judge_problems(place: str, training: Mapping[str, Any], structures: Mapping[str, Any]) -> Iterator[str]:
    """The structures of a generator's validation exist, and there are whole cases to find them in.

    place: of the variant. structures: those of the task.
    """
    judged = judged_structures(training, structures)
    for name in judged:
        if name not in structures:
            yield not_among(f"{place}.training.{JUDGED}", name, structures, "no such structure")
    if judged and not training["validate_cases_every_epochs"]:
        yield (
            f"{place}.training.{JUDGED}: structures are looked for in whole validation cases, and none is validated; "
            "found: validate_cases_every_epochs 0; hint: set it to 1 or more"
        )


def of_generators_only(place: str, training: Mapping[str, Any]) -> Iterator[str]:
    """Other networks make no CT to find structures in. place: of one. training: its own, with what it inherits."""
    if training[JUDGED]:
        yield f"{place}.training.{JUDGED}: of generators only; hint: remove it"


def choice_warnings(place: str, training: Mapping[str, Any]) -> Iterator[str]:
    """What leaves `checkpoint: best` of a generator little to choose from. place: of the variant."""
    if training["checkpoint"] != "best":
        return
    every, count = training["validate_cases_every_epochs"], epochs(training)
    if not every:
        yield (
            f"{place}.training.checkpoint: the best epoch is chosen by the loss on a few patches; "
            "hint: set validate_cases_every_epochs to choose by whole validation cases"
        )
    elif every >= count:
        yield (
            f"{place}.training.checkpoint: whole cases are validated in the last of {count} epochs only, which is the "
            f"best one then; found: validate_cases_every_epochs {every}; hint: set it lower"
        )


def iterations_run(training: Mapping[str, Any]) -> int:
    """The iterations that are run: whole epochs, as many as `iterations` needs."""
    return epochs(training) * min(training["iterations_per_epoch"], training["iterations"])


def trainings(task: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where the training of each network stands in a completed task, and its options."""
    for part in ("segmenters", "feature_networks", "variants"):
        for name, entry in task.get(part, {}).items():
            if "training" in entry:
                yield f"{part}.{name}", entry["training"]


def broken_epochs(place: str, task: Mapping[str, Any]) -> Iterator[str]:
    """A line for each training whose last epoch makes it longer than the study says."""
    for where, training in trainings(task):
        asked, run = training["iterations"], iterations_run(training)
        if run != asked:
            epoch = training["iterations_per_epoch"]
            yield (
                f"{place}.{where}.training.iterations: {asked} are run as {run}, whole epochs of {epoch}; "
                f"hint: a multiple of {epoch}, or another iterations_per_epoch"
            )
