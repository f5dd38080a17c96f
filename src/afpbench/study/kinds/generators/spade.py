"""pix2pixHD with spatially-adaptive normalisation."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .pix2pixhd import ADVERSARIAL, SIZES, AdversarialGenerator


class Spade(AdversarialGenerator):
    """pix2pixHD whose residual blocks and decoder take scale and offset of their normalisations from the MR (SPADE).
    Trained as `pix2pixhd`.
    """

    name = "spade"
    citation = "Park et al., Semantic image synthesis with spatially-adaptive normalization, CVPR 2019"
    implementation = "afpbench.generators.spade:Spade"
    arguments = (*SIZES, "spade_features")
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **SIZES,
        "spade_features": {
            "description": "Feature maps between the MR and the scale and offset of each normalisation.",
            "type": "integer",
            "minimum": 1,
            "default": 64,
        },
        **ADVERSARIAL,
    }
