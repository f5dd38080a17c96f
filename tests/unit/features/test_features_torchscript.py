"""afpbench.features.torchscript: exported modules as feature networks."""

import os
from pathlib import Path

import pytest
import torch

from afpbench.base.errors import ConfigError, ModelError
from afpbench.features import load

# TorchScript is deprecated in PyTorch 2.13, and still what networks in the field are exported to.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")

REAL = Path(os.environ.get("AFPBENCH_REAL_DATA", Path(__file__).parents[3] / ".." / "shared" / "real"))
M730 = REAL / "networks" / "M730_1_Layers.pt"


class TwoOutputs(torch.nn.Module):
    def forward(self, x):
        return x * 2, -x[:, :, ::2, ::2, ::2]


class Flat(torch.nn.Module):
    def forward(self, x):
        return x.flatten()


def export(path, module):
    torch.jit.trace(module.eval(), torch.zeros(1, 1, 8, 8, 8)).save(str(path))
    return {"kind": "torchscript", "path": path}


def test_outputs_are_layers(tmp_path):
    spec = export(tmp_path / "two.pt", TwoOutputs())
    x = torch.full((1, 1, 4, 4, 4), 300.0)
    network = load({**spec, "mean_hu": 100, "std_hu": 50, "clip_hu": [-100, 200]}, (1, 1, 1))
    assert network.layer_names == ["output.0", "output.1"]
    first, second = network(x)
    assert first.unique().tolist() == [4.0] and second.shape == (1, 1, 2, 2, 2)  # (200 - 100) / 50 * 2
    (only,) = load(spec, (1, 1, 1), ["output.1"])(x)
    assert only.unique().tolist() == [-300.0]
    regions = network.regions(torch.ones_like(x), network(x))
    assert [tuple(r.shape[2:]) for r in regions] == [(4, 4, 4), (2, 2, 2)]


@pytest.mark.skipif(not M730.is_file(), reason=f"no {M730}")
def test_a_real_network():
    network = load({"kind": "torchscript", "path": M730, "std_hu": 500.0}, (1.5, 1.5, 1.5))
    x = (torch.randn(1, 1, 16, 16, 16) * 300).requires_grad_()
    (feature,) = network(x)
    module = torch.jit.load(str(M730), map_location="cpu").eval()
    torch.testing.assert_close(feature, module(x / 500)[0])
    assert feature.shape == (1, 32, 16, 16, 16)
    feature.square().mean().backward()
    assert x.grad.any() and not any(p.requires_grad for p in network.parameters())


def test_errors(tmp_path):
    with pytest.raises(ModelError, match="TorchScript module: no such file"):
        load({"kind": "torchscript", "path": tmp_path / "absent.pt"}, (1, 1, 1))
    torch.save({"a": torch.zeros(1)}, tmp_path / "state.pth")
    with pytest.raises(ModelError, match=r"(?s)not a TorchScript module.*hint: a state dict"):
        load({"kind": "torchscript", "path": tmp_path / "state.pth"}, (1, 1, 1))
    with pytest.raises(ModelError, match=r"(?s)its output is not features.*expected: a tensor \(batch"):
        load(export(tmp_path / "flat.pt", Flat()), (1, 1, 1))
    with pytest.raises(ModelError, match=r"(?s)fails on an input of shape.*divisor"):
        load(export(tmp_path / "two_channels.pt", torch.nn.Sequential(Pair(), torch.nn.Conv3d(2, 1, 1))), (1, 1, 1))
    with pytest.raises(ConfigError, match="output.9"):
        load(export(tmp_path / "two.pt", TwoOutputs()), (1, 1, 1), ["output.9"])


class Pair(torch.nn.Module):
    """Two channels at the size it was traced with, and a failure at any other."""

    def forward(self, x):
        return torch.cat([x, torch.zeros(1, 1, 8, 8, 8)], 1)
