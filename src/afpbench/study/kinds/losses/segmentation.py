"""The usual segmentation loss through a frozen network."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .features import NETWORKS, NetworkLoss


class Segmentation(NetworkLoss):
    """Dice and cross-entropy of the frozen network's output on the synthetic CT against its own segmentation of the
    real CT: the last-layer loss that the paper argues against.
    """

    name = "segmentation"
    implementation = "afpbench.losses.segmentation:SegmentationLoss"
    needs_logits = True
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "networks": NETWORKS,
        "dice_weight": {"type": "number", "minimum": 0, "default": 1, "description": "Factor of the Dice part."},
        "cross_entropy_weight": {
            "type": "number",
            "minimum": 0,
            "default": 1,
            "description": "Factor of the cross-entropy part.",
        },
    }
