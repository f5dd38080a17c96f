"""What generators put into nnU-Net's plans in the place of the planned U-Net. Standard library only."""

from collections.abc import Mapping
from typing import Any

TRILINEAR = {
    "dynamic_network_architectures.architectures.unet.PlainConvUNet": "afpbench.generators.trilinear.TrilinearUNet",
}


def unet(generator: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """The U-Net that nnU-Net's planner chose, with the decoder that the generator's entry names."""
    if generator["decoder"] == "transposed":
        return dict(planned)
    return {**planned, "network_class_name": TRILINEAR[planned["network_class_name"]]}
