"""Which network a generator is: kind and sizes become the architecture in nnU-Net's plans. Standard library only."""

import math

from ..base.errors import ConfigError

GANS = ("pix2pixhd", "spade")
NETWORKS = {
    "pix2pixhd": "afpbench.generators.pix2pixhd.Pix2PixHD",
    "spade": "afpbench.generators.spade.Spade",
}
TRILINEAR = {
    "dynamic_network_architectures.architectures.unet.PlainConvUNet": "afpbench.generators.trilinear.TrilinearUNet",
}
SIZES = ("base_features", "max_features", "downsamplings", "blocks")


def is_gan(generator: dict) -> bool:
    """Whether a generator is trained against a discriminator."""
    return generator["kind"] in GANS


def architecture(generator: dict, planned: dict, patch_size) -> dict:
    """The `architecture` of a configuration in nnU-Net's plans.

    generator: its entry in the study. planned: the U-Net that nnU-Net's planner chose. patch_size: z, y, x.
    Raises ConfigError for patches that the network's lowest resolution cannot normalise.
    """
    if is_gan(generator):
        check_depth(generator["downsamplings"], patch_size)
        keys = (*SIZES, "spade_features") if generator["kind"] == "spade" else SIZES
        arguments = {key: generator[key] for key in keys}
        return {
            "network_class_name": NETWORKS[generator["kind"]],
            "arch_kwargs": arguments,
            "_kw_requires_import": [],
        }
    if generator["decoder"] == "transposed":
        return planned
    return {**planned, "network_class_name": TRILINEAR[planned["network_class_name"]]}


def check_depth(downsamplings: int, patch_size) -> None:
    """Raise ConfigError unless more than one voxel of a patch is left after the downsamplings."""
    left = [math.ceil(size / 2**downsamplings) for size in patch_size]
    if math.prod(left) < 2:
        raise ConfigError(
            "generator: too many downsamplings for the patch",
            found=f"{downsamplings} downsamplings of {' x '.join(map(str, patch_size))} voxels leave one voxel",
            expected="at least two voxels, since features are normalised over them",
            hint="lower the generator's `downsamplings`, or enlarge its `patch_size`",
        )
