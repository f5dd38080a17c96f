"""The networks of the GANs, their losses by hand, and nnU-Net's decoder without transposed convolutions."""

import pytest
import torch
from dynamic_network_architectures.architectures.unet import ResidualEncoderUNet
from nnunet_folder import make_dataset, make_network, make_plans
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from torch.nn.utils import parametrize

from afpbench.base.errors import ConfigError
from afpbench.generators import adversarial
from afpbench.generators.architecture import TRILINEAR
from afpbench.generators.discriminator import MultiScaleDiscriminator
from afpbench.generators.pix2pixhd import Pix2PixHD
from afpbench.generators.residual_head import ResidualHead
from afpbench.generators.spade import Spade, SpadeNorm
from afpbench.inference.synthesis import fixed_weights
from afpbench.study.kinds import registry

SIZES = {"base_features": 4, "max_features": 8, "downsamplings": 2, "blocks": 1}
GENERATORS = {
    "pix2pixhd": lambda: Pix2PixHD(1, 1, **SIZES),
    "spade": lambda: Spade(1, 1, **SIZES, spade_features=4),
}


@pytest.fixture(autouse=True)
def seeded():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("shape", [(8, 12, 16), (9, 10, 7)])
def test_a_generator_keeps_any_size(kind, shape):
    network = GENERATORS[kind]()
    output = network(torch.randn(2, 1, *shape))
    assert output.shape == (2, 1, *shape)
    output.abs().mean().backward()
    without = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    # A bias before a normalisation moves nothing.
    assert [name for name in without if not name.endswith("bias")] == []


def test_spade_sees_the_mr_after_the_encoder():
    """With the features of the encoder held, another MR gives another CT through the normalisations alone."""
    spade, plain = GENERATORS["spade"](), GENERATORS["pix2pixhd"]()
    changes = []
    for network in (spade, plain):
        network.eval()
        x, mr = torch.randn(1, 4, 6, 6, 6), torch.randn(1, 1, 6, 6, 6)
        norm = network.norm(4)
        changes.append(not torch.equal(norm(x, mr), norm(x, mr + torch.randn_like(mr))))
    assert changes == [True, False]


def test_a_spade_norm_by_hand():
    """A channel of mean 2 and SD 1 under a constant MR of 3, looked at away from the border."""
    norm = SpadeNorm(1, 1, 1)
    with torch.no_grad():
        for convolution, weight, bias in ((norm.shared, 1, -1), (norm.scale, 2, 0.5), (norm.offset, -1, 0)):
            convolution.weight.zero_()[..., 1, 1, 1] = weight
            convolution.bias.fill_(bias)
    x = torch.tensor([1.0, 3.0]).repeat(108).reshape(1, 1, 6, 6, 6)
    found = norm(x, torch.full((1, 1, 6, 6, 6), 3.0))
    # shared: relu(3 - 1) = 2; scale 2 * 2 + 0.5 = 4.5; offset -2: -1 and 1 become -1 * 5.5 - 2 and 1 * 5.5 - 2
    assert found.unique().tolist() == pytest.approx([-7.5, 3.5], abs=1e-3)
    assert norm(x, torch.zeros(1, 1, 6, 6, 6)).unique().tolist() == pytest.approx([-1.5, 1.5], abs=1e-3)


def test_twice_the_weights_of_the_scale_modulate_twice_as_much():
    norm = GENERATORS["spade"]().norm(4)
    x, mr = torch.randn(2, 4, 6, 6, 6), torch.randn(2, 1, 6, 6, 6)
    with torch.no_grad():
        norm.offset.weight.zero_()
        once = norm(x, mr) - norm.plain(x)
        norm.scale.weight.mul_(2)
        twice = norm(x, mr) - norm.plain(x)
    assert once.abs().max() > 1e-3
    assert torch.allclose(twice, 2 * once, atol=1e-5)


def test_weights_fixed_for_inference_give_the_same():
    network = GENERATORS["spade"]().eval()
    x = torch.randn(1, 1, 8, 8, 8)
    with torch.no_grad():
        before = network(x)
        assert torch.equal(fixed_weights(network)(x), before)
    assert not any(parametrize.is_parametrized(module) for module in network.modules())


def test_features_double_up_to_the_maximum():
    network = Pix2PixHD(1, 1, base_features=4, max_features=10, downsamplings=3, blocks=2)
    assert [step.convolution.out_channels for step in network.down] == [8, 10, 10]
    assert [step.convolution.out_channels for step in network.up] == [10, 8, 4]
    assert len(network.blocks) == 2


def test_the_discriminator_is_two_patchgans_with_spectral_norm_between_the_first_and_the_last_convolution():
    network = MultiScaleDiscriminator(scales=2, layers=4, features=4)
    mr, ct = torch.randn(1, 1, 32, 40, 56), torch.randn(1, 1, 32, 40, 56)
    scores, features = network(mr, ct)
    assert [len(layers) for layers in features] == [4, 4]
    assert [[f.shape[1] for f in layers] for layers in features] == [[4, 8, 16, 32]] * 2
    # n -> n // 2 + 1 three times, then two convolutions of stride 1: one voxel more, one less
    assert scores[0].shape[2:] == (5, 6, 8) and scores[1].shape[2:] == (3, 4, 5)
    for _ in range(30):  # the power iteration runs once per call
        network(mr, ct)
    convolutions = {name: m for name, m in network.named_modules() if isinstance(m, torch.nn.Conv3d)}
    largest = {name: torch.linalg.matrix_norm(m.weight.detach().flatten(1), 2) for name, m in convolutions.items()}
    normed = [name for name, value in largest.items() if abs(value - 1) < 0.05]
    assert normed == [f"scales.{scale}.{block}.conv" for scale in (0, 1) for block in (0, 1, 2)]
    assert len(convolutions) - len(normed) == 4


def test_the_smallest_patch_has_a_score():
    scores, _ = MultiScaleDiscriminator(2, 4, 2)(torch.randn(1, 1, 8, 8, 8), torch.randn(1, 1, 8, 8, 8))
    assert all(score.numel() > 0 for score in scores)


def test_the_losses_by_hand():
    scores = [torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0])]
    # max(0, 1 - s): (0, 0.5, 2) and 4; max(0, 1 + s): (3, 1.5, 0) and 0; -s: mean -0.5 and 3
    assert adversarial.hinge_real(scores).item() == pytest.approx((2.5 / 3 + 4) / 2)
    assert adversarial.hinge_synthetic(scores).item() == pytest.approx((1.5 + 0) / 2)
    assert adversarial.adversarial(scores).item() == pytest.approx((-0.5 + 3) / 2)
    ours = [[torch.tensor([1.0, 3.0]), torch.tensor([5.0])], [torch.tensor([0.0, 0.0])]]
    theirs = [[torch.tensor([0.0, 1.0]), torch.tensor([1.0])], [torch.tensor([2.0, 4.0])]]
    # scale 1: 1.5 + 4, scale 2: 3
    assert adversarial.feature_matching(ours, theirs).item() == pytest.approx((5.5 + 3) / 2)


def test_a_score_past_the_margin_pushes_no_more():
    score = torch.tensor([1.5, 0.0], requires_grad=True)
    adversarial.hinge_real([score]).backward()
    assert score.grad.tolist() == [0, -0.5]


# --- nnU-Net's decoder


def architecture(generator, planned, patch_size):
    return registry.GENERATORS[generator["kind"]].architecture(generator, planned, patch_size)


def unet(decoder, **changes):
    plans = make_plans(**changes)
    configuration = plans["configurations"]["3d_fullres"]
    generator = {"kind": "nnunet", "decoder": decoder, "head": "direct"}
    configuration["architecture"] = architecture(generator, configuration["architecture"], [16, 16, 16])
    return make_network(plans, make_dataset(2))


def test_the_trilinear_decoder_has_no_transposed_convolution_and_the_same_skips():
    first, second = unet("transposed"), unet("trilinear")
    x = torch.randn(1, 1, 16, 16, 16)
    assert first(x).shape == second(x).shape
    kinds = [{type(module) for module in network.modules()} for network in (first, second)]
    assert torch.nn.ConvTranspose3d in kinds[0] and torch.nn.ConvTranspose3d not in kinds[1]
    encoder = {key: value.shape for key, value in first.state_dict().items() if "transpconvs" not in key}
    assert encoder == {key: value.shape for key, value in second.state_dict().items() if "transpconvs" not in key}


def test_a_constant_stays_constant_only_with_the_trilinear_decoder():
    """Away from the border a constant image comes out of the first enlargement without a pattern."""
    x = torch.ones(1, 1, 6, 6, 6)
    spread = {}
    for name in ("transposed", "trilinear"):
        module = unet(name).decoder.transpconvs[-1]
        channels = module.in_channels if name == "transposed" else module[1].in_channels
        with torch.no_grad():
            inner = module(x.expand(1, channels, 6, 6, 6))[..., 2:-2, 2:-2, 2:-2]
        spread[name] = (inner - inner.mean((2, 3, 4), keepdim=True)).abs().max().item()
    assert spread["trilinear"] < 1e-5 < 1e-3 < spread["transposed"]


def build(planned):
    """A network of one channel in and out, as nnU-Net builds it from its plans."""
    names = ("network_class_name", "arch_kwargs", "_kw_requires_import")
    return get_network_from_plans(*(planned[name] for name in names), 1, 1, True, deep_supervision=False)


def test_a_residual_encoder_has_a_trilinear_decoder_too():
    options = {"kind": "nnunet", "decoder": "trilinear", "head": "direct"}
    planned = make_plans(features=(4, 8, 8), residual=True)["configurations"]["3d_fullres"]["architecture"]
    network = build(architecture(options, planned, [8, 8, 8]))
    assert isinstance(network, ResidualEncoderUNet)
    assert not any(isinstance(module, torch.nn.ConvTranspose3d) for module in network.modules())
    assert network(torch.randn(1, 1, 16, 16, 16)).shape == (1, 1, 16, 16, 16)


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_a_residual_head_adds_a_line_of_the_mr(residual):
    """With a line of 0 it is the network itself; the line is added to what that says."""
    options = {"kind": "nnunet", "decoder": "transposed", "head": "residual"}
    planned = make_plans(residual=residual)["configurations"]["3d_fullres"]["architecture"]
    found = build(architecture(options, planned, [8, 8, 8])).eval()
    mr = torch.randn(2, 1, 8, 8, 8)
    with torch.no_grad():
        inner = found.network(mr)
        assert torch.equal(found(mr), inner) and inner.std() > 0
        found.slope.fill_(2.0)
        found.offset.fill_(-0.5)
        torch.testing.assert_close(found(mr), 2 * mr - 0.5 + inner)
    found(mr).sum().backward()
    assert found.slope.grad.item() == pytest.approx(mr.sum().item(), rel=1e-4)
    assert found.offset.grad.item() == mr.numel()


def test_a_residual_head_has_a_slope_for_each_channel():
    planned = make_plans()["configurations"]["3d_fullres"]["architecture"]
    network = ResidualHead(2, 1, planned)
    with torch.no_grad():
        network.slope.copy_(torch.tensor([2.0, 3.0]).reshape(1, 2, 1, 1, 1))
        mr = torch.randn(1, 2, 8, 8, 8)
        torch.testing.assert_close(network(mr) - network.network(mr), 2 * mr[:, :1] + 3 * mr[:, 1:])


def test_the_architecture_in_the_plans():
    planned = {"network_class_name": next(iter(TRILINEAR)), "arch_kwargs": {"n_stages": 3}}
    assert architecture({"kind": "nnunet", "decoder": "transposed", "head": "direct"}, planned, [8, 8, 8]) == planned
    spade = architecture({"kind": "spade", **SIZES, "spade_features": 4, "blocks": 1}, planned, [8, 8, 8])
    assert spade["network_class_name"] == "afpbench.generators.spade.Spade"
    assert spade["arch_kwargs"] == {**SIZES, "spade_features": 4}
    with pytest.raises(ConfigError, match="too many downsamplings(.|\n)*5 downsamplings of 16 x 16 x 32 voxels"):
        architecture({"kind": "pix2pixhd", **SIZES, "downsamplings": 5}, planned, [16, 16, 32])
