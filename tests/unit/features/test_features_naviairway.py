"""afpbench.features.naviairway: NaviAirway's layout and checkpoint format, and its input scaling in the mapping."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from naviairway_file import PARAMETERS, save

from afpbench.base.errors import ConfigError, ModelError
from afpbench.features import load
from afpbench.features.mapping import NORMALIZATIONS
from afpbench.features.naviairway import SegAirwayModel, load_naviairway
from afpbench.segmenters.naviairway import scale


def spec(*paths):
    return {"kind": "naviairway", "weights": list(paths)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return save(tmp_path_factory.mktemp("navi") / "checkpoint.pkl")


@pytest.fixture(scope="module")
def patch():
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (16, 24, 16)), indexing="ij")
    hu = np.where(z**2 + y**2 + x**2 < 0.8, -800.0, 60.0) + 900 * (np.abs(x) > 0.9)
    return torch.from_numpy((hu + rng.normal(0, 40, hu.shape)).astype(np.float32))[None, None]


def test_the_parameters_are_those_of_its_checkpoints():
    state = SegAirwayModel().state_dict()
    assert {key: list(value.shape) for key, value in state.items() if key in PARAMETERS} == PARAMETERS
    # Per level two plain and one dilated block of 3 tensors, and 2 of the squeeze; above also 2 of the upsampling.
    assert len(state) == 4 * (3 * 3 + 2) + 3 * (3 * 3 + 2 + 2) + 2


def features_of_its_own(path, array):
    """The outputs of NaviAirway's levels by hooks, for a crop scaled as NaviAirway does (NumPy)."""
    network, found = load_naviairway(path), []
    for level in (*network.encoders, *network.decoders):
        level.register_forward_hook(lambda module, inputs, output: found.append(output))
    with torch.no_grad():
        output = network(torch.from_numpy(scale(array))[None, None])
    return found, output


def test_features_equal_its_own(path, patch):
    expected, output = features_of_its_own(path, patch[0, 0].numpy())
    network = load(spec(path), (1, 1, 1))
    assert network.layer_names == [f"encoder.{k}" for k in range(4)] + [f"decoder.{k}" for k in range(3)]
    found = network(patch)
    assert [tuple(f.shape[1:]) for f in found[:4]] == [(32, 16, 24, 16), (64, 8, 12, 8), (128, 4, 6, 4), (256, 2, 3, 2)]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    (ours,) = load(spec(path), (1, 1, 1), ["probabilities"])(patch)
    torch.testing.assert_close(ours, output, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(ours.sum(1), torch.ones(1, 16, 24, 16))


def test_features_of_a_real_ct_equal_its_own(path, real_data):
    image = sitk.ReadImage(str(next((real_data / "lung").glob("ct-64.*"))))
    patch = sitk.GetArrayFromImage(image)[20:44, 16:48, 16:48].astype(np.float32)
    expected, _ = features_of_its_own(path, patch)
    found = load(spec(path), image.GetSpacing()[::-1])(torch.from_numpy(patch)[None, None])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_scaling_by_hand():
    # 101 values: clipped to [-1000, 600], the 99th percentile of 0, 16, ..., 1600 is 1584.
    x = torch.linspace(-1000, 600, 101).reshape(1, 1, 1, 1, -1).clone()
    x[..., 0], x[..., -1] = -2000, 3000
    scaled = NORMALIZATIONS["NaviAirway"](x, {})
    torch.testing.assert_close(scaled.flatten(), torch.arange(101) * 16 / 1584 * 255)
    np.testing.assert_allclose(scale(x.numpy()), scaled.numpy(), rtol=1e-5)
    flat = torch.full((1, 1, 2, 2, 2), -1000.0)
    assert not NORMALIZATIONS["NaviAirway"](flat, {}).any() and not scale(flat.numpy()).any()


def test_two_checkpoints_side_by_side(path, patch, tmp_path):
    other = save(tmp_path / "other.pkl", seed=1)
    network = load(spec(path, other), (1, 1, 1), ["encoder.1", "decoder.2"])
    assert network.layer_names == ["0/encoder.1", "0/decoder.2", "1/encoder.1", "1/decoder.2"]
    found = network(patch)
    assert torch.equal(found[2], load(spec(other), (1, 1, 1), ["encoder.1"])(patch)[0])
    assert not torch.equal(found[0], found[2])
    regions = network.regions(torch.ones_like(patch), found)
    assert [tuple(r.shape[2:]) for r in regions] == [(8, 12, 8), (16, 24, 16)] * 2


def test_nothing_runs_after_the_last_layer(path):
    network = load(spec(path), (1, 1, 1), "encoder").networks[0]
    assert len(network.encoders) == 4 and len(network.decoders) == 0 and network.final_conv is None
    network = load(spec(path), (1, 1, 1), ["decoder.0", "encoder.0"]).networks[0]
    assert len(network.encoders) == 4 and len(network.decoders) == 1


def test_the_gradient_reaches_the_ct_and_padding_is_cropped(path, patch):
    x = patch[:, :, :13].clone().requires_grad_()
    found = load(spec(path), (1, 1, 1))(x)
    assert [f.shape[2] for f in found] == [13, 7, 4, 2, 4, 7, 13]
    sum(f.square().mean() for f in found).backward()
    assert torch.isfinite(x.grad).all() and x.grad.any()


def test_errors(path, tmp_path):
    with pytest.raises(ModelError, match=r"(?s)NaviAirway: no such file.*hint: download NaviAirway's"):
        load(spec(tmp_path / "absent.pkl"), (1, 1, 1))
    torch.save({"state_dict": {}}, tmp_path / "other.pkl")
    with pytest.raises(ModelError, match=r"(?s)not a checkpoint of NaviAirway.*keys state_dict.*model_state_dict"):
        load(spec(tmp_path / "other.pkl"), (1, 1, 1))
    content = torch.load(path, weights_only=True)
    del content["model_state_dict"]["final_conv.bias"]
    torch.save(content, tmp_path / "short.pkl")
    with pytest.raises(ModelError, match=r"(?s)the weights do not fit.*final_conv.bias"):
        load(spec(tmp_path / "short.pkl"), (1, 1, 1))
    with pytest.raises(ConfigError, match=r"(?s)unknown feature layers.*encoder.4.*did you mean encoder"):
        load(spec(path), (1, 1, 1), ["encoder.4"])
