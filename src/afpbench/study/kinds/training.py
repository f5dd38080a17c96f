"""What segmenters and feature networks that the workflow trains inherit from their task, and how they name it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ..validation import JUDGED

if TYPE_CHECKING:
    from ..task import Task

STAND_IN = "stand_in"  # as `weights`: the workflow trains them itself
PATCH_SIZE: dict[str, Any] = {
    "$ref": "#/$defs/patch_size",
    "x-inherits": "the patch size of the generator `nnunet`",
}


class StandIn:
    """What kinds share whose `weights` may be a stand-in that the workflow trains."""

    STAND_IN_KEYS: ClassVar[tuple[str, ...]] = ()  # options that only a stand-in has
    options: Mapping[str, Any]

    @property
    def trained_here(self) -> bool:
        """Whether the weights are the stand-in's."""
        return bool(self.options["weights"] == STAND_IN)

    def unused(self) -> Iterator[str]:
        """Options of a stand-in beside weights that are given."""
        for key in () if self.trained_here else self.STAND_IN_KEYS:
            if key in self.options:
                yield f"{key}: has no effect, since weights are given; hint: remove it, or set weights to '{STAND_IN}'"


def training_option(description: str) -> dict[str, Any]:
    """The option `training` of a network, which inherits the task's."""
    inherits = "the task's `training`, key by key"
    return {"description": description, "$ref": "#/$defs/training", "x-inherits": inherits}


def planner_option(description: str) -> dict[str, Any]:
    """The option `planner` of a network, which inherits that of the generator `nnunet`."""
    inherits = "the planner of the generator `nnunet`, key by key"
    return {"description": description, "$ref": "#/$defs/planner", "x-inherits": inherits}


def inherited_training(task: "Task") -> dict[str, Any]:
    """What networks that are no generators inherit of the task's `training`: they make no CT to find structures in."""
    return {**task.options["training"], JUDGED: False}


def inherit_training(options: dict[str, Any], task: "Task") -> None:
    """Fill in `training`, `planner` and `patch_size` of a segmenter that nnU-Net trains, in place."""
    like = task.options["generators"]["nnunet"]
    # Its classes are its foreground: structures named for the patches of generators are no choice for it.
    inherited = {**inherited_training(task), "patch_sampling": "foreground", "outside_hu": None}
    options["training"] = {**inherited, **options.get("training", {})}
    batch_size = {"batch_size": options["training"]["batch_size"]}
    options["planner"] = {**like["planner"], **batch_size, **options.get("planner", {})}
    options.setdefault("patch_size", like["patch_size"])
