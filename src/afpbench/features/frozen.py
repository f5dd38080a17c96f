"""Frozen networks that keep little for the gradient of their input, and run single patches fast on a CPU.

A frozen convolution needs no input for its gradient, and a block of convolution, instance normalisation and leaky ReLU
needs one tensor where PyTorch keeps two or three. On a CPU in float32 every convolution goes to oneDNN: PyTorch leaves
a single patch to a kernel of its own that takes several times as long. Values and gradients differ by rounding only.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.modules.dropout import _DropoutNd


def lean(module: nn.Module) -> nn.Module:
    """Replace, in place, the 3D convolutions and the blocks in a frozen network by those of this file."""
    for name, child in module.named_children():
        if (block := _block(child)) is not None:
            setattr(module, name, block)
        elif type(child) is nn.Conv3d and child.padding_mode == "zeros" and not isinstance(child.padding, str):
            setattr(module, name, FrozenConv3d(child))
        else:
            lean(child)
    return module


class FrozenConv3d(nn.Module):
    """A convolution that keeps nothing for the gradient of its input."""

    def __init__(self, convolution: nn.Conv3d):
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self.stride, self.dilation, self.groups = convolution.stride, convolution.dilation, convolution.groups
        self.padding = tuple(map(int, convolution.padding))
        self._turned: tuple[tuple[int, int], torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Convolution.apply(x, self)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        """The convolution itself, which autocast may run in less precision."""
        if torch.is_autocast_enabled(x.device.type) or not self._by_onednn(x):
            return F.conv3d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return torch.mkldnn_convolution(
            x, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups
        )

    def input_gradient(self, shape: Sequence[int], gradient: torch.Tensor) -> torch.Tensor:
        """The gradient of an input of `shape` for that of the output: the transposed convolution."""
        reach = [d * (k - 1) for d, k in zip(self.dilation, self.weight.shape[2:], strict=True)]
        padding = [r - p for r, p in zip(reach, self.padding, strict=True)]
        plain = set(self.stride) == {1} and self.groups == 1 and min(padding) >= 0
        if plain and self._by_onednn(gradient):
            return torch.mkldnn_convolution(gradient, self._turn(), None, padding, self.stride, self.dilation, 1)
        back = [(n - 1) * s for n, s in zip(gradient.shape[2:], self.stride, strict=True)]
        sizes = zip(shape[2:], back, self.padding, reach, strict=True)
        rest = [n - (b - 2 * p + r + 1) for n, b, p, r in sizes]  # what a stride leaves over at the far end
        weight, groups = self.weight.to(gradient.dtype), self.groups
        return F.conv_transpose3d(gradient, weight, None, self.stride, self.padding, rest, groups, self.dilation)

    def _turn(self) -> torch.Tensor:
        """The kernel mirrored, its channels exchanged: the gradient's own. Made once, since weights are frozen."""
        key = (self.weight.data_ptr(), self.weight._version)
        if self._turned is None or self._turned[0] != key:
            last = torch.channels_last_3d
            self._turned = (key, self.weight.flip(2, 3, 4).transpose(0, 1).contiguous(memory_format=last))
        return self._turned[1]

    def _by_onednn(self, x: torch.Tensor) -> bool:
        fits = x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()
        return fits and math.prod(self.weight.shape[2:]) > 1  # one voxel is a matrix product in PyTorch already


class FrozenBlock(nn.Module):
    """Convolution, instance normalisation and leaky ReLU. For a single patch it keeps the convolution's output only."""

    def __init__(self, conv: FrozenConv3d, norm: nn.InstanceNorm3d, slope: float):
        super().__init__()
        self.conv, self.norm, self.slope = conv, norm, slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) == 1:
            return _Block.apply(x, self)
        return F.leaky_relu(self.norm(self.conv(x)), self.slope, inplace=True)

    def normalise(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A single patch's channels normalised, with mean and 1 / SD of each: batch normalisation of one patch."""
        return torch.native_batch_norm(x, self.norm.weight, self.norm.bias, None, None, True, 0.0, self.norm.eps)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(context, x, module):
        context.module, context.shape, context.dtype = module, x.shape, x.dtype
        return module.compute(x)

    @staticmethod
    @once_differentiable
    def backward(context, gradient):
        return context.module.input_gradient(context.shape, gradient).to(context.dtype), None


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(context, x, block):
        y = block.conv.compute(x)
        out, mean, inverse = block.normalise(y)
        context.block, context.shape, context.dtype = block, x.shape, x.dtype
        context.save_for_backward(y, mean, inverse)
        return F.leaky_relu(out, block.slope, inplace=True)

    @staticmethod
    @once_differentiable
    def backward(context, gradient):
        block, (y, mean, inverse) = context.block, context.saved_tensors
        norm = block.norm
        if block.slope != 1:
            again = torch.native_batch_norm(
                y, norm.weight, norm.bias, mean, inverse**-2 - norm.eps, False, 0.0, norm.eps
            )
            gradient = torch.ops.aten.leaky_relu_backward(gradient, again[0], block.slope, False)
        statistics = (None, None, mean, inverse, True, norm.eps, (True, False, False))
        gradient = torch.ops.aten.native_batch_norm_backward(gradient, y, norm.weight, *statistics)[0]
        return block.conv.input_gradient(context.shape, gradient).to(context.dtype), None


def _block(module: Any) -> FrozenBlock | None:
    """The block that a module of dynamic_network_architectures is (dropout does nothing in evaluation), or None."""
    if not isinstance(modules := getattr(module, "all_modules", None), nn.Sequential):
        return None
    parts: list[Any] = [part for part in modules if not isinstance(part, _DropoutNd)]
    kinds = [type(part) for part in parts]
    if kinds not in ([nn.Conv3d, nn.InstanceNorm3d], [nn.Conv3d, nn.InstanceNorm3d, nn.LeakyReLU]):
        return None
    convolution, norm = parts[:2]
    if norm.track_running_stats or convolution.padding_mode != "zeros" or isinstance(convolution.padding, str):
        return None
    slope = parts[2].negative_slope if len(parts) == 3 else 1.0
    return FrozenBlock(FrozenConv3d(convolution), norm, slope)
