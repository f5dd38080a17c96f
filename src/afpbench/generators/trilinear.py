"""nnU-Net's U-Nets with upsampling and convolution where they have transposed convolutions.

Source: A. Odena et al., Deconvolution and checkerboard artifacts, Distill 2016, which the paper follows.
"""

from typing import Any

from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn


class Trilinear:
    """Before a U-Net among the bases: its decoder enlarges trilinearly and then convolves; same arguments and features.

    A transposed convolution whose kernel is its stride gives each voxel of a block its own weights, which shows as a
    pattern of the stride's period. Here every voxel gets the same weights (a kernel of 3, or 1 along axes that are
    not enlarged).
    """

    decoder: Any

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.decoder.transpconvs = nn.ModuleList(_enlarge(module) for module in self.decoder.transpconvs)


class TrilinearUNet(Trilinear, PlainConvUNet):
    """PlainConvUNet with a trilinear decoder."""


class TrilinearResidualUNet(Trilinear, ResidualEncoderUNet):
    """ResidualEncoderUNet with a trilinear decoder."""


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
