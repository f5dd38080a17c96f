"""Distances between two feature tensors, reduced in float32 whatever the precision of the features."""

import torch


class _L1Sum(torch.autograd.Function):
    """sum w |a - b| with a gradient for `a` only. Keeps one byte per element (the signs), and the weights."""

    @staticmethod
    def forward(context, a, b, weights):
        difference = a - b
        context.save_for_backward(difference.sign().to(torch.int8), weights)
        context.dtype = difference.dtype
        magnitudes = difference.abs_()
        return (magnitudes if weights is None else magnitudes * weights).sum(dtype=torch.float32)

    @staticmethod
    def backward(context, gradient):
        signs, weights = context.saved_tensors
        slope = gradient if weights is None else weights * gradient
        return signs.to(context.dtype).mul_(slope), None, None


def l1_sum(a: torch.Tensor, b: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """The sum of absolute differences, float32; differentiable (once) in `a` only.

    a, b: (B, C, z, y, x). weights: (B, 1, z, y, x), of each voxel, or None.
    """
    return _L1Sum.apply(a, b, weights)


def mse_sum(a: torch.Tensor, b: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """The sum of squared differences, float32. Arguments as those of `l1_sum`."""
    squares = (a.float() - b.float()).square()
    return (squares if weights is None else squares * weights).sum()


def absolute_sum(a: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """The sum of absolute values, float32. Arguments as those of `l1_sum`."""
    return (a.abs() if weights is None else a.abs() * weights).sum(dtype=torch.float32)
