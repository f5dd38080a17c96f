"""What the losses that compare two images voxel by voxel share: the region in which they look."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ..loss import Loss

if TYPE_CHECKING:
    import torch


class VoxelLoss(Loss):
    """A term that is the mean of a difference over voxels: of the whole patch, or of those in a region of it.

    A subclass implements `difference`.
    """

    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "region": {
            "description": "Which voxels are compared: `all`, or only those `inside` or `outside` what `region_of` "
            "names. The mean is over them, so that the air around a patient dilutes nothing.",
            "enum": ["all", "inside", "outside"],
            "default": "all",
        },
        "region_of": {
            "description": "Structures of the task or labels of the data source, as the label maps of the cases have "
            "them; null: the body.",
            "oneOf": [
                {"type": "null"},
                {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}},
            ],
            "default": None,
        },
    }

    @staticmethod
    def difference(synthetic: "torch.Tensor", real: "torch.Tensor", reduction: str) -> "torch.Tensor":
        """The difference of float32 images of one shape: of each voxel (`reduction` none), or their mean (mean)."""
        raise NotImplementedError

    def value(self, synthetic, real, region=None):
        synthetic, real = synthetic.float(), real.float()
        if region is None:
            return self.difference(synthetic, real, "mean")
        return (self.difference(synthetic, real, "none") * region).sum() / region.sum()

    def label_names(self) -> tuple[str, ...]:
        return tuple(self.options["region_of"] or ()) if self.options["region"] != "all" else ()

    def problems(self) -> Iterable[str]:
        if self.options["region_of"] and self.options["region"] == "all":
            yield (
                f"{self.place}.region_of: has no effect, since `region` is all; hint: set region to inside or outside"
            )
