"""pix2pixHD, trained against a discriminator: what it shares with SPADE is here."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ....base.errors import ConfigError, one_line
from ..generator import Generator

SIZES: dict[str, dict[str, Any]] = {
    "base_features": {
        "description": "Feature maps at full resolution; they double with each downsampling.",
        "type": "integer",
        "minimum": 1,
        "default": 32,
    },
    "max_features": {
        "description": "Most feature maps at any resolution.",
        "type": "integer",
        "minimum": 1,
        "default": 256,
    },
    "downsamplings": {
        "description": "Halvings of the resolution in the generator.",
        "type": "integer",
        "minimum": 1,
        "maximum": 6,
        "default": 4,
    },
    "blocks": {
        "description": "Residual blocks at the lowest resolution.",
        "type": "integer",
        "minimum": 1,
        "default": 9,
    },
}
ADVERSARIAL: dict[str, dict[str, Any]] = {
    "discriminator": {
        "description": "Size of the discriminator.",
        "type": "object",
        "default": {},
        "additionalProperties": False,
        "properties": {
            "scales": {
                "description": "PatchGANs, each on images half as large as the one before.",
                "type": "integer",
                "minimum": 1,
                "maximum": 4,
                "default": 2,
            },
            "layers": {
                "description": "Convolutions of each PatchGAN before its map of scores; all but the last halve the "
                "resolution.",
                "type": "integer",
                "minimum": 2,
                "maximum": 6,
                "default": 4,
            },
            "base_features": {
                "description": "Feature maps of the first convolution; they double with each.",
                "type": "integer",
                "minimum": 1,
                "default": 64,
            },
        },
    },
    "adversarial_weight": {
        "description": "Factor of the adversarial hinge loss beside the variant's `loss`.",
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1,
    },
    "feature_matching_weight": {
        "description": "Factor of the feature matching loss, the L1 distance between the discriminator's features of "
        "real and synthetic CT; 0 for none.",
        "type": "number",
        "minimum": 0,
        "default": 10,
    },
}


class AdversarialGenerator(Generator):
    """A generator that plays against the multi-scale PatchGAN discriminator."""

    adversarial: ClassVar[bool] = True
    trainer: ClassVar[str] = "nnUNetTrainerAdversarial"
    optimizers: ClassVar[tuple[str, ...]] = ("adam",)
    # SPADE's own defaults, as the paper has them. The clip at 12 is nnU-Net's.
    training: ClassVar[Mapping[str, Any]] = {
        "optimizer": "adam",
        "learning_rate": 0.0002,
        "weight_decay": 0.0,
        "gradient_clip": None,
    }
    unused_training: ClassVar[Mapping[str, str]] = {
        "momentum": "has no effect, since a GAN is trained by adam; hint: remove it, or set adam_betas"
    }
    arguments: ClassVar[tuple[str, ...]] = ()  # options that are the network's arguments

    @classmethod
    def architecture(
        cls, options: Mapping[str, Any], planned: Mapping[str, Any], patch_size: Sequence[int]
    ) -> dict[str, Any]:
        """Raises ConfigError for patches that the network's lowest resolution cannot normalise."""
        check_depth(options["downsamplings"], patch_size)
        return {
            "network_class_name": cls.implementation.replace(":", "."),
            "arch_kwargs": {key: options[key] for key in cls.arguments},
            "_kw_requires_import": [],
        }

    @classmethod
    def code_of(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        shared = ("architecture", "discriminator", "adversarial")
        return (*cls.code(), *(f"afpbench.generators.{name}" for name in shared))

    def problems(self) -> Iterable[str]:
        """The patches survive the downsamplings, where the planner does not choose them."""
        if self.options["patch_size"] == "auto":
            return
        try:
            check_depth(self.options["downsamplings"], self.options["patch_size"])
        except ConfigError as error:
            yield f"{self.place}.downsamplings: {one_line(error)}"


class Pix2PixHD(AdversarialGenerator):
    """pix2pixHD in 3D, trained against a multi-scale PatchGAN discriminator with spectral normalisation (hinge loss,
    feature matching). The variant's `loss` is its reconstruction loss.
    """

    name = "pix2pixhd"
    citation = "Wang et al., High-resolution image synthesis and semantic manipulation with conditional GANs, CVPR 2018"
    implementation = "afpbench.generators.pix2pixhd:Pix2PixHD"
    arguments = tuple(SIZES)
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {**SIZES, **ADVERSARIAL}


def check_depth(downsamplings: int, patch_size: Sequence[int]) -> None:
    """Raise ConfigError unless more than one voxel of a patch (z, y, x) is left after the downsamplings."""
    left = [math.ceil(size / 2**downsamplings) for size in patch_size]
    if math.prod(left) < 2:
        raise ConfigError(
            "generator: too many downsamplings for the patch",
            found=f"{downsamplings} downsamplings of {' x '.join(map(str, patch_size))} voxels leave one voxel",
            expected="at least two voxels, since features are normalised over them",
            hint="lower the generator's `downsamplings`, or enlarge its `patch_size`",
        )
