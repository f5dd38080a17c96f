"""nnU-Net's own network as a generator."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ..generator import Generator


class NnUNet(Generator):
    """nnU-Net adapted to regression: its plain U-Net, or the one with a residual encoder (`planner.encoder`)."""

    name = "nnunet"
    citation = (
        "Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation, "
        "Nature Methods 2021, doi:10.1038/s41592-020-01008-z"
    )
    implementation = "afpbench.generators.architecture:unet"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "planner": {"default": {}, "$ref": "#/$defs/planner"},
        "patch_size": {"default": "auto", "$ref": "#/$defs/patch_size"},
        "decoder": {
            "description": "How the decoder enlarges. `transposed` is nnU-Net's transposed convolution; `trilinear` "
            "enlarges, then convolves, against checkerboard artefacts.",
            "enum": ["transposed", "trilinear"],
            "default": "transposed",
        },
        "head": {
            "description": "What the network gives: `direct` the CT, `residual` its difference from a straight line of "
            "the MR, whose slope (one for each of its channels) and offset are learned with the network and begin at "
            "0.",
            "enum": ["direct", "residual"],
            "default": "direct",
        },
    }

    @classmethod
    def architecture(
        cls, options: Mapping[str, Any], planned: Mapping[str, Any], patch_size: Sequence[int]
    ) -> dict[str, Any]:
        found: dict[str, Any] = cls.implement()(options, planned)
        return found

    @classmethod
    def code_of(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        trilinear = ("afpbench.generators.trilinear",) if options["decoder"] == "trilinear" else ()
        residual = ("afpbench.generators.residual_head",) if options["head"] == "residual" else ()
        return (*cls.code(), *trilinear, *residual)
