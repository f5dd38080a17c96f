"""The anchor of the HU scale."""

from ..loss import Loss


class HuAnchor(Loss):
    """Per patch, the absolute differences of the mean and of the standard deviation of the CT: the two directions that
    AFP alone cannot see.

    A network that begins with convolution and instance normalisation is blind to a global scale and offset of HU, so
    that AFP alone drifts in these two directions. This term closes exactly them, without the blur of a voxel-wise L1.
    In normalised CT (one unit is `std_hu`), so that its weight compares with that of `l1`.
    """

    name = "hu_anchor"

    def value(self, synthetic, real, region=None):
        (mean, deviation), (real_mean, real_deviation) = _moments(synthetic), _moments(real)
        return ((mean - real_mean).abs() + (deviation - real_deviation).abs()).mean()


def _moments(patches):
    """Mean and (population) standard deviation of each patch, with a finite gradient where a patch is constant."""
    import torch

    variance, mean = torch.var_mean(patches.float().flatten(1), dim=1, correction=0)
    return mean, variance.clamp_min(1e-12).sqrt()
