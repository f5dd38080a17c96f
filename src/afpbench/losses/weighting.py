"""Weights of the layers of a feature loss that training finds itself: the option `weighting`.

They are parameters that the optimiser steps together with the generator's (without momentum and weight decay), so that
a checkpoint holds them.
"""

import torch
from torch import nn

from .gradients import image_gradient


class UniformWeighting(nn.Module):
    """Every layer counts 1."""

    def forward(self, values: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """The sum over the layers. values: (N,), differentiable in `image`, the synthetic CT."""
        return values.sum()

    def weights(self) -> list[float]:
        """The weights that training found, one per layer; none where there is nothing to find."""
        return []


class UncertaintyWeighting(UniformWeighting):
    """Homoscedastic uncertainty (Kendall, Gal and Cipolla 2018, Multi-Task Learning Using Uncertainty to Weigh Losses).

    sum_i exp(-s_i) L_i + s_i with learnable s_i, 0 at the start. For an absolute error this is, up to a constant, the
    negative log-likelihood of a Laplace distribution of scale exp(s_i); with L_i constant, the weight exp(-s_i) tends
    to 1 / L_i. The sum may become negative.
    """

    def __init__(self, layers: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(layers))

    def forward(self, values, image):
        return (torch.exp(-self.log_scale) * values + self.log_scale).sum()

    def weights(self) -> list[float]:
        return torch.exp(-self.log_scale.detach()).tolist()


class GradientNormWeighting(UniformWeighting):
    """GradNorm (Chen et al. 2018, GradNorm: Gradient Normalization for Adaptive Loss Balancing) over the layers.

    With G_i = w_i ||dL_i/dx||_2 and r_i = (L_i / L_i(0)) / mean_j(L_j / L_j(0)), the weights minimise
    sum_i |G_i - mean(G) r_i^alpha| / mean(G), in which the target mean(G) r_i^alpha is held constant. Layers that lag
    behind get more weight. Two things differ from the paper: x is the synthetic CT, where the gradients of all layers
    meet, instead of the last shared weights; and w = N softmax(v) with learnable v, which keeps the weights positive
    and their sum N, instead of a renormalisation after each step. L_i(0) is that of the first patches.
    """

    first: torch.Tensor

    def __init__(self, layers: int, alpha: float):
        super().__init__()
        self.alpha = alpha
        self.logits = nn.Parameter(torch.zeros(layers))
        self.register_buffer("first", torch.zeros(layers))

    def forward(self, values, image):
        weights = len(self.logits) * torch.softmax(self.logits, 0)
        total = (weights.detach() * values).sum()
        if not (torch.is_grad_enabled() and values.requires_grad):
            return total
        balance = self._balance(weights, values, image)
        return total + balance - balance.detach()  # moves the weights, and no value

    def _balance(self, weights, values, image) -> torch.Tensor:
        if not self.first.any():
            self.first.copy_(values.detach())
        norms = torch.stack([_gradient_norm(value, image) for value in values]).to(weights.dtype)
        rates = values.detach() / self.first.clamp_min(torch.finfo(torch.float32).tiny)
        tiny = torch.finfo(torch.float32).tiny
        mean = (weights * norms).mean().detach().clamp_min(tiny)
        target = mean * (rates / rates.mean().clamp_min(tiny)) ** self.alpha
        return (weights * norms - target).abs().sum() / mean

    def weights(self) -> list[float]:
        return (len(self.logits) * torch.softmax(self.logits.detach(), 0)).tolist()


def build_weighting(kind: str, layers: int, alpha: float) -> UniformWeighting:
    """The weighting of one network's layers. kind: `uniform`, `uncertainty` or `gradient_norm`; alpha: of the last."""
    if kind == "uncertainty":
        return UncertaintyWeighting(layers)
    return GradientNormWeighting(layers, alpha) if kind == "gradient_norm" else UniformWeighting()


def _gradient_norm(value: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """The norm of a layer's gradient with respect to the image; 0 for a layer without one."""
    gradient = image_gradient(value, image)
    return value.new_zeros(()) if gradient is None else gradient.norm()
