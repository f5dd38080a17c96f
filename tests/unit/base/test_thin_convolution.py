"""ThinConv3d against PyTorch's own convolution: the same values and gradients, whichever way its taps are laid out."""

import pytest
import torch
from torch import nn

from afpbench.base.thin_convolution import ThinConv3d


def both(inputs, outputs, kernel, dtype):
    torch.manual_seed(0)
    plain = nn.Conv3d(inputs, outputs, kernel, padding=kernel // 2, dtype=dtype)
    thin = ThinConv3d(inputs, outputs, kernel).to(dtype)
    thin.load_state_dict(plain.state_dict())
    return plain, thin, torch.randn(2, inputs, 9, 8, 11, dtype=dtype)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize(("inputs", "outputs", "kernel"), [(1, 4, 7), (4, 1, 7), (2, 3, 5), (3, 3, 3), (4, 2, 3)])
def test_values_and_gradients_are_those_of_pytorch(inputs, outputs, kernel, layout):
    results = []
    plain, thin, x = both(inputs, outputs, kernel, torch.float64)
    for module in (plain, thin):
        data = x.clone().to(memory_format=layout).requires_grad_()
        out = module.to(memory_format=layout)(data)
        (out * torch.arange(out.numel(), dtype=out.dtype).view_as(out).sin()).sum().backward()
        results.append([out, data.grad, *(parameter.grad for parameter in module.parameters())])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 4), (4, 1)])
def test_in_bfloat16_it_is_as_near_to_the_truth_as_pytorch_is(inputs, outputs):
    plain, thin, x = both(inputs, outputs, 7, torch.float32)
    truth = plain(x)
    with torch.autocast("cpu", torch.bfloat16):
        theirs, ours = plain(x), thin(x)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    assert (ours - truth).abs().mean() < 1.5 * (theirs - truth).abs().mean()


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="an odd kernel keeps the size, and this is 4"):
        ThinConv3d(1, 4, 4)
