"""afpbench.losses: every term against values worked out by hand."""

import pytest
import torch
from fresh_process import printed
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunet_folder import make_folder

from afpbench.base.errors import ConfigError, TrainingError
from afpbench.features import load
from afpbench.losses import LossContext, build_loss, check_gradient
from afpbench.losses.base import named_weights
from afpbench.losses.distance import absolute_sum, l1_sum
from afpbench.losses.scaling import instance, unit_norm
from afpbench.losses.segmentation import soft_dice

# TorchScript is deprecated in PyTorch 2.13, and still what networks in the field are exported to.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")

CT = {"lower_hu": -1000.0, "upper_hu": 1000.0, "mean_hu": -100.0, "std_hu": 200.0}


class Powers(torch.nn.Module):
    """Two layers: HU / 100, and the square of that at every other voxel, in two channels."""

    def forward(self, x):
        first = x / 100
        return first, (first * first)[:, :, ::2, ::2, ::2].repeat(1, 2, 1, 1, 1)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """A feature network that one can compute by hand, its negative, and two nnU-Net folders."""
    root = tmp_path_factory.mktemp("networks")
    torch.jit.trace(Powers(), torch.zeros(1, 1, 8, 8, 8)).save(str(root / "powers.pt"))
    return {
        "powers": {"kind": "torchscript", "path": str(root / "powers.pt")},
        "doubled": {"kind": "torchscript", "path": str(root / "powers.pt"), "std_hu": 0.5},
        "tiny": {"kind": "nnunet", "folder": str(make_folder(root / "tiny", features=(4, 8)))},
        "other": {"kind": "nnunet", "folder": str(make_folder(root / "other", features=(4, 6), seed=7))},
    }


@pytest.fixture(scope="module")
def context(networks):
    return LossContext(ct_stats=CT, spacing_mm=(3.0, 3.0, 3.0), networks=networks)


def normalised(hu):
    return (torch.as_tensor(hu) - CT["mean_hu"]) / CT["std_hu"]


def constant(*values_hu, size=4):
    """A batch of constant patches, normalised."""
    return torch.stack([normalised(torch.full((1, size, size, size), float(v))) for v in values_hu])


def single(context, synthetic, real, mask=None, **term):
    loss = build_loss([term], context)
    total, values = loss(synthetic, real, mask)
    assert list(values) == [term["term"]]
    return total.item()


def test_l1_and_mse_by_hand(context):
    synthetic = torch.tensor([0.0, 1.0, -2.0, 3.0]).reshape(1, 1, 1, 2, 2)
    real = torch.tensor([0.0, 2.0, 0.0, 0.0]).reshape(1, 1, 1, 2, 2)
    assert single(context, synthetic, real, term="l1") == pytest.approx((1 + 2 + 3) / 4)
    assert single(context, synthetic, real, term="mse") == pytest.approx((1 + 4 + 9) / 4)


@pytest.mark.parametrize(
    ("region", "absolute", "squared"),
    [
        ("inside", (1 + 2) / 2, (1 + 4) / 2),
        ("outside", (0 + 3) / 2, (0 + 9) / 2),
        ("all", 6 / 4, 14 / 4),
    ],
)
def test_l1_and_mse_in_a_region_by_hand(context, region, absolute, squared):
    synthetic = torch.tensor([0.0, 1.0, -2.0, 3.0]).reshape(1, 1, 1, 2, 2)
    real = torch.tensor([0.0, 2.0, 0.0, 0.0]).reshape(1, 1, 1, 2, 2)
    body = torch.tensor([0, 1, 1, -1]).reshape(1, 1, 1, 2, 2)
    assert single(context, synthetic, real, body, term="l1", region=region) == pytest.approx(absolute)
    assert single(context, synthetic, real, body, term="mse", region=region) == pytest.approx(squared)


def test_a_masked_mse_is_the_mean_over_the_masks_voxels(context):
    torch.manual_seed(0)
    synthetic, real = torch.randn(2, 1, 4, 4, 4, requires_grad=True), torch.randn(2, 1, 4, 4, 4)
    mask = (torch.rand(2, 1, 4, 4, 4) > 0.7).float()
    total, _ = build_loss([{"term": "mse", "region": "inside", "weight": 0.5}], context)(synthetic, real, mask)
    chosen = mask.numpy() > 0
    naive = 0.5 * ((synthetic.detach().numpy() - real.numpy())[chosen] ** 2).mean()
    assert total.item() == pytest.approx(naive, rel=1e-6)
    total.backward()
    assert not synthetic.grad[mask == 0].any() and synthetic.grad[mask == 1].all()


def test_voxel_terms_on_labels_and_on_nothing(context):
    synthetic, real = constant(300), constant(100)
    synthetic[:, :, 2:] = constant(200)[:, :, 2:]
    terms = [{"term": "l1", "region": "inside", "region_of": [name]} for name in ("left", "right")]
    loss, mask = build_loss(terms, context), halves()
    _, values = loss(synthetic, real, mask)
    assert {name: value.item() for name, value in values.items()} == pytest.approx({"l1": 1.0, "l1_2": 0.5})
    mask[:, 1] = 0
    _, values = loss(synthetic, real, mask)
    assert {name: value.item() for name, value in values.items()} == pytest.approx({"l1": 0.0, "l1_2": 0.5})


def test_hu_anchor_by_hand(context):
    synthetic = torch.tensor([[0.0, 2.0], [5.0, 5.0]]).reshape(2, 1, 1, 1, 2)  # means 1, 5; SDs 1, 0
    real = torch.tensor([[1.0, 7.0], [5.0, 5.0]]).reshape(2, 1, 1, 1, 2)  # means 4, 5; SDs 3, 0
    assert single(context, synthetic, real, term="hu_anchor") == pytest.approx((3 + 2 + 0 + 0) / 2)


def test_hu_anchor_sees_scale_and_offset_only(context):
    real = torch.randn(1, 1, 4, 4, 4)
    shuffled = real.flatten()[torch.randperm(64)].reshape(real.shape)
    assert single(context, shuffled, real, term="hu_anchor") == pytest.approx(0, abs=1e-5)
    assert single(context, real * 2, real, term="hu_anchor") > 0.5
    flat = torch.zeros(1, 1, 4, 4, 4, requires_grad=True)
    build_loss([{"term": "hu_anchor"}], context)(flat, real)[0].backward()
    assert torch.isfinite(flat.grad).all()  # a constant patch has a standard deviation of zero


def test_afp_is_equation_1(context):
    # features of 300 HU: 3 and 9; of 100 HU: 1 and 1. Layer distances 2 and 8; their mean 5
    value = single(context, constant(300), constant(100), term="afp", networks=["powers"])
    assert value == pytest.approx(5.0, rel=1e-5)


def test_afp_over_a_batch(context):
    value = single(context, constant(300, 100), constant(100, 100), term="afp", networks=["powers"])
    assert value == pytest.approx(2.5, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"layers": ["output.1"]}, 8.0),
        ({"layer_weights": [1, 0.5]}, (2 + 4) / 2),
        ({"layer_weights": {"output.0": 0}}, 8 / 2),
        ({"layer_reduction": "sum"}, 10.0),
        ({"reduction": "sum"}, (2 * 64 + 8 * 2 * 8) / 2),
        ({"scale": "real_magnitude"}, (2 / 1 + 8 / 1) / 2),
        ({"networks": ["powers", "doubled"]}, (5 + (4 + 32) / 2) / 2),
        ({"networks": [{"name": "powers", "weight": 3}, {"name": "doubled"}]}, 0.75 * 5 + 0.25 * 18),
        ({"weight": 0.1}, 0.5),
    ],
)
def test_afp_options_by_hand(context, options, expected):
    term = {"term": "afp", "networks": ["powers"], **options}
    assert single(context, constant(300), constant(100), **term) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("hu", "scale", "expected"),
    [
        (-300, "unit_norm", (2 + 0) / 2),  # -3 and 1 become -1 and 1; (9, 9) and (1, 1) one direction
        (300, "unit_norm", 0),
        (300, "instance", 0),  # constant features have no deviation from their mean
    ],
)
def test_scales_that_hide_magnitude_by_hand(context, hu, scale, expected):
    value = single(context, constant(hu), constant(100), term="afp", networks=["powers"], scale=scale)
    assert value == pytest.approx(expected, abs=1e-5)


def test_instance_by_hand():
    features = torch.tensor([1.0, 3.0, 10.0, 50.0]).reshape(1, 2, 1, 1, 2)  # means 2, 30; SDs 1, 20
    assert instance(features).flatten().tolist() == pytest.approx([-1, 1, -1, 1], abs=1e-4)


def test_unit_norm_by_hand():
    features = torch.tensor([[3.0, 0.0], [4.0, 0.0]]).reshape(1, 2, 1, 1, 2).requires_grad_()
    scaled = unit_norm(features)
    assert scaled.flatten().tolist() == pytest.approx([0.6, 0, 0.8, 0])
    scaled.sum().backward()
    assert torch.isfinite(features.grad).all()  # at a vector of zeros too


def test_real_magnitude_divides_by_the_real_side(context):
    value = single(context, constant(100), constant(300), term="afp", networks=["powers"], scale="real_magnitude")
    assert value == pytest.approx((2 / 3 + 8 / 9) / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("region", "expected"),
    # the mask covers the half z < 2, where the images differ (layers 2 and 8); elsewhere they are equal
    [("all", 2.5), ("inside", 5.0), ("outside", 0.0)],
)
def test_afp_region_by_hand(context, region, expected):
    synthetic, real = constant(300), constant(300)
    real[:, :, :2] = constant(100)[:, :, :2]
    mask = torch.zeros_like(real)
    mask[:, :, :2] = 1
    value = single(context, synthetic, real, mask, term="afp", networks=["powers"], region=region)
    assert value == pytest.approx(expected, abs=1e-5)
    doubled = single(context, synthetic, real, mask, term="afp", networks=["powers"], region=region, reduction="sum")
    if region == "inside":
        assert doubled == pytest.approx((2 * 32 + 8 * 2 * 4) / 2)


def test_a_region_needs_a_mask(context):
    loss = build_loss([{"term": "afp", "networks": ["powers"], "region": "inside"}], context)
    with pytest.raises(TrainingError, match=r"(?s)region 'inside' needs a mask.*found: no mask"):
        loss(constant(0), constant(100))


def halves(size=4):
    """A mask of body, left organ (z < 2) and right organ (z >= 2)."""
    mask = torch.ones(1, 3, size, size, size)
    mask[:, 1, 2:] = 0
    mask[:, 2, :2] = 0
    return mask


def test_two_afp_terms_each_on_its_own_region(context):
    synthetic, real = constant(300), constant(100)
    synthetic[:, :, 2:] = constant(200)[:, :, 2:]
    terms = [
        {"term": "afp", "networks": ["powers"], "region": "inside", "region_of": ["left"], "weight": 2},
        {"term": "afp", "networks": ["doubled"], "region": "outside", "region_of": ["right", "other"]},
        {"term": "afp", "networks": ["powers"], "region": "inside", "region_of": ["right", "other"]},
    ]
    # left: 3 against 1 and 9 against 1; right: 2 against 1 and 4 against 1; doubled, left: 6 against 2, 36 against 4
    total, values = build_loss(terms, context)(synthetic, real, halves())
    assert {name: round(value.item(), 4) for name, value in values.items()} == {"afp": 5, "afp_2": 18, "afp_3": 2}
    assert total.item() == pytest.approx(2 * 5 + 18 + 2, rel=1e-5)


def test_a_region_of_labels_needs_its_channel(context):
    terms = [{"term": "afp", "networks": ["powers"], "region": "inside", "region_of": ["lungs", "airways"]}]
    with pytest.raises(TrainingError, match=r"(?s)found: a mask of 1 channels.*expected: the body, lungs \+ airways"):
        build_loss(terms, context)(constant(0), constant(100), halves()[:, :1])


def test_an_empty_region_is_no_silent_loss(context):
    terms = [{"term": "l1"}, {"term": "afp", "networks": ["powers"], "region": "inside", "region_of": ["left"]}]
    loss, mask = build_loss(terms, context), halves()
    synthetic, real = torch.randn(1, 1, 4, 4, 4), torch.randn(1, 1, 4, 4, 4)
    assert set(check_gradient(loss, synthetic, real, mask)) == {"l1", "afp"}
    mask[:, 1] = 0
    assert set(check_gradient(loss, synthetic, real, mask)) == {"l1"}
    assert loss(synthetic, real, mask)[1]["afp"] == 0
    assert check_gradient(loss, synthetic, real, mask, {"afp"}) == {}
    mask[:, 1] = -1  # beyond the volume
    assert set(check_gradient(loss, synthetic, real, mask)) == {"l1"}
    mask[:, 1, 0, 0, 0] = 1
    with pytest.raises(TrainingError, match="loss term afp: its gradient"):
        check_gradient(loss, real, real, mask, {"afp"})


def test_a_region_by_a_segmenter_is_its_label_map_of_the_real_ct(context, networks):
    torch.manual_seed(0)
    synthetic, real = torch.randn(1, 1, 8, 8, 8), torch.randn(1, 1, 8, 8, 8)
    (logits,) = load(networks["tiny"], (3.0, 3.0, 3.0), ["logits"])(real * 200 - 100)
    inside = (logits.argmax(1, keepdim=True) == 2).float()
    assert 0 < inside.mean() < 1
    term = {"term": "afp", "networks": ["powers"], "layers": ["output.0"], "region_of": ["structure_2"]}
    value = single(context, synthetic, real, region="inside", region_by="tiny", **term)
    assert value == pytest.approx(2 * ((synthetic - real).abs() * inside).sum().item() / inside.sum().item(), rel=1e-4)
    other = single(context, synthetic, real, region="outside", region_by="tiny", **term)
    outside = 1 - inside
    assert other == pytest.approx(
        2 * ((synthetic - real).abs() * outside).sum().item() / outside.sum().item(), rel=1e-4
    )
    with pytest.raises(ConfigError, match=r"(?s)region_by powers.*found: kind torchscript"):
        single(context, synthetic, real, region="inside", region_by="powers", **term)
    with pytest.raises(ConfigError, match=r"(?s)region_by tiny.*found: structure_9.*structure_1"):
        single(context, synthetic, real, region="inside", region_by="tiny", **{**term, "region_of": ["structure_9"]})


def test_perceptual_distances(context):
    term = {"term": "perceptual", "networks": ["powers"]}
    assert single(context, constant(300), constant(100), **term) == pytest.approx(5.0, rel=1e-5)
    assert single(context, constant(300), constant(100), distance="mse", **term) == pytest.approx(34, rel=1e-5)
    mask = torch.ones_like(constant(0))
    masked = single(context, constant(300), constant(100), mask, distance="mse", region="inside", **term)
    assert masked == pytest.approx((4 + 64) / 2, rel=1e-5)


def test_afp_on_nnunet_equals_the_definition(context, networks):
    torch.manual_seed(0)
    synthetic, real = torch.randn(2, 1, 16, 16, 16), torch.randn(2, 1, 16, 16, 16)
    network = load(networks["tiny"], (3.0, 3.0, 3.0))
    pairs = zip(network(synthetic * 200 - 100), network(real * 200 - 100), strict=True)
    expected = sum((a - b).abs().mean() for a, b in pairs) / 3
    value = single(context, synthetic, real, term="afp", networks=["tiny"])
    assert value == pytest.approx(expected.item(), rel=1e-5)


def test_gradient_equals_plain_autograd(context, networks):
    torch.manual_seed(0)
    real = torch.randn(1, 1, 8, 8, 8)
    synthetic = torch.randn(1, 1, 8, 8, 8, requires_grad=True)
    total, _ = build_loss([{"term": "afp", "networks": ["tiny"]}], context)(synthetic, real)
    (ours,) = torch.autograd.grad(total, synthetic)
    network = load(networks["tiny"], (3.0, 3.0, 3.0))
    with torch.no_grad():
        targets = network(real * 200 - 100)
    features = network(synthetic * 200 - 100)
    plain = sum(torch.nn.functional.l1_loss(a, b) for a, b in zip(features, targets, strict=True)) / 3
    (theirs,) = torch.autograd.grad(plain, synthetic)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-7)


def test_the_custom_gradient_by_finite_differences():
    a = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)
    (l1_sum(a, b) / 3).backward()
    assert a.grad.tolist() == pytest.approx([-1 / 3, -1 / 3, 1 / 3])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_features_are_reduced_in_float32(dtype):
    a, b = torch.full((70000,), 2.0, dtype=dtype), torch.zeros(70000, dtype=dtype)
    value = l1_sum(a, b) / 70000  # a sum of 140000 in float16 would be infinite, in bfloat16 it would stop at 256 ulps
    assert value.dtype == torch.float32 and value.item() == 2.0


def test_the_loss_works_under_autocast(context):
    torch.manual_seed(0)
    synthetic = torch.randn(1, 1, 8, 8, 8, requires_grad=True)
    real = torch.randn(1, 1, 8, 8, 8)
    loss = build_loss([{"term": "l1"}, {"term": "afp", "networks": ["tiny"]}], context)
    exact, _ = loss(synthetic, real)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total, values = loss(synthetic, real)
    assert total.dtype == torch.float32 and all(v.dtype == torch.float32 for v in values.values())
    assert total.item() == pytest.approx(exact.item(), rel=0.03)
    total.backward()
    assert torch.isfinite(synthetic.grad).all() and synthetic.grad.any()


def test_weighted_sums_by_hand():
    values = torch.tensor([[1.0, -2.0], [3.0, 8.0]]).reshape(1, 2, 1, 1, 2).requires_grad_()
    weights = torch.tensor([1.0, 0.5]).reshape(1, 1, 1, 1, 2)
    assert absolute_sum(values, weights).item() == 1 + 1 + 3 + 4
    value = l1_sum(values, torch.ones_like(values), weights)
    value.backward()
    assert value.item() == 0 + 1.5 + 2 + 3.5
    assert values.grad.flatten().tolist() == [0, -0.5, 1, 0.5]


def test_soft_dice_by_hand():
    probabilities = torch.tensor([[0.5, 1.0], [0.25, 0.0], [0.9, 0.9]]).reshape(1, 3, 1, 1, 2)
    truth = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]).reshape(1, 3, 1, 1, 2)
    # 2 * 1.5 / (1.5 + 2), 2 * 0.25 / (0.25 + 1); the third class is absent and does not count
    assert soft_dice(probabilities, truth).item() == pytest.approx((3 / 3.5 + 0.5 / 1.25) / 2, rel=1e-4)
    assert soft_dice(probabilities, truth * 0).item() == 1


def test_segmentation_equals_the_definition(context, networks):
    torch.manual_seed(0)
    synthetic, real = torch.randn(1, 1, 8, 8, 8), torch.randn(1, 1, 8, 8, 8)
    network = load(networks["tiny"], (3.0, 3.0, 3.0), ["logits"])
    (logits,), (target,) = network(synthetic * 200 - 100), network(real * 200 - 100)
    labels = target.argmax(1)
    entropy = torch.nn.functional.cross_entropy(logits, labels).item()
    dice = [
        2 * logits.softmax(1)[:, k][labels == k].sum() / (logits.softmax(1)[:, k].sum() + (labels == k).sum())
        for k in (1, 2)
        if (labels == k).any()
    ]
    expected = 1 - sum(dice) / len(dice) + entropy
    term = {"term": "segmentation", "networks": ["tiny"]}
    assert single(context, synthetic, real, **term) == pytest.approx(float(expected), rel=1e-4)
    assert single(context, synthetic, real, dice_weight=0, **term) == pytest.approx(entropy, rel=1e-4)
    assert single(context, real, real, **term) < single(context, synthetic, real, **term)


def test_segmentation_of_regions(context):
    (term,) = build_loss([{"term": "segmentation", "networks": ["tiny"]}], context).terms.values()
    logits = torch.zeros(1, 2, 1, 1, 2)
    target = torch.tensor([[5.0, -5.0], [-5.0, -5.0]]).reshape(1, 2, 1, 1, 2)
    # every probability 1/2: cross-entropy ln 2; Dice of the one region present 2 * 0.5 / (1 + 1)
    assert term._compare(logits, target, True).item() == pytest.approx(0.6931 + 0.5, abs=1e-3)


def test_segmentation_needs_a_segmenter(context):
    with pytest.raises(ConfigError, match=r"(?s)powers has no segmentation output.*found: kind torchscript"):
        build_loss([{"term": "segmentation", "networks": ["powers"]}], context)


def test_composite_adds_weighted_terms(context):
    terms = [
        {"term": "l1", "weight": 2},
        {"term": "afp", "networks": ["powers"], "weight": 0.5},
        {"term": "afp", "networks": ["doubled"]},
    ]
    total, values = build_loss(terms, context)(constant(300), constant(100))
    assert {k: round(v.item(), 4) for k, v in values.items()} == {"l1": 1.0, "afp": 5.0, "afp_2": 18.0}
    assert total.item() == pytest.approx(2 * 1 + 0.5 * 5 + 18, rel=1e-5)
    assert not any(v.requires_grad for v in values.values())


def test_unknown_terms_options_and_networks(context):
    with pytest.raises(ConfigError, match=r"(?s)losses: no such kind.*found: 'apf'.*hint: did you mean afp"):
        build_loss([{"term": "apf"}], context)
    with pytest.raises(ConfigError, match="loss: no terms"):
        build_loss([], context)
    with pytest.raises(ConfigError, match=r"(?s)losses 'l1': unknown option.*found: networks.*expected: weight"):
        build_loss([{"term": "l1", "networks": ["tiny"]}], context)
    with pytest.raises(ConfigError, match=r"(?s)losses 'afp': missing option.*found: no networks"):
        build_loss([{"term": "afp"}], context)
    with pytest.raises(ConfigError, match=r"(?s)unknown feature network.*found: tony.*hint: did you mean tiny"):
        build_loss([{"term": "afp", "networks": ["tony"]}], context)
    with pytest.raises(ConfigError, match=r"(?s)layer_weights do not fit network tiny.*found: encoder.9"):
        build_loss([{"term": "afp", "networks": ["tiny"], "layer_weights": {"encoder.9": 1}}], context)
    with pytest.raises(ConfigError, match=r"(?s)layer_weights do not fit.*2 weights.*one weight for each of 3 layers"):
        build_loss([{"term": "afp", "networks": ["tiny"], "layer_weights": [1, 1]}], context)


@pytest.mark.parametrize(
    "term",
    [
        {"term": "l1"},
        {"term": "mse"},
        {"term": "hu_anchor"},
        {"term": "afp", "networks": ["tiny", "other"]},
        {"term": "perceptual", "networks": ["powers"]},
        {"term": "segmentation", "networks": ["tiny"]},
    ],
    ids=lambda term: term["term"],
)
def test_every_term_moves_the_synthetic_ct_only(context, term):
    torch.manual_seed(0)
    synthetic = torch.randn(1, 1, 8, 8, 8, requires_grad=True)
    real = torch.randn(1, 1, 8, 8, 8, requires_grad=True)
    loss = build_loss([term], context)
    assert check_gradient(loss, synthetic, real)[term["term"]] > 0
    if term["term"] in ("afp", "perceptual", "segmentation"):
        loss(synthetic, real)[0].backward()
        assert real.grad is None
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_a_silent_loss_is_an_error(context):
    loss = build_loss([{"term": "l1"}, {"term": "afp", "networks": ["tiny"]}], context)
    torch.manual_seed(0)
    real = torch.randn(1, 1, 8, 8, 8)
    saturated = normalised(torch.rand(1, 1, 8, 8, 8) * 100 + 2000)  # above the network's 99.5th percentile everywhere
    with pytest.raises(TrainingError, match=r"(?s)loss term afp: its gradient.*exactly zero.*outside the HU range"):
        check_gradient(loss, saturated, real)
    with pytest.raises(TrainingError, match=r"(?s)loss term l1: its gradient.*exactly zero.*found: value 0"):
        check_gradient(loss, real, real)


def test_a_gradient_that_is_not_finite_is_an_error(context):
    loss = build_loss([{"term": "mse"}], context)
    with pytest.raises(TrainingError, match=r"(?s)loss term mse: its gradient is not finite"):
        check_gradient(loss, torch.full((1, 1, 2, 2, 2), float("inf")), torch.zeros(1, 1, 2, 2, 2))


class Half(torch.nn.Module):
    """Features in float16, as a network gives on a GPU under autocast."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x.half() * self.factor


@pytest.mark.parametrize(("factor", "weight"), [(0.01, 1e-5), (60.0, 1e3)])
def test_check_gradient_neither_vanishes_nor_overflows_in_float16(context, tmp_path, factor, weight):
    path = tmp_path / "half.pt"
    torch.jit.trace(Half(factor), torch.zeros(1, 1, 8, 8, 8)).save(str(path))
    spec = {"half": {"kind": "torchscript", "path": str(path)}}
    loss = build_loss(
        [{"term": "afp", "networks": ["half"], "layer_weights": [weight]}], LossContext(CT, (3, 3, 3), spec)
    )
    found = check_gradient(loss, constant(300, size=8), constant(100, size=8))["afp"]
    assert found == pytest.approx(weight * factor * CT["std_hu"] / 512, rel=0.02)


def test_check_gradient_works_where_gradients_are_off(context):
    with torch.no_grad():
        assert check_gradient(build_loss([{"term": "l1"}], context), constant(300), constant(100))["l1"] > 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), factor=st.floats(0.1, 10))
def test_losses_scale_and_vanish_only_where_equal(context, seed, factor):
    generator = torch.Generator().manual_seed(seed)
    real = torch.randn(1, 1, 4, 4, 4, generator=generator)
    change = torch.randn(1, 1, 4, 4, 4, generator=generator)
    for term, power in (({"term": "l1"}, 1), ({"term": "mse"}, 2)):
        assert single(context, real, real, **term) == 0
        base, scaled = (single(context, real + k * change, real, **term) for k in (1, factor))
        assert scaled == pytest.approx(base * factor**power, rel=1e-3)
    afp = {"term": "afp", "networks": ["powers"], "layers": ["output.0"]}
    assert single(context, real, real, **afp) == 0
    # a linear layer: AFP is L1 in HU over 100
    expected = single(context, real + change, real, term="l1") * CT["std_hu"] / 100
    assert single(context, real + change, real, **afp) == pytest.approx(expected, rel=1e-4)
    symmetric = single(context, real, real + change, **afp)
    assert symmetric == pytest.approx(expected, rel=1e-4)


def test_named_weights():
    assert named_weights(["a", {"name": "b", "weight": 3}]) == {"a": 0.25, "b": 0.75}
    assert named_weights(["a", "a"]) == {"a": 1.0}


def test_training_needs_no_image_reader():
    code = (
        "import sys, afpbench.losses.composite, afpbench.features.base, afpbench.features.medicalnet\n"
        "print([m for m in ('SimpleITK', 'itk') if m in sys.modules])"
    )
    assert printed(code).strip() == "[]"
