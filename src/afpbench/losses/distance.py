"""Distances between two feature tensors, reduced in float32 whatever the precision of the features."""

import torch


class _L1Mean(torch.autograd.Function):
    """mean |a - b| with a gradient for `a` only. Keeps one tensor (the signs), and makes one pass in each direction."""

    @staticmethod
    def forward(context, a, b):
        difference = a - b
        value = difference.abs().mean(dtype=torch.float32)
        context.save_for_backward(difference.sign_())
        return value

    @staticmethod
    def backward(context, gradient):
        (sign,) = context.saved_tensors
        return sign * (gradient / sign.numel()), None


def l1_mean(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The mean absolute difference, float32; differentiable (once) in `a` only."""
    return _L1Mean.apply(a, b)


def mse_mean(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The mean squared difference, float32."""
    return torch.nn.functional.mse_loss(a.float(), b.float())


def weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The mean of values (B, C, z, y, x) with weights (B, 1, z, y, x), float32; zero where no weight is."""
    total = weights.sum(dtype=torch.float32) * values.shape[1]
    return (values.float() * weights).sum() / total.clamp_min(torch.finfo(torch.float32).tiny)
