"""A generator of a user's own: one class with `network`, trained by the real trainer and loaded by inference."""

import shutil

import pytest
import torch
from conftest import GRID, PATCH, PLANNER, training_options
from torch import nn

from afpbench.base.atomic import read_json
from afpbench.base.errors import ConfigError, ModelError
from afpbench.base.hardware import Runtime
from afpbench.generators.registered import RegisteredGenerator
from afpbench.inference.synthesis import Generator
from afpbench.study.kinds.registry import GENERATORS, use_extensions
from afpbench.training import checkpoints
from afpbench.training.training_set import set_generator
from afpbench.training.variant import train_variant
from afpbench.volumes import io

PLAIN = '''
from afpbench.study.kinds import Generator


class Plain(Generator):
    """Convolutions at full resolution."""

    name = "plain"
    properties = {"width": {"type": "integer", "minimum": 1, "default": 4, "description": "Feature maps."}}

    @classmethod
    def network(cls, input_channels, options):
        from torch import nn

        width = options["width"]
        return nn.Sequential(nn.Conv3d(input_channels, width, 3, padding=1), nn.ReLU(), nn.Conv3d(width, 1, 1))
'''


@pytest.fixture
def plain(tmp_path):
    """The options of such a generator, known for the time of a test."""
    (tmp_path / "plain.py").write_text(PLAIN, encoding="utf-8")
    use_extensions(["plain.py"], tmp_path)
    yield {"kind": "plain", "planner": PLANNER, "patch_size": PATCH, "width": 5}
    use_extensions([], tmp_path)


@pytest.mark.slow
def test_it_trains_and_inference_loads_it(plain, training_set, prepared_cases, tmp_path):
    own = shutil.copytree(training_set[0], tmp_path / "set", symlinks=True), training_set[1]
    set_generator(own[0], plain)
    training = training_options(iterations=2, iterations_per_epoch=1)
    variant = {"generator": "plain", "loss": [{"term": "l1", "weight": 1}], "training": training}
    runtime = Runtime("cpu", "float32", threads=1, seed=1)
    model = tmp_path / "model"
    train_variant("thorax/plain", *own, variant, {}, None, tmp_path / "work", model, runtime)
    cost = read_json(model / "cost.json")
    assert cost["iterations"] == 2 and cost["parameters"] == (27 * 5 + 5) + (5 + 1)
    network = Generator(model, {"overlap": 0.0, "fusion": "median"}, runtime)
    values = network(io.read(prepared_cases["p4"] / "mr.nii.gz").array)
    assert values.shape == GRID.shape and values.std() > 0
    trained = checkpoints.load(model / "fold_0" / "checkpoint_final.pth")["network_weights"]
    assert torch.equal(trained["network.2.weight"], network.network.network[2].weight)


def test_an_output_of_another_shape_is_refused(plain, monkeypatch):
    network = RegisteredGenerator(1, 1, "plain", plain)
    assert network(torch.randn(2, 1, 8, 9, 10)).shape == (2, 1, 8, 9, 10)
    network.network = nn.Conv3d(1, 2, 1)
    with pytest.raises(ModelError, match=r"(?s)another shape than the MR's.*found: \(1, 2, 8, 8, 8\)"):
        network(torch.randn(1, 1, 8, 8, 8))
    monkeypatch.setattr(GENERATORS["plain"], "network", classmethod(lambda cls, channels, options: None))
    with pytest.raises(ConfigError, match=r"(?s)its `network` gives no network.*found: NoneType"):
        RegisteredGenerator(1, 1, "plain", plain)
