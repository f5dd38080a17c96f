"""What a generator is, as a study file names it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .kind import Kind

if TYPE_CHECKING:
    from torch import nn


class Generator(Kind):
    """A network that turns MR into CT.

    A subclass says which network stands in nnU-Net's plans (`architecture`). The simplest implements `network` and
    leaves the rest: the workflow then builds it from the entry's options.
    """

    GROUP: ClassVar[str] = "generators"
    SECTION: ClassVar[str] = "generators"
    adversarial: ClassVar[bool] = False  # trained against a discriminator
    trainer: ClassVar[str] = "nnUNetTrainerTranslation"  # of training/trainers
    optimizers: ClassVar[tuple[str, ...]] = ("sgd", "adamw")
    training: ClassVar[Mapping[str, Any]] = {}  # what it does not take from the task's `training`
    unused_training: ClassVar[Mapping[str, str]] = {}  # key of `training` that is given in vain -> what to say of it

    @classmethod
    def shared_properties(cls) -> Mapping[str, Mapping[str, Any]]:
        return {
            "planner": {
                "description": "What nnU-Net's planner may use to choose the patch size, where that is `auto`.",
                "$ref": "#/$defs/planner",
                "x-inherits": "the planner of the generator `nnunet`, key by key",
            },
            "patch_size": {
                "$ref": "#/$defs/patch_size",
                "x-inherits": "the patch size of the generator `nnunet`",
            },
        }

    @classmethod
    def to_write(cls) -> Iterable[tuple[str, ...]]:
        return (("network", "architecture"),)

    def complete(self, options: dict[str, Any]) -> None:
        """The patches are those of the generator `nnunet` unless the entry says otherwise."""
        like, training = self.task.options["generators"]["nnunet"], self.task.options["training"]
        options["planner"] = {**like.get("planner", {}), **options.get("planner", {})}
        options["planner"].setdefault("batch_size", training["batch_size"])
        options.setdefault("patch_size", like.get("patch_size", "auto"))

    @classmethod
    def architecture(
        cls, options: Mapping[str, Any], planned: Mapping[str, Any], patch_size: Sequence[int]
    ) -> dict[str, Any]:
        """The `architecture` of a configuration in nnU-Net's plans.

        options: the entry. planned: the U-Net that nnU-Net's planner chose. patch_size: z, y, x.
        """
        return {
            "network_class_name": "afpbench.generators.registered.RegisteredGenerator",
            "arch_kwargs": {"kind": cls.name, "options": dict(options)},
            "_kw_requires_import": [],
        }

    @classmethod
    def network(cls, input_channels: int, options: Mapping[str, Any]) -> "nn.Module":
        """The network: normalised MR (B, input_channels, z, y, x) to normalised CT (B, 1, z, y, x)."""
        raise NotImplementedError(f"{cls.__name__}.network")

    @classmethod
    def code_of(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """The modules of the network that these options choose."""
        return (*cls.code(), "afpbench.generators.registered")
