"""The AFP term, patch by patch, against Eq. 1 in plain PyTorch on the whole batch."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunet_folder import make_folder

from afpbench.base.errors import ConfigError
from afpbench.features import load
from afpbench.losses import LossContext, build_loss, check_gradient
from afpbench.losses.gradients import with_gradient

CT = {"lower_hu": -1000.0, "upper_hu": 1000.0, "mean_hu": -100.0, "std_hu": 200.0}
SPACING = (3.0, 3.0, 3.0)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    root = tmp_path_factory.mktemp("networks")
    networks = {
        "tiny": {"kind": "nnunet", "folder": str(make_folder(root / "tiny", features=(4, 8)))},
        "folds": {"kind": "nnunet", "folder": str(make_folder(root / "folds", features=(4, 6), folds=(0, 1), seed=7))},
    }
    networks["folds"]["fold"] = "every"
    return LossContext(CT, SPACING, networks)


def naive_scale(features, scale):
    """The scales that change the features, voxel by voxel and channel by channel."""
    scaled = features.clone()
    if scale == "unit_norm":
        for place in product(*map(range, features[:, 0].shape)):
            vector = features[place[0], :, place[1], place[2], place[3]]
            scaled[place[0], :, place[1], place[2], place[3]] = vector / (vector**2).sum().sqrt().clamp_min(1e-6)
    if scale == "instance":
        for sample, channel in product(*map(range, features.shape[:2])):
            values = features[sample, channel]
            scaled[sample, channel] = (values - values.mean()) / (values.var(correction=0) + 1e-5).sqrt()
    return scaled


def equation_1(network, synthetic, real, mask, options):
    """Every layer of the whole batch at once, with autograd's own gradient."""
    features, targets = (network(image * CT["std_hu"] + CT["mean_hu"]) for image in (synthetic, real))
    weights = [torch.ones_like(f[:, :1]) for f in features]
    if options["region"] != "all":
        inside = (mask > 0).float()
        weights = network.regions(inside if options["region"] == "inside" else 1 - inside, features)
    values = []
    for feature, target, weight in zip(features, targets, weights, strict=True):
        feature, target = (naive_scale(side, options["scale"]) for side in (feature, target))
        count = weight.sum() * feature.shape[1]
        value = ((feature - target).abs() * weight).sum() / count
        if options["reduction"] == "sum":
            value = value * count / len(feature)
        if options["scale"] == "real_magnitude":
            value = value / ((target.abs() * weight).sum() / count)
        values.append(value)
    total = torch.stack(values)
    return total.mean() if options["layer_reduction"] == "mean" else total.sum()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(["tiny", "folds"]),
    layers=st.sampled_from(["stages", "encoder", ["decoder.0"]]),
    shape=st.tuples(st.integers(1, 3), *[st.integers(6, 11)] * 3),
    options=st.fixed_dictionaries({
        "region": st.sampled_from(["all", "inside", "outside"]),
        "reduction": st.sampled_from(["mean", "sum"]),
        "layer_reduction": st.sampled_from(["mean", "sum"]),
        "scale": st.sampled_from(["none", "real_magnitude"]),
    }),
)  # fmt: skip
def test_value_and_gradient_are_those_of_equation_1(context, name, layers, shape, options):
    """The gradient up to a few signs: where features differ by a rounding, so does the sign that |a - b| has there."""
    compare(context, name, layers, shape, options, tolerance=3e-4)


def compare(context, name, layers, shape, options, tolerance):
    """Value and gradient of the term against equation_1; tolerance: of the gradient, relative."""
    generator = torch.Generator().manual_seed(0)
    synthetic, real = torch.randn(2, shape[0], 1, *shape[1:], generator=generator)
    mask = torch.randn(shape[0], 1, *shape[1:], generator=generator)
    one, other = synthetic.clone().requires_grad_(), synthetic.clone().requires_grad_()
    expected = equation_1(load(context.networks[name], SPACING, layers), one, real, mask, options)
    loss = build_loss([{"term": "afp", "networks": [name], "layers": layers, **options}], context)
    found, _ = loss(other, real, mask)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    found.backward()
    assert (other.grad - one.grad).norm() <= tolerance * one.grad.norm()


@pytest.mark.parametrize("scale", ["unit_norm", "instance"])
@pytest.mark.parametrize(("region", "reduction"), [("all", "mean"), ("inside", "sum")])
def test_scaled_features_are_those_of_a_naive_implementation(context, scale, region, reduction):
    """To what float32 keeps: the scaling divides by small numbers."""
    options = {"scale": scale, "region": region, "reduction": reduction, "layer_reduction": "mean"}
    compare(context, "tiny", "stages", (2, 6, 5, 7), options, tolerance=3e-4)


def test_masked_mse_and_a_masked_anatomical_perceptual_loss(context):
    """0.5 masked MSE + 0.5 MAP: unit features of the first encoder stage, compared inside the mask."""
    torch.manual_seed(0)
    synthetic, real = torch.randn(2, 2, 1, 8, 8, 8)
    mask = (torch.rand(2, 1, 8, 8, 8) > 0.5).float()
    afp = {"term": "afp", "networks": ["tiny"], "layers": 1, "scale": "unit_norm", "region": "inside", "weight": 0.5}
    loss = build_loss([{"term": "mse", "region": "inside", "weight": 0.5}, afp], context)
    found, _ = loss(synthetic, real, mask)
    network = load(context.networks["tiny"], SPACING, ["encoder.0"])
    options = {"scale": "unit_norm", "region": "inside", "reduction": "mean", "layer_reduction": "mean"}
    perceptual = equation_1(network, synthetic, real, mask, options)
    squares = ((synthetic - real) ** 2)[mask > 0].mean()
    assert found.item() == pytest.approx((0.5 * squares + 0.5 * perceptual).item(), rel=1e-5)


@pytest.mark.parametrize("weighting", ["uncertainty", "gradient_norm"])
def test_weights_that_training_finds_see_the_whole_batch(context, weighting):
    torch.manual_seed(0)
    synthetic, real = torch.randn(2, 2, 1, 8, 8, 8)
    term = {"term": "afp", "networks": ["tiny"]}
    fixed, found = (synthetic.clone().requires_grad_() for _ in range(2))
    build_loss([term], context)(fixed, real)[0].backward()
    loss = build_loss([{**term, "weighting": weighting}], context)
    loss(found, real)[0].backward()  # all weights are 1 at the start
    torch.testing.assert_close(found.grad, fixed.grad, rtol=1e-4, atol=1e-8)
    assert all(parameter.grad is not None for parameter in loss.learnable())


def test_a_crop_compares_a_box_at_a_random_place_in_training_only(context):
    torch.manual_seed(0)
    synthetic, real = torch.randn(2, 2, 1, 16, 12, 9)
    loss = build_loss([{"term": "afp", "networks": ["tiny"], "crop": 0.75}], context)
    whole = build_loss([{"term": "afp", "networks": ["tiny"]}], context)
    with torch.no_grad():
        assert loss(synthetic, real)[0] == whole(synthetic, real)[0]
    places, values = set(), set()
    for _ in range(10):
        probe = synthetic.clone().requires_grad_()
        value, _ = loss(probe, real)
        value.backward()
        seen = (probe.grad != 0).flatten(0, 1).any(0).nonzero()
        start, end = seen.amin(0), seen.amax(0) + 1
        assert (end - start).tolist() == [12, 8, 6]  # 0.75, and a multiple of the network's stride of 2
        box = (..., *(slice(a, b) for a, b in zip(start, end, strict=True)))
        assert value.item() == pytest.approx(whole(synthetic[box], real[box])[0].item(), rel=1e-5)
        places.add(tuple(start.tolist()))
        values.add(value.item())
    assert len(places) > 3 and len(values) > 3


def test_the_check_of_gradients_leaves_the_random_numbers_as_they_were(context):
    synthetic, real = torch.randn(2, 1, 1, 8, 8, 8)
    loss = build_loss([{"term": "afp", "networks": ["tiny"], "crop": 0.5}], context)
    before = torch.get_rng_state()
    assert check_gradient(loss, synthetic, real)["afp"] > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_a_crop_goes_with_no_region(context):
    with pytest.raises(ConfigError, match="loss term afp: crop beside region"):
        build_loss([{"term": "afp", "networks": ["tiny"], "crop": 0.5, "region": "inside"}], context)


def test_without_gradients_nothing_is_derived(context):
    synthetic, real = torch.randn(2, 1, 1, 8, 8, 8)
    loss = build_loss([{"term": "afp", "networks": ["tiny"]}], context)
    assert not loss(synthetic, real)[0].requires_grad
    with torch.no_grad():
        assert not loss(synthetic.requires_grad_(), real)[0].requires_grad


def test_a_gradient_found_at_once():
    image = torch.tensor([2.0, 3.0], requires_grad=True)
    value = with_gradient(lambda x: (x**2).sum(), image)
    (5 * value).backward()
    assert value.item() == 13 and image.grad.tolist() == [20, 30]
    assert not with_gradient(lambda x: torch.ones(()), image).requires_grad  # it does not depend on the image
