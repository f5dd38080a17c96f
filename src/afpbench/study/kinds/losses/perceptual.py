"""The perceptual loss."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .features import FEATURES, FeatureLoss


class Perceptual(FeatureLoss):
    """Perceptual loss: distance between the features of a network that was not trained on these structures (MedicalNet
    in the paper).

    The paper's second baseline (section 3.1): features after MedicalNet's first ReLU and its four layers.
    """

    name = "perceptual"
    citation = (
        "Johnson et al., Perceptual losses for real-time style transfer and super-resolution, ECCV 2016; "
        "Chen et al., Med3D: transfer learning for 3D medical image analysis, arXiv:1904.00625"
    )
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **FEATURES,
        "distance": {
            "description": "Distance between features: `l1` (as in the AFP loss) or `mse` (as in Johnson et al.).",
            "enum": ["l1", "mse"],
            "default": "l1",
        },
    }
