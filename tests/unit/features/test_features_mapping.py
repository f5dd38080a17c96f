"""afpbench.features.mapping: equal to nnU-Net's own preprocessing, and differentiable."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.base.errors import ModelError
from afpbench.features.mapping import NNUNET_NORMALIZATIONS, NORMALIZATIONS, InputMapping
from afpbench.nnunet.compat import ensure_torchvision_operators

PROPERTIES = {"mean": 50.0, "std": 100.0, "percentile_00_5": -200.0, "percentile_99_5": 300.0}


def test_ct_normalization_by_hand():
    mapping = InputMapping((1, 1, 1), normalization="CTNormalization", properties=PROPERTIES)
    x = torch.tensor([-1000.0, -200.0, 50.0, 150.0, 2000.0]).reshape(1, 1, 1, 1, 5)
    assert mapping(x).flatten().tolist() == [-2.5, -2.5, 0.0, 1.0, 2.5]


def test_gradient_is_zero_outside_the_percentiles_only():
    mapping = InputMapping((1, 1, 1), normalization="CTNormalization", properties=PROPERTIES)
    x = torch.tensor([-1000.0, 0.0, 2000.0]).reshape(1, 1, 1, 1, 3).requires_grad_()
    mapping(x).sum().backward()
    assert x.grad.flatten().tolist() == pytest.approx([0.0, 0.01, 0.0])


@pytest.mark.parametrize("scheme", list(NNUNET_NORMALIZATIONS))
def test_normalizations_equal_nnunets(scheme):
    ensure_torchvision_operators()
    from nnunetv2.preprocessing.normalization import default_normalization_schemes as nnunet

    rng = np.random.default_rng(0)
    image = rng.uniform(0, 255, (2, 5, 6, 7)).astype(np.float32)
    ours = InputMapping((1, 1, 1), normalization=scheme, properties=PROPERTIES)(torch.from_numpy(image[:, None]))
    for index in range(2):
        theirs = getattr(nnunet, scheme)(use_mask_for_norm=False, intensityproperties=PROPERTIES)
        expected = theirs.run(image[index].copy())
        np.testing.assert_allclose(ours[index, 0].numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scheme", list(NORMALIZATIONS))
def test_normalizations_give_a_gradient(scheme):
    mapping = InputMapping((1, 1, 1), normalization=scheme, properties=PROPERTIES)
    x = torch.linspace(0, 255, 60).reshape(1, 1, 3, 4, 5).requires_grad_()
    mapping(x).square().sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad.any()


@pytest.mark.parametrize("scheme", ["ZScoreNormalization", "RescaleTo01Normalization"])
def test_a_constant_patch_stays_finite(scheme):
    mapping = InputMapping((1, 1, 1), normalization=scheme)
    x = torch.full((1, 1, 4, 4, 4), -1024.0, requires_grad=True)
    y = mapping(x)
    y.sum().backward()
    assert torch.isfinite(y).all() and torch.isfinite(x.grad).all()


def test_unknown_normalization():
    with pytest.raises(ModelError, match=r"(?s)unknown intensity normalisation.*found: Mine.*CTNormalization"):
        InputMapping((1, 1, 1), normalization="Mine")


def test_flip_and_transpose():
    mapping = InputMapping((1, 2, 3), transpose=(1, 2, 0), flip=(1, 2))
    x = torch.arange(24.0).reshape(1, 1, 2, 3, 4)
    expected = x.numpy()[0, 0, :, ::-1, ::-1].transpose(1, 2, 0)
    np.testing.assert_array_equal(mapping(x)[0, 0].numpy(), expected)
    assert mapping.spacing_mm == (2.0, 3.0, 1.0)


def test_resampling_by_hand():
    mapping = InputMapping((2, 1, 1), (1, 1, 1))
    x = torch.tensor([0.0, 4.0]).reshape(1, 1, 2, 1, 1)
    assert mapping(x).flatten().tolist() == [0.0, 1.0, 3.0, 4.0]  # centres at 0.25 and 0.75 of the two voxels
    assert mapping.size((2, 1, 1)) == (4, 1, 1)


def test_sizes_equal_nnunets():
    ensure_torchvision_operators()
    from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape

    spacing, target, order = (3.27, 1.5, 1.1), (1.5, 2.0, 1.25), (2, 0, 1)
    mapping = InputMapping(spacing, target, transpose=order)
    for shape in ((32, 48, 48), (17, 31, 29)):
        turned = [shape[axis] for axis in order]
        assert list(mapping.size(shape)) == list(compute_new_shape(turned, [spacing[a] for a in order], target))
        assert tuple(mapping(torch.zeros(1, 1, *shape)).shape[2:]) == mapping.size(shape)


def test_smooth_images_resample_as_nnunet_does():
    ensure_torchvision_operators()
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

    z, y, x = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (24, 20, 22)), indexing="ij")
    image = np.sin(z / 6) + np.cos(y / 7) + np.sin(x / 8)
    mapping = InputMapping((1.5, 1.5, 1.5), (2.0, 2.0, 2.0))
    ours = mapping(torch.from_numpy(image)[None, None])[0, 0].numpy()
    theirs = resample_data_or_seg_to_shape(image[None], ours.shape, (1.5,) * 3, (2.0,) * 3, False, 3, 0, None)[0]
    assert np.abs(ours - theirs)[1:-1, 1:-1, 1:-1].max() < 0.02


def test_padding_is_zero_at_the_far_end():
    mapping = InputMapping((1, 1, 1), divisor=(4, 4, 4))
    y = mapping(torch.ones(1, 1, 4, 5, 7))
    assert tuple(y.shape[2:]) == (4, 8, 8)
    assert y[..., :5, :7].min() == 1 and y.sum() == 4 * 5 * 7


def test_a_patch_that_vanishes():
    mapping = InputMapping((1, 1, 1), (6, 1, 1))
    with pytest.raises(ModelError, match=r"(?s)vanishes on the network's grid.*patch \(2, 8, 8\) at"):
        mapping(torch.zeros(1, 1, 2, 8, 8))


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(*[st.integers(2, 9)] * 3),
    order=st.permutations(range(3)),
    flip=st.sets(st.integers(0, 2)),
    divisor=st.sampled_from([(1, 1, 1), (2, 4, 1)]),
)
def test_every_voxel_arrives_once(shape, order, flip, divisor):
    mapping = InputMapping((1, 2, 3), transpose=order, flip=sorted(flip), divisor=divisor)
    x = torch.rand(1, 1, *shape, requires_grad=True)
    y = mapping(x)
    assert all(n % d == 0 for n, d in zip(y.shape[2:], divisor, strict=True))
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_a_mask_comes_back_to_the_training_grid():
    mapping = InputMapping((2.0, 1.0, 1.0), (1.0, 1.0, 2.0), transpose=(1, 2, 0), flip=(1, 2), divisor=(4, 4, 4))
    mask = torch.zeros(1, 1, 4, 6, 8)
    mask[0, 0, 1:3, 2:, :4] = 1
    there = mapping.region(mask)
    size = mapping.size(mask.shape[2:])
    z, y, x = (slice(0, n) for n in size)
    back = mapping.back((there[:, :, z, y, x] >= 0.5).float(), mask.shape[2:])
    assert back.shape == mask.shape and (back == mask).float().mean() > 0.85
    same = InputMapping((3.0, 3.0, 3.0), transpose=(2, 0, 1), flip=(0, 1))
    assert torch.equal(same.back(same.region(mask), mask.shape[2:]), mask)
