"""What generators put into nnU-Net's plans in the place of the planned U-Net. Standard library only."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..base.errors import ConfigError

TRILINEAR = {
    "dynamic_network_architectures.architectures.unet.PlainConvUNet": "afpbench.generators.trilinear.TrilinearUNet",
}


def unet(generator: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """The U-Net that nnU-Net's planner chose, with the decoder that the generator's entry names."""
    if generator["decoder"] == "transposed":
        return dict(planned)
    return {**planned, "network_class_name": TRILINEAR[planned["network_class_name"]]}


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
