"""The gradient of a loss's value with respect to the synthetic CT."""

from collections.abc import Callable

import torch


def image_gradient(value: torch.Tensor, image: torch.Tensor, keep_graph: bool = True) -> torch.Tensor | None:
    """The gradient in float64, or None where there is none. keep_graph: whether `value` can be derived once more.

    It is scaled on its way as mixed precision does, so that it neither vanishes nor overflows in float16 where
    training, with its gradient scaler, would go well. In other formats a power of two changes nothing.
    """
    if not value.requires_grad:
        return None
    for scale in (2.0**16, 2.0**8, 1.0):
        keep = keep_graph or scale > 1
        with torch.autocast(image.device.type, enabled=False):
            (gradient,) = torch.autograd.grad(value * scale, image, allow_unused=True, retain_graph=keep)
        if gradient is None or torch.isfinite(gradient).all():
            break
    return None if gradient is None else gradient.double() / scale


def with_gradient(function: Callable[[torch.Tensor], torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    """function(image), a scalar, whose gradient is found at once, so that nothing of its graph outlives the call."""
    if not (torch.is_grad_enabled() and image.requires_grad):
        return function(image)
    probe = image.detach().requires_grad_()
    value = function(probe)
    gradient = image_gradient(value, probe, keep_graph=False)
    return value if gradient is None else _Known.apply(image, value.detach(), gradient.to(image.dtype))


class _Known(torch.autograd.Function):
    """A value with a gradient that is known already."""

    @staticmethod
    def forward(context, image, value, gradient):
        context.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(context, scale):
        (gradient,) = context.saved_tensors
        return gradient * scale, None, None
