"""Learned weights of layers, against values worked out by hand."""

import math

import pytest
import torch

from afpbench.base.errors import ConfigError
from afpbench.losses import LossContext, build_loss, check_gradient
from afpbench.losses.weighting import GradientNormWeighting, UncertaintyWeighting, build_weighting

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
CT = {"lower_hu": -1000.0, "upper_hu": 1000.0, "mean_hu": 0.0, "std_hu": 100.0}


def test_uniform_is_the_sum():
    weighting = build_weighting("uniform", 2, 1.5)
    assert weighting(torch.tensor([1.0, 2.0]), torch.zeros(1)) == 3 and weighting.weights() == []
    assert not list(weighting.parameters())


def test_uncertainty_by_hand():
    weighting = UncertaintyWeighting(2)
    values = torch.tensor([2.0, 0.5])
    assert weighting(values, None).item() == 2.5
    weighting.log_scale.data = torch.tensor([math.log(4), math.log(0.5)])
    # 2 / 4 + ln 4 + 0.5 / 0.5 + ln 0.5
    total = weighting(values, None)
    assert total.item() == pytest.approx(0.5 + 1 + math.log(2), rel=1e-6)
    total.backward()  # d/ds = 1 - exp(-s) L
    assert weighting.log_scale.grad.tolist() == pytest.approx([1 - 0.5, 1 - 1.0])
    assert weighting.weights() == pytest.approx([0.25, 2.0])


def test_uncertainty_tends_to_one_over_the_loss():
    weighting = UncertaintyWeighting(2)
    optimizer = torch.optim.SGD(weighting.parameters(), 0.2)
    for _ in range(200):
        optimizer.zero_grad()
        weighting(torch.tensor([4.0, 0.5]), None).backward()
        optimizer.step()
    assert weighting.weights() == pytest.approx([0.25, 2.0], rel=1e-3)


def step(weighting, image, losses):
    values = torch.stack([loss(image) for loss in losses])
    total = weighting(values, image)
    weighting.zero_grad()
    total.backward()
    return values, total


def test_gradient_norm_by_hand():
    """L1 = 3 x and L2 = x + y: gradients (3, 0) and (1, 1), norms 3 and sqrt 2."""
    weighting = GradientNormWeighting(2, alpha=1.0)
    losses = (lambda p: 3 * p[0], lambda p: p[0] + p[1])
    image = torch.tensor([2.0, 1.0], requires_grad=True)
    values, total = step(weighting, image, losses)
    assert total.item() == pytest.approx(6 + 3) and weighting.first.tolist() == [6, 3]
    assert image.grad.tolist() == [4, 1]  # the generator sees the weighted losses, and nothing of the balance
    # rates 1 and 1. mean = (3 + sqrt 2) / 2; balance = (w1 3 - mean) + (mean - w2 sqrt 2), over mean;
    # dw1/dv1 = w1 (1 - w1 / 2) = 1/2 = -dw2/dv1, so that d/dv1 = (3 / 2 + sqrt 2 / 2) / mean = 1
    assert weighting.logits.grad.tolist() == pytest.approx([1.0, -1.0], rel=1e-5)

    weighting.logits.data = torch.tensor([math.log(3.0), 0.0])  # weights 1.5 and 0.5
    image = torch.tensor([1.0, 5.0], requires_grad=True)
    values, total = step(weighting, image, losses)
    assert weighting.weights() == pytest.approx([1.5, 0.5])
    assert total.item() == pytest.approx(1.5 * 3 + 0.5 * 6)
    # rates 3 / 6 and 6 / 3, relative 0.4 and 1.6; G = 4.5 and 0.7071, mean 2.6036, targets 1.0414 and 4.1657
    mean, root = (4.5 + 0.5 * 2**0.5) / 2, 2**0.5
    by_weight = torch.tensor([3 / mean, -root / mean])  # the signs of G - target, times the norms
    jacobian = torch.tensor([[1.5 * 0.25, -1.5 * 0.25], [-0.5 * 0.75, 0.5 * 0.75]])  # dw_i/dv_j = w_i (d_ij - w_j / 2)
    assert weighting.logits.grad.tolist() == pytest.approx((by_weight @ jacobian).tolist(), rel=1e-5)


def test_gradient_norm_equals_the_norms():
    weighting = GradientNormWeighting(2, alpha=0.0)
    optimizer = torch.optim.SGD(weighting.parameters(), 0.01)
    for _ in range(300):
        step(weighting, torch.tensor([2.0, 1.0], requires_grad=True), (lambda p: 3 * p[0], lambda p: p[0] + p[1]))
        optimizer.step()
    first, second = weighting.weights()
    assert 3 * first == pytest.approx(2**0.5 * second, rel=0.05) and first + second == pytest.approx(2)


def test_gradient_norm_without_gradients_keeps_its_weights():
    weighting = GradientNormWeighting(2, alpha=1.0)
    with torch.no_grad():
        assert weighting(torch.tensor([1.0, 2.0]), torch.zeros(1)) == 3
    assert not weighting.first.any()


class Powers(torch.nn.Module):
    def forward(self, x):
        return x / 100, (x / 100) ** 2


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "powers.pt"
    torch.jit.trace(Powers(), torch.zeros(1, 1, 8, 8, 8)).save(str(path))
    spec = {"kind": "torchscript", "path": str(path)}
    return LossContext(ct_stats=CT, spacing_mm=(3.0, 3.0, 3.0), networks={"one": spec, "two": spec})


def loss_of(context, weighting, **term):
    return build_loss([{"term": "l1"}, {"term": "afp", "networks": ["one", "two"], "weighting": weighting, **term}],
                      context)  # fmt: skip


def patches():
    return torch.full((1, 1, 4, 4, 4), 3.0, requires_grad=True), torch.full((1, 1, 4, 4, 4), 1.0)


@pytest.mark.parametrize("weighting", ["uncertainty", "gradient_norm"])
def test_weights_start_at_one_and_are_learnable(context, weighting):
    synthetic, real = patches()
    loss, plain = loss_of(context, weighting), loss_of(context, "uniform")
    assert not plain.learnable() and not plain.learned_state() and plain.layer_weights() == {}
    total, values = loss(synthetic, real)
    # layers 3 against 1 and 9 against 1: (2 + 8) / 2
    assert values["afp"].item() == pytest.approx(5.0) and total.item() == pytest.approx(7.0)
    assert loss.layer_weights() == {f"afp_{name}_output.{layer}": 1.0 for name in ("one", "two") for layer in (0, 1)}
    assert len(loss.learnable()) == 2
    total.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in loss.learnable())
    expected = torch.autograd.grad(plain(synthetic, real)[0], synthetic)[0]
    torch.testing.assert_close(synthetic.grad, expected)
    assert check_gradient(loss, *patches())["afp"] > 0


@pytest.mark.parametrize("weighting", ["uncertainty", "gradient_norm"])
def test_the_state_goes_into_a_checkpoint_and_back(context, weighting):
    def trained(loss, steps):
        optimizer = torch.optim.SGD(loss.learnable(), 0.05)
        for number in range(steps):
            optimizer.zero_grad()
            synthetic = torch.linspace(-1, 3 + number, 64).reshape(1, 1, 4, 4, 4).requires_grad_()
            loss(synthetic, patches()[1])[0].backward()
            optimizer.step()
        return loss

    loss = trained(loss_of(context, weighting), 3)
    state = loss.learned_state()
    assert all(".weightings." in key for key in state) and len(state) == (2 if weighting == "uncertainty" else 4)
    other = loss_of(context, weighting)
    other.load_learned_state(state)
    assert other.layer_weights() == loss.layer_weights() != loss_of(context, weighting).layer_weights()
    trained(loss, 2), trained(other, 2)
    assert other.layer_weights() == loss.layer_weights()


def test_an_empty_region_moves_no_weight(context):
    loss = loss_of(context, "gradient_norm", region="inside", region_of=["lungs"])
    synthetic, real = patches()
    total, values = loss(synthetic, real, torch.zeros(1, 2, 4, 4, 4))
    assert values["afp"] == 0
    total.backward()
    assert all(parameter.grad is None for parameter in loss.learnable())
    assert not any(value.any() for value in loss.learned_state().values())


def test_no_layer_weights_beside_a_weighting(context):
    with pytest.raises(ConfigError, match="afp: layer_weights beside weighting: uncertainty"):
        loss_of(context, "uncertainty", layer_weights=[1, 2])
