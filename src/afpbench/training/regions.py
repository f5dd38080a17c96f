"""The regions of loss terms as channels beside the body, made before augmentation, so that they move with the image."""

from collections.abc import Sequence

import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform


class LabelsToRegions(BasicTransform):
    """The label map of a patch, (body, labels), becomes (body, region 1, region 2, ...).

    A region is 1 where the labels have one of its values, else 0. Few channels of two values turn faster than one of
    many.
    """

    def __init__(self, regions: Sequence[Sequence[int]]):
        """regions: the label values of each."""
        super().__init__()
        self.regions = [torch.tensor(sorted(values), dtype=torch.int16) for values in regions]

    def apply(self, data_dict: dict, **params) -> dict:
        """Replace `segmentation`, (2, z, y, x), by (1 + regions, z, y, x)."""
        body, labels = data_dict["segmentation"]
        regions = [torch.isin(labels, values).to(body.dtype) for values in self.regions]
        data_dict["segmentation"] = torch.stack([body, *regions])
        return data_dict
