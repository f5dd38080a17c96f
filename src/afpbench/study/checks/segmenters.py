"""What a schema cannot see of segmenters, feature networks, and the structures that segmenters find."""

from collections.abc import Iterator

from ..kinds import Network, Segmenter
from ..kinds.metric import REGIONS
from ..messages import not_among
from ..task import Task
from .training import NNUNET_OPTIMIZERS, of_generators_only, training_problems


def check_segmenters(task: Task) -> Iterator[str]:
    """What each kind knows of its entry, and what holds for every training."""
    for segmenter in task.segmenters.values():
        yield from _sampling_problems(segmenter)
        yield from segmenter.placed_problems()
        if segmenter.trained_here:
            what = "segmenters are trained by nnU-Net"
            yield from training_problems(segmenter.place, segmenter.options["training"], what, NNUNET_OPTIMIZERS)
            yield from of_generators_only(segmenter.place, segmenter.options["training"])


def check_networks(task: Task) -> Iterator[str]:
    """Names differ from the segmenters', and what each kind knows of its entry."""
    for name, network in task.networks.items():
        if name in task.segmenters:
            yield f"{network.place}: also the name of a segmenter; hint: give one of the two another name"
        yield from network.placed_problems()
        if network.trained_here:
            what = "stand-ins are trained by nnU-Net"
            yield from training_problems(network.place, network.options["training"], what, NNUNET_OPTIMIZERS)
            yield from of_generators_only(network.place, network.options["training"])


def check_structures(task: Task) -> Iterator[str]:
    """Each has a name of its own and is made of classes that its segmenter finds."""
    for name, structure in task.options["structures"].items():
        place = f"{task.place}.structures.{name}"
        if name in REGIONS:
            yield f"{place}: a reserved name; hint: it stands for a region of the image metrics"
        segmenter = task.segmenters.get(structure["segmenter"])
        if segmenter is None:
            yield not_among(f"{place}.segmenter", structure["segmenter"], task.segmenters, "no such segmenter")
            continue
        available = segmenter.classes()
        if available is None:  # its folder cannot say, which is a line of its own
            continue
        what = f"the segmenter '{structure['segmenter']}' has no such class"
        for label in structure["classes"]:
            if label not in available:
                yield not_among(f"{place}.classes", label, available, what)


def unused_options(task: Task) -> Iterator[str]:
    """Options given in vain. task: as the user wrote it."""
    networks: list[Segmenter | Network] = [*task.segmenters.values(), *task.networks.values()]
    for network in networks:
        yield from (f"{network.place}.{line}" for line in network.unused())


def _sampling_problems(segmenter: Segmenter) -> Iterator[str]:
    if not isinstance(segmenter.options.get("training", {}).get("patch_sampling", ""), str):
        yield (
            f"{segmenter.place}.training.patch_sampling: a segmenter's foreground is its classes; "
            "allowed: foreground, uniform; hint: remove the list"
        )
