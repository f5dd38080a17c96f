"""The gradient of a loss's value with respect to the synthetic CT."""

import torch


def image_gradient(value: torch.Tensor, image: torch.Tensor) -> torch.Tensor | None:
    """The gradient in float64, or None where there is none; the graph is kept.

    It is scaled on its way as mixed precision does, so that it neither vanishes nor overflows in float16 where
    training, with its gradient scaler, would go well.
    """
    if not value.requires_grad:
        return None
    for scale in (2.0**16, 2.0**8, 1.0):
        (gradient,) = torch.autograd.grad(value * scale, image, allow_unused=True, retain_graph=True)
        if gradient is None or torch.isfinite(gradient).all():
            break
    return None if gradient is None else gradient.double() / scale
