"""From CT in HU on the training grid to a network's own input: what nnU-Net's preprocessing does, differentiable.

The order is nnU-Net's: orientation of its reader, `transpose_forward`, intensity normalisation, resampling, padding.
Three things differ, because the input is a patch in training and not a whole volume: resampling is trilinear (nnU-Net:
cubic splines, and nearest neighbour along a strongly anisotropic axis); ZScore and RescaleTo01 take their statistics
from the patch (nnU-Net: from the volume); and padding goes to the next size that the network can divide, at the far
end of each axis (nnU-Net: to its tile size, on both sides). The value is the same: zero after normalisation.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from ..base.errors import ModelError

EPSILON = 1e-8  # nnU-Net's own for float32


def ct_normalization(x: torch.Tensor, properties: dict) -> torch.Tensor:
    """nnU-Net's CTNormalization: clip to the 0.5 and 99.5 percentiles, minus mean, over standard deviation.

    Outside the percentiles the gradient is zero: the network cannot see there either.
    """
    x = x.clamp(properties["percentile_00_5"], properties["percentile_99_5"])
    return (x - properties["mean"]) / max(properties["std"], EPSILON)


def zscore_normalization(x: torch.Tensor, properties: dict) -> torch.Tensor:
    """nnU-Net's ZScoreNormalization, per patch. CT in HU has no zero-valued outside, so that its mask is the whole."""
    axes = tuple(range(1, x.ndim))
    std, mean = torch.std_mean(x, dim=axes, correction=0, keepdim=True)
    return (x - mean) / std.clamp_min(EPSILON)


def no_normalization(x: torch.Tensor, properties: dict) -> torch.Tensor:
    """nnU-Net's NoNormalization."""
    return x


def rescale_to_01(x: torch.Tensor, properties: dict) -> torch.Tensor:
    """nnU-Net's RescaleTo01Normalization, per patch."""
    axes = tuple(range(1, x.ndim))
    x = x - x.amin(dim=axes, keepdim=True)
    return x / x.amax(dim=axes, keepdim=True).clamp_min(EPSILON)


def rgb_to_01(x: torch.Tensor, properties: dict) -> torch.Tensor:
    """nnU-Net's RGBTo01Normalization: over 255. Its check that values lie in [0, 255] would stop any CT; it is left."""
    return x / 255.0


def naviairway_scaling(x: torch.Tensor, properties: dict) -> torch.Tensor:
    """NaviAirway's input, per patch: clipped to [-1000, 600] HU, minus the minimum, over the 99th percentile, x 255."""
    axes = tuple(range(1, x.ndim))
    x = x.clamp(-1000.0, 600.0)
    x = x - x.amin(dim=axes, keepdim=True)
    high = torch.quantile(x.flatten(1), 0.99, dim=1).reshape(-1, *(1,) * (x.ndim - 1))
    return x * (255.0 / torch.where(high > 0, high, 255.0))


NNUNET_NORMALIZATIONS: dict[str, Callable[[torch.Tensor, dict], torch.Tensor]] = {
    "CTNormalization": ct_normalization,
    "ZScoreNormalization": zscore_normalization,
    "NoNormalization": no_normalization,
    "RescaleTo01Normalization": rescale_to_01,
    "RGBTo01Normalization": rgb_to_01,
}
NORMALIZATIONS = {**NNUNET_NORMALIZATIONS, "NaviAirway": naviairway_scaling}


class InputMapping(nn.Module):
    """CT patches (B, 1, z, y, x) in HU on the training grid to a network's input space, differentiable."""

    def __init__(
        self,
        spacing_mm: Sequence[float],
        target_spacing_mm: Sequence[float] | None = None,
        *,
        transpose: Sequence[int] = (0, 1, 2),
        flip: Sequence[int] = (),
        normalization: str = "NoNormalization",
        properties: dict | None = None,
        divisor: Sequence[int] = (1, 1, 1),
    ):
        """
        spacing_mm: of the training grid (z, y, x). target_spacing_mm: of the network, in the network's axes (after
        `transpose`), or None to keep the grid.
        transpose: the network's axis i is the training grid's axis transpose[i]. flip: axes (of z, y, x) that the
        network's reader turns round, against the canonical LPS arrays.
        normalization, properties: nnU-Net's scheme, and its foreground intensities.
        divisor: what the network's input size must be divisible by, in the network's axes.
        """
        super().__init__()
        if normalization not in NORMALIZATIONS:
            raise ModelError(
                "feature network: unknown intensity normalisation",
                found=normalization,
                expected=", ".join(NORMALIZATIONS),
                hint="a scheme of one's own must be written differentiably in afpbench/features/mapping.py",
            )
        self.transpose = tuple(transpose)
        self.flip = tuple(flip)
        self.spacing_mm = tuple(float(spacing_mm[axis]) for axis in self.transpose)
        self.target_spacing_mm = tuple(map(float, target_spacing_mm or self.spacing_mm))
        self.normalization = normalization
        self.properties = properties or {}
        self.divisor = tuple(divisor)

    def size(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The size of a z, y, x patch on the network's grid, in the network's axes, before padding."""
        turned = (shape[axis] for axis in self.transpose)
        ratios = (own / target for own, target in zip(self.spacing_mm, self.target_spacing_mm, strict=True))
        return tuple(round(n * ratio) for n, ratio in zip(turned, ratios, strict=True))

    def padding(self, size: Sequence[int]) -> tuple[int, ...]:
        """The zeros to append to each of the network's axes."""
        return tuple(-n % d for n, d in zip(size, self.divisor, strict=True))

    def steps(self) -> tuple[int, ...]:
        """What a z, y, x patch on the training grid must be divisible by to need no padding; 1 where resampled."""
        if self.spacing_mm != self.target_spacing_mm:
            return (1, 1, 1)
        return tuple(self.divisor[self.transpose.index(axis)] for axis in range(3))

    def forward(self, ct_hu: torch.Tensor) -> torch.Tensor:
        """The network's input, float32, for CT in HU."""
        x = self._turn(ct_hu.float())
        x = NORMALIZATIONS[self.normalization](x, self.properties)
        return self._pad(self._resample(x))

    def region(self, mask: torch.Tensor) -> torch.Tensor:
        """A mask on the training grid, in the network's input grid: float32 in [0, 1], zero in the padding."""
        return self._pad(self._resample(self._turn(mask.float())))

    def back(self, mask: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """A mask on the network's grid, without padding, on the training grid of `shape` (z, y, x): nearest voxels."""
        turned = tuple(shape[axis] for axis in self.transpose)
        if tuple(mask.shape[2:]) != turned:
            mask = F.interpolate(mask, size=turned, mode="nearest-exact")
        mask = mask.permute(0, 1, *(self.transpose.index(axis) + 2 for axis in range(3)))
        return mask.flip([axis + 2 for axis in self.flip]) if self.flip else mask

    def _turn(self, x: torch.Tensor) -> torch.Tensor:
        if self.flip:
            x = x.flip([axis + 2 for axis in self.flip])
        if self.transpose != (0, 1, 2):
            x = x.permute(0, 1, *(axis + 2 for axis in self.transpose)).contiguous()
        return x

    def _resample(self, x: torch.Tensor) -> torch.Tensor:
        if self.spacing_mm == self.target_spacing_mm:
            return x
        back = [self.transpose.index(axis) for axis in range(3)]
        size = self.size([x.shape[2 + axis] for axis in back])
        if size == tuple(x.shape[2:]):
            return x
        if min(size) < 1:
            raise ModelError(
                "feature network: the patch vanishes on the network's grid",
                found=f"patch {tuple(x.shape[2:])} at {self.spacing_mm} mm, network at {self.target_spacing_mm} mm",
                hint="use larger patches or a network of finer spacing",
            )
        with torch.autocast(x.device.type, enabled=False):
            return F.interpolate(x, size=size, mode="trilinear", align_corners=False)

    def _pad(self, x: torch.Tensor) -> torch.Tensor:
        z, y, x_axis = self.padding(x.shape[2:])
        return F.pad(x, (0, x_axis, 0, y, 0, z)) if z or y or x_axis else x
