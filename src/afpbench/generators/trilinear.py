"""nnU-Net's U-Net with upsampling and convolution where it has transposed convolutions.

Source: A. Odena et al., Deconvolution and checkerboard artifacts, Distill 2016, which the paper follows.
"""

from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn


class TrilinearUNet(PlainConvUNet):
    """PlainConvUNet whose decoder enlarges trilinearly and then convolves; same arguments, same feature maps.

    A transposed convolution whose kernel is its stride gives each voxel of a block its own weights, which shows as a
    pattern of the stride's period. Here every voxel gets the same weights (a kernel of 3, or 1 along axes that are
    not enlarged).
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.decoder.transpconvs = nn.ModuleList(_enlarge(module) for module in self.decoder.transpconvs)


def _enlarge(transposed: nn.ConvTranspose3d) -> nn.Sequential:
    stride = transposed.stride
    kz, ky, kx = (3 if step > 1 else 1 for step in stride)
    convolution = nn.Conv3d(
        transposed.in_channels,
        transposed.out_channels,
        (kz, ky, kx),
        padding=(kz // 2, ky // 2, kx // 2),
        bias=transposed.bias is not None,
    )
    return nn.Sequential(nn.Upsample(scale_factor=tuple(map(float, stride)), mode="trilinear"), convolution)
