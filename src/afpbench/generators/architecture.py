"""What generators put into nnU-Net's plans in the place of the planned U-Net. Standard library only."""

from collections.abc import Mapping
from typing import Any

UNETS = "dynamic_network_architectures.architectures.unet"
TRILINEAR = {
    f"{UNETS}.PlainConvUNet": "afpbench.generators.trilinear.TrilinearUNet",
    f"{UNETS}.ResidualEncoderUNet": "afpbench.generators.trilinear.TrilinearResidualUNet",
}


def unet(generator: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """The U-Net that nnU-Net's planner chose, with the decoder and the head that the generator's entry names."""
    found = dict(planned)
    if generator["decoder"] == "trilinear":
        found["network_class_name"] = TRILINEAR[planned["network_class_name"]]
    return found if generator["head"] == "direct" else _on_a_line(found)


def _on_a_line(network: dict[str, Any]) -> dict[str, Any]:
    return {
        "network_class_name": "afpbench.generators.residual_head.ResidualHead",
        "arch_kwargs": {"architecture": network},
        "_kw_requires_import": [],
    }
