"""The usual segmentation loss through a frozen network."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from ..base.errors import ConfigError
from .base import LossContext, LossTerm, named_weights


class SegmentationLoss(LossTerm):
    """Dice and cross-entropy of a frozen network's output on the synthetic CT, against its own on the real CT.

    The last-layer loss that the paper argues against (section 1), here to be compared with AFP. The target is the
    network's label map of the real CT; for a network of regions, its thresholded output. Dice as nnU-Net's, over the
    batch, but only over the foreground classes present in the target. Labels are not smoothed.
    """

    def __init__(self, options: Mapping, context: LossContext):
        super().__init__(options, context)
        self.shares = named_weights(self.options["networks"])
        self.networks = nn.ModuleList()
        for name in self.shares:
            if context.networks.get(name, {}).get("kind", "nnunet") != "nnunet":
                raise ConfigError(
                    f"loss term segmentation: network {name} has no segmentation output",
                    found=f"kind {context.networks[name]['kind']}",
                    expected="a segmenter with an nnU-Net model folder",
                )
            self.networks.append(context.load_network(name, ["logits"]))

    def forward(self, synthetic, real, mask=None):
        synthetic_hu, real_hu = self.to_hu(synthetic), self.to_hu(real.detach())
        total = synthetic_hu.new_zeros(())
        for name, network in zip(self.shares, self.networks, strict=True):
            with torch.no_grad():
                targets = network(real_hu)
            for logits, target in zip(network(synthetic_hu), targets, strict=True):
                value = self._compare(logits.float(), target.float(), network.has_regions)
                total = total + self.shares[name] * value / len(targets)
        return total

    def _compare(self, logits: torch.Tensor, target: torch.Tensor, regions: bool) -> torch.Tensor:
        if regions:
            truth = (target > 0).float()
            entropy = F.binary_cross_entropy_with_logits(logits, truth)
            dice = soft_dice(logits.sigmoid(), truth)
        else:
            labels = target.argmax(1)
            entropy = F.cross_entropy(logits, labels)
            truth = F.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].float()
            dice = soft_dice(logits.softmax(1)[:, 1:], truth)
        return self.options["dice_weight"] * (1 - dice) + self.options["cross_entropy_weight"] * entropy


def soft_dice(probabilities: torch.Tensor, truth: torch.Tensor, smooth: float = 1e-5) -> torch.Tensor:
    """Mean soft Dice over the channels with any truth; 1 where there is none.

    probabilities, truth: (B, C, z, y, x); sums go over the batch and space.
    """
    axes = (0, 2, 3, 4)
    present = truth.sum(axes)
    overlap = (probabilities * truth).sum(axes)
    dice = (2 * overlap + smooth) / (probabilities.sum(axes) + present + smooth)
    chosen = dice[present > 0]
    return chosen.mean() if len(chosen) else dice.new_ones(())
