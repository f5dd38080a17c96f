"""afpbench.features.frozen: the same values and gradients as PyTorch's own modules, with less kept."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from afpbench.features.frozen import FrozenBlock, FrozenConv3d, lean
from afpbench.features.unet import UNetLayers
from afpbench.losses.distance import l1_sum
from afpbench.losses.gradients import with_gradient
from afpbench.nnunet.compat import ensure_torchvision_operators


def unet(features=(4, 6, 8), residual=False, seed=0):
    """A U-Net of nnU-Net's, in float64, with scales and offsets of its normalisations that are not 1 and 0."""
    ensure_torchvision_operators()
    from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet

    torch.manual_seed(seed)
    stages = len(features)
    network = (ResidualEncoderUNet if residual else PlainConvUNet)(
        1, stages, features, nn.Conv3d, 3, [1] + [2] * (stages - 1), 2, 3, 2, True,
        nn.InstanceNorm3d, {"eps": 1e-5, "affine": True}, None, None, nn.LeakyReLU, {"inplace": True},
    )  # fmt: skip
    for parameter in network.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, 0.3)
    return network.double().requires_grad_(False).eval()


def convolution(*, stride, dilation, padding, groups, kernel, dtype):
    torch.manual_seed(0)
    module = nn.Conv3d(4, 6, kernel, stride, padding, dilation, groups).to(dtype)
    return module.requires_grad_(False)


@settings(max_examples=60, deadline=None)
@given(
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.integers(0, 3),
    groups=st.sampled_from([1, 2]),
    kernel=st.sampled_from([1, 2, 3, (1, 3, 3), (5, 3, 1)]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    shape=st.tuples(st.integers(1, 2), *[st.integers(9, 12)] * 3),
)
def test_a_frozen_convolution_is_pytorchs(stride, dilation, padding, groups, kernel, dtype, shape):
    plain = convolution(stride=stride, dilation=dilation, padding=padding, groups=groups, kernel=kernel, dtype=dtype)
    frozen = FrozenConv3d(plain)
    image = torch.randn(shape[0], 4, *shape[1:], dtype=dtype)
    one, other = image.clone().requires_grad_(), image.clone().requires_grad_()
    expected, found = plain(one), frozen(other)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-5)


def test_what_lean_leaves_alone():
    odd = nn.Sequential(nn.Conv3d(1, 2, 3, padding="same"), nn.Conv3d(2, 2, 3, padding=1, padding_mode="replicate"))
    kinds = [type(child) for child in lean(odd)]
    assert kinds == [nn.Conv3d, nn.Conv3d]


@pytest.mark.parametrize("residual", [False, True])
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 999),
    shape=st.tuples(st.integers(1, 3), *[st.sampled_from([8, 12, 16])] * 3),
    layers=st.sampled_from(["stages", "encoder", "all", ["decoder.0", "encoder.1", "encoder.1"], ["logits"]]),
)
def test_afp_patch_by_patch_is_afp(residual, seed, shape, layers):
    """In float64, where no rounding turns a sign: the value and the gradient of Eq. 1 as plain PyTorch has them."""
    network = unet(residual=residual, seed=seed % 3)
    plain = UNetLayers(copy.deepcopy(network), layers)
    frozen = lean(UNetLayers(network, layers))
    assert any(isinstance(module, FrozenBlock) for module in frozen.modules())
    synthetic, real = torch.randn(2, shape[0], 1, *shape[1:], dtype=torch.float64)
    one, other = synthetic.clone().requires_grad_(), synthetic.clone().requires_grad_()
    pairs = zip(plain(one), plain(real), strict=True)
    expected = torch.stack([nn.functional.l1_loss(a, b) for a, b in pairs]).mean()

    def patch(image, number):
        with torch.no_grad():
            targets = frozen(real[number : number + 1])
        pairs = zip(frozen(image), targets, strict=True)
        return torch.stack([l1_sum(a, b) / (shape[0] * a.numel()) for a, b in pairs]).mean()

    found = sum(with_gradient(lambda x, n=n: patch(x, n), other[n : n + 1]) for n in range(shape[0]))
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)  # distances are summed in float32
    expected.backward()
    found.backward()
    torch.testing.assert_close(other.grad, one.grad, rtol=1e-5, atol=1e-9)


def test_a_frozen_block_keeps_one_tensor():
    block = next(m for m in lean(UNetLayers(unet())).modules() if isinstance(m, FrozenBlock))
    kept = []
    image = torch.randn(1, 1, 8, 8, 8, dtype=torch.float64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        block(image)
    assert [tensor.numel() for tensor in kept] == [4 * 8**3, 4, 4]  # the convolution's output, mean and 1 / SD


def test_features_come_as_they_are_computed_and_in_their_places():
    layers = UNetLayers(unet(), ["decoder.1", "encoder.0", "encoder.0"])
    image = torch.randn(1, 1, 8, 8, 8, dtype=torch.float64)
    assert [place for place, _ in layers.stream(image)] == [1, 2, 0]
    first, second, third = layers(image)
    assert second is third and not torch.equal(first, second)


def test_mixed_precision():
    network = lean(UNetLayers(unet().float(), "stages"))
    image = torch.randn(1, 1, 16, 16, 16, requires_grad=True)
    exact = network(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = network(image)
    sum(feature.float().abs().mean() for feature in rough).backward()
    assert torch.isfinite(image.grad).all() and image.grad.any()
    for one, other in zip(exact, rough, strict=True):
        assert other.dtype == torch.bfloat16
        assert (one - other).abs().mean() < 0.1 * one.abs().mean()
