"""pix2pixHD with spatially-adaptive normalisation (SPADE) in 3D, conditioned on the MR.

Source: T. Park et al., Semantic image synthesis with spatially-adaptive normalization, CVPR 2019. Where Park et al.
condition on a map of labels, here it is the MR itself, its continuous channels, averaged down to each resolution: every
normalisation after the lowest resolution takes scale and offset of each voxel from it. (MONAI's layer normalises the
maps of scale and offset once more, which fixes how strong they are, whatever their weights.)
"""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from .pix2pixhd import Pix2PixHD, conv


class SpadeNorm(nn.Module):
    """Instance normalisation without parameters of its own, times 1 + scale, plus offset: both maps made of the MR.

    features: channels that are normalised. channels, hidden: of the MR, and between it and the maps.
    """

    def __init__(self, features: int, channels: int, hidden: int):
        super().__init__()
        self.plain = nn.InstanceNorm3d(features, affine=False)
        self.shared = conv(channels, hidden, 3)
        self.scale = conv(hidden, features, 3)
        self.offset = conv(hidden, features, 3)

    def forward(self, x: torch.Tensor, mr: torch.Tensor) -> torch.Tensor:
        """x: (B, features, z, y, x). mr: (B, channels, z, y, x), of the same size."""
        maps = functional.relu(self.shared(mr))
        return self.plain(x) * (1 + self.scale(maps)) + self.offset(maps)


class Spade(Pix2PixHD):
    """Pix2PixHD whose residual blocks and decoder are normalised by SPADE, with spectral norm on their convolutions.

    spade_features: feature maps between the MR and the scale and offset maps of each normalisation.
    """

    def __init__(self, input_channels: int, num_classes: int, *, spade_features: int, **sizes):
        self.hidden = (input_channels, spade_features)
        super().__init__(input_channels, num_classes, **sizes)

    def convolution(self, inputs: int, outputs: int, kernel: int) -> nn.Module:
        return spectral_norm(conv(inputs, outputs, kernel))

    def norm(self, features: int) -> nn.Module:
        return SpadeNorm(features, *self.hidden)
