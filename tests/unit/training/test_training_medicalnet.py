"""MedicalNet's stand-in: the task it learns, the file it leaves, and that a killed training goes on bit for bit."""

import csv

import numpy as np
import pytest
import torch
from conftest import GRID, PATCH, PLANNER, SPLITS, training_options

from afpbench.base.atomic import read_json, sha256_of
from afpbench.base.errors import ModelError
from afpbench.base.hardware import Runtime
from afpbench.features import load
from afpbench.features.medicalnet import ResNet
from afpbench.training import medicalnet
from afpbench.training.medicalnet import MedicalNetSegmenter, train_stand_in

RUNTIME = Runtime("cpu", "float32", threads=1, seed=1)


def network(depth=10, **changes):
    options = {"optimizer": "adamw", "learning_rate": 0.001, "iterations": 2, "iterations_per_epoch": 1, **changes}
    return {"depth": depth, "planner": PLANNER, "patch_size": PATCH, "training": training_options(**options)}


def train(prepared_cases, folder, options=None):
    path = folder / "model" / "resnet.pth"
    arguments = ("thorax/medicalnet", prepared_cases, SPLITS, options or network(), GRID.spacing_mm, folder / "work")
    train_stand_in(*arguments, path, RUNTIME)
    return path


@pytest.fixture(scope="module")
def weights(prepared_cases, tmp_path_factory):
    return train(prepared_cases, tmp_path_factory.mktemp("medicalnet"))


def test_tissues_by_hand():
    # Constant volumes are not changed by smoothing: air, lung, fat, soft tissue, bone; limits belong to the upper one.
    for hu, tissue in {-1024: 0, -950: 1, -301: 1, -300: 2, -21: 2, -20: 3, 149: 3, 150: 4, 3000: 4}.items():
        assert np.unique(medicalnet.tissues(np.full((3, 3, 3), hu, np.int16))).tolist() == [tissue]


@pytest.mark.parametrize("depth", [10, 18, 50])
def test_the_head_gives_logits_of_the_patchs_size(depth):
    segmenter = MedicalNetSegmenter(depth, 5).eval()
    x = torch.randn(1, 1, 16, 17, 20) * 300
    with torch.no_grad():
        logits = segmenter(x)
        assert logits.shape == (1, 5, 16, 17, 20)
        # Each patch's own mean and SD are removed: HU scale and offset do not matter.
        torch.testing.assert_close(segmenter(2 * x + 100), logits, rtol=1e-3, atol=1e-3)
    keys = {key for key in segmenter.state_dict() if not key.startswith("conv_seg.")}
    assert keys == set(ResNet(depth, depth in (10, 50)).state_dict())


def test_the_file_is_in_medicalnets_format(weights):
    content = torch.load(weights, weights_only=True)
    assert set(content) == {"state_dict"}
    assert all(key.startswith("module.") and "conv_seg" not in key for key in content["state_dict"])
    features = load({"kind": "medicalnet", "weights": weights, "sha256": sha256_of(weights)}, GRID.spacing_mm)
    assert features.layer_names == ["relu1", "layer1", "layer2", "layer3", "layer4"]
    assert torch.equal(features.network.conv1.weight, content["state_dict"]["module.conv1.weight"])
    assert [tuple(f.shape[1:]) for f in features(torch.randn(1, 1, *PATCH))][4] == (512, 2, 2, 2)


def test_the_records_lie_beside_it(weights):
    assert sorted(path.name for path in weights.parent.iterdir()) == ["cost.json", "curves.csv", "resnet.pth"]
    with open(weights.parent / "curves.csv") as file:
        lines = list(csv.DictReader(file))
    assert [line["iteration"] for line in lines] == ["1", "2"] and "validation_dice" in lines[0]
    cost = read_json(weights.parent / "cost.json")
    assert cost["name"] == "thorax/medicalnet" and cost["iterations"] == 2 and cost["patch_size"] == PATCH
    assert not (weights.parents[1] / "work").exists()


def test_training_changes_the_weights(weights):
    torch.manual_seed(RUNTIME.seed)
    trained = torch.load(weights, weights_only=True)["state_dict"]
    statistics = trained["module.bn1.running_mean"]
    assert statistics.any() and torch.isfinite(statistics).all()  # the batches that it saw
    assert all(torch.isfinite(value).all() for value in trained.values())


def test_a_killed_training_goes_on_bit_for_bit(weights, prepared_cases, tmp_path, monkeypatch, capfd):
    from afpbench.nnunet.environment import use_nnunet

    use_nnunet()
    from afpbench.training.base import ResumableTrainer

    def die(self):
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        super(ResumableTrainer, self).on_epoch_start()

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ResumableTrainer, "on_epoch_start", die, raising=False)
        train(prepared_cases, tmp_path)
    capfd.readouterr()
    other = train(prepared_cases, tmp_path)
    output = capfd.readouterr().out
    assert "epoch 2/2" in output and "epoch 1/2" not in output
    first, second = (torch.load(path, weights_only=True)["state_dict"] for path in (weights, other))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_a_file_with_another_checksum_is_refused(weights):
    with pytest.raises(
        ModelError, match=r"the wrong file lies at .*resnet.pth\n  found: sha256 .*\n  expected: sha256 0"
    ):
        load({"kind": "medicalnet", "weights": weights, "sha256": "0" * 64}, GRID.spacing_mm)
