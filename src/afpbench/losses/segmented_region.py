"""A region of the real CT that a frozen segmenter finds in each patch: for cases without label maps."""

from collections.abc import Sequence
from difflib import get_close_matches

import torch
from torch import nn

from ..base.atomic import read_json
from ..base.errors import ConfigError
from .base import LossContext


class SegmentedRegion(nn.Module):
    """Where a segmenter's label map of the real CT shows one of the given classes.

    It looks at the patch that the loss sees, after its augmentation, so that nothing has to be moved with it. Several
    folds: their softmax outputs are averaged.
    """

    def __init__(self, name: str, classes: Sequence[str], context: LossContext):
        """name: of the segmenter among the context's networks. classes: as its dataset.json calls them."""
        super().__init__()
        if (kind := context.networks.get(name, {}).get("kind", "nnunet")) != "nnunet":
            raise ConfigError(
                f"loss: region_by {name}", found=f"kind {kind}", expected="a segmenter with an nnU-Net model folder"
            )
        self.network = context.load_network(name, ["logits"])
        labels = read_json(f"{context.networks[name]['folder']}/dataset.json")["labels"]
        values = {label: value for label, value in labels.items() if isinstance(value, int)}
        unknown = [label for label in classes if label not in values]
        if self.network.has_regions or unknown:
            near = get_close_matches(unknown[0], values, n=1) if unknown else []
            raise ConfigError(
                f"loss: region_by {name}",
                found="a network of overlapping regions" if self.network.has_regions else ", ".join(unknown),
                expected="classes that exclude one another: " + ", ".join(list(values)[:20]),
                hint=f"did you mean {near[0]}?" if near else "",
            )
        self.values: torch.Tensor
        self.register_buffer("values", torch.tensor([values[label] for label in classes]), persistent=False)

    @torch.no_grad()
    def forward(self, real_hu: torch.Tensor) -> torch.Tensor:
        """1 inside, 0 outside, float32 (B, 1, z, y, x) on the grid of `real_hu`, the real CT in HU."""
        outputs = [logits.float().softmax(1) for logits in self.network(real_hu)]
        labels = torch.stack(outputs).mean(0).argmax(1, keepdim=True)
        inside = torch.isin(labels, self.values.to(labels.device)).float()
        return self.network.mapping.back(inside, real_hu.shape[2:])
