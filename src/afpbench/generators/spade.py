"""pix2pixHD with spatially-adaptive normalisation (SPADE) in 3D, conditioned on the MR.

Source: T. Park et al., Semantic image synthesis with spatially-adaptive normalization, CVPR 2019; the layer is
MONAI's. Where Park et al. condition on a map of labels, here it is the MR itself, one continuous channel, averaged
down to each resolution: every normalisation after the lowest resolution takes scale and offset of each voxel from it.
"""

from monai.networks.blocks.spade_norm import SPADE
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from .pix2pixhd import Pix2PixHD, conv


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
        channels, hidden = self.hidden
        return SPADE(channels, features, kernel_size=3, spatial_dims=3, hidden_channels=hidden, norm="INSTANCE")
