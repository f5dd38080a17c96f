"""Scales on which features are compared: the option `scale` of a feature loss."""

import torch
from torch.nn import functional as F

EPSILON = 1e-5  # of instance normalisation, as torch's


def unit_norm(features: torch.Tensor) -> torch.Tensor:
    """Each voxel's vector of features at length 1 (L2, over the channels), float32; a vector of zeros stays.

    features: (B, C, z, y, x). As LPIPS compares features (Zhang et al., The unreasonable effectiveness of deep features
    as a perceptual metric, CVPR 2018).
    """
    return F.normalize(features.float(), dim=1, eps=1e-6)


def instance(features: torch.Tensor) -> torch.Tensor:
    """Each channel of each patch at mean 0 and standard deviation 1 over the patch, float32."""
    variance, mean = torch.var_mean(features.float(), dim=(2, 3, 4), correction=0, keepdim=True)
    return (features - mean) / (variance + EPSILON).sqrt()


SCALINGS = {"unit_norm": unit_norm, "instance": instance}  # the other scales leave the features as they are
