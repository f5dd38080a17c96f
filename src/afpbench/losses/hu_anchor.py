"""The anchor of the HU scale."""

import torch

from .base import LossTerm


class HuAnchorLoss(LossTerm):
    """Per patch: |difference of means| + |difference of standard deviations|, averaged over the batch.

    A network that begins with convolution and instance normalisation is blind to a global scale and offset of HU, so
    that AFP alone drifts in these two directions. This term closes exactly them, without the blur of a voxel-wise L1.
    In normalised CT (one unit is `std_hu`), so that its weight compares with that of `l1`.
    """

    TERM = "hu_anchor"

    def forward(self, synthetic, real, mask=None):
        mean_synthetic, deviation_synthetic = _moments(synthetic)
        mean_real, deviation_real = _moments(real)
        return ((mean_synthetic - mean_real).abs() + (deviation_synthetic - deviation_real).abs()).mean()


def _moments(patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and (population) standard deviation of each patch, with a finite gradient where a patch is constant."""
    variance, mean = torch.var_mean(patches.float().flatten(1), dim=1, correction=0)
    return mean, variance.clamp_min(1e-12).sqrt()
