"""The generator of pix2pixHD in 3D.

Source: T.-C. Wang et al., High-resolution image synthesis and semantic manipulation with conditional GANs, CVPR 2018
(the global generator: a stem, strided convolutions, residual blocks, enlargements, a head). It enlarges
and then convolves, as SPADE does, instead of transposed convolutions and their checkerboard (A. Odena et al., Distill
2016).
"""

import torch
from torch import nn
from torch.nn import functional

from ..base.thin_convolution import ThinConv3d

STEM = 7  # voxels, the kernel of the first and the last convolution


class Pix2PixHD(nn.Module):
    """MR (B, C, z, y, x) to normalised CT (B, 1, z, y, x), any size whose lowest resolution has two voxels.

    input_channels, num_classes, deep_supervision: as nnU-Net gives them to any network; there is one output.
    base_features: feature maps at full resolution; they double with each downsampling up to max_features.
    downsamplings: halvings of the resolution. blocks: residual blocks at the lowest one.
    """

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        base_features: int,
        max_features: int,
        downsamplings: int,
        blocks: int,
        deep_supervision: bool = False,
    ):
        super().__init__()
        features = [min(base_features * 2**level, max_features) for level in range(downsamplings + 1)]
        self.stem = Step(thin(input_channels, features[0]), PlainNorm(features[0]))
        pairs = list(zip(features[:-1], features[1:], strict=True))
        self.down = nn.ModuleList(Step(conv(low, high, 3, stride=2), PlainNorm(high)) for low, high in pairs)
        self.blocks = nn.ModuleList(ResidualBlock(features[-1], self.convolution, self.norm) for _ in range(blocks))
        self.up = nn.ModuleList(
            Step(self.convolution(high, low, 3), self.norm(low)) for low, high in reversed(pairs)
        )  # fmt: skip
        self.head = thin(features[0], num_classes)

    def convolution(self, inputs: int, outputs: int, kernel: int) -> nn.Module:
        """A convolution after the lowest resolution is reached."""
        return conv(inputs, outputs, kernel)

    def norm(self, features: int) -> nn.Module:
        """A normalisation after the lowest resolution is reached: called with the features and the MR at their size."""
        return PlainNorm(features)

    def forward(self, mr: torch.Tensor) -> torch.Tensor:
        levels = [mr]
        x = self.stem(mr, mr)
        for step in self.down:
            levels.append(functional.avg_pool3d(levels[-1], 2, ceil_mode=True, count_include_pad=False))
            x = step(x, levels[-1])
        for block in self.blocks:
            x = block(x, levels[-1])
        for step, level in zip(self.up, reversed(levels[:-1]), strict=True):
            x = step(functional.interpolate(x, size=level.shape[2:], mode="nearest"), level)
        return self.head(x)


class PlainNorm(nn.InstanceNorm3d):
    """Instance normalisation with a learned scale and offset, blind to the MR."""

    def __init__(self, features: int):
        super().__init__(features, affine=True)

    def forward(self, x: torch.Tensor, mr: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(x)


class Step(nn.Module):
    """Convolution, normalisation, ReLU."""

    def __init__(self, convolution: nn.Module, norm: nn.Module):
        super().__init__()
        self.convolution, self.norm = convolution, norm

    def forward(self, x: torch.Tensor, mr: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.norm(self.convolution(x), mr))


class ResidualBlock(nn.Module):
    """Convolution, normalisation, ReLU, convolution, normalisation, added to the input."""

    def __init__(self, features: int, convolution, norm):
        super().__init__()
        self.first = Step(convolution(features, features, 3), norm(features))
        self.second, self.norm = convolution(features, features, 3), norm(features)

    def forward(self, x: torch.Tensor, mr: torch.Tensor) -> torch.Tensor:
        return x + self.norm(self.second(self.first(x, mr)), mr)


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv3d:
    """A convolution that keeps the size (or halves it, rounded up), with pix2pixHD's first weights."""
    return _begun(nn.Conv3d(inputs, outputs, kernel, stride, padding=kernel // 2))


def thin(inputs: int, outputs: int) -> nn.Conv3d:
    """The first or the last convolution: of few channels on one side, with the same first weights."""
    return _begun(ThinConv3d(inputs, outputs, STEM))


def _begun(module: nn.Conv3d) -> nn.Conv3d:
    nn.init.normal_(module.weight, 0.0, 0.02)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module
