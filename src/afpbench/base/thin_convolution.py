"""Convolutions of a large kernel with few channels on one side, on a CPU as fast as others.

The first and the last convolution of an image-to-image network have a kernel of 7 x 7 x 7 and few channels on one
side. oneDNN, which PyTorch calls, has no fast way for these: they take a third of a training step of SPADE. With the
taps of one axis as channels they become convolutions of a plane, and 2 to 7 times as fast. The sums are the same, in
another order. `benchmarks/thin_convolution.py` measures it.
"""

import torch
from torch import nn
from torch.nn import functional


class ThinConv3d(nn.Conv3d):
    """A Conv3d of stride 1 that keeps the size, of the same weights and to the same values up to rounding; on a GPU it
    is computed as any other."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        """kernel: odd, else ValueError."""
        if kernel % 2 == 0:
            raise ValueError(f"ThinConv3d: an odd kernel keeps the size, and this is {kernel}")
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)

    def _conv_forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if x.device.type != "cpu":
            return super()._conv_forward(x, weight, bias)
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.get_autocast_dtype("cpu"))  # before the slices are copied
        padding = weight.shape[2] // 2
        padded = functional.pad(x, (0, 0, 0, 0, padding, padding))
        few_inputs = self.in_channels <= self.out_channels
        out = (_taps_as_inputs if few_inputs else _taps_as_outputs)(padded, weight)
        return out if bias is None else out + bias.to(out.dtype).view(-1, 1, 1, 1)


def _taps_as_inputs(padded: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """One plane's convolution of the shifted slices of all taps of z. padded: along z alone."""
    kernel, side = weight.shape[2], weight.shape[2] // 2
    end = padded.shape[2] - kernel + 1
    slices = torch.cat([padded[:, :, tap : tap + end] for tap in range(kernel)], 1)
    flat = weight.transpose(1, 2).flatten(1, 2).unsqueeze(2)
    return functional.conv3d(slices, flat, None, 1, (0, side, side))


def _taps_as_outputs(padded: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """One plane's convolution to what each tap of z adds; the sum of these, shifted, in float32 at least."""
    kernel, side = weight.shape[2], weight.shape[2] // 2
    flat = weight.movedim(2, 0).flatten(0, 1).unsqueeze(2)
    parts = functional.conv3d(padded, flat, None, 1, (0, side, side)).unflatten(1, (kernel, -1))
    wide, end = torch.promote_types(parts.dtype, torch.float32), padded.shape[2] - kernel + 1
    total = parts[:, 0, :, :end].to(wide)
    for tap in range(1, kernel):
        total = total + parts[:, tap, :, tap : tap + end]
    return total.to(parts.dtype)
