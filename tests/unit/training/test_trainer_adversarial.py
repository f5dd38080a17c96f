"""SPADE and pix2pixHD through nnU-Net's training loop: both networks, their losses, resume bit for bit, inference."""

import shutil

import pytest
import torch
from conftest import GENERATOR, GRID, PATCH, PLANNER, SPLITS, training_options
from test_trainer import RUNTIME, curves, dying, equal, weights

from afpbench.base.atomic import read_json
from afpbench.base.errors import ModelError
from afpbench.inference.ensemble import Ensemble
from afpbench.inference.synthesis import Generator, synthesize_case
from afpbench.study.kinds.registry import GENERATORS
from afpbench.training import checkpoints
from afpbench.training.base import ResumableTrainer
from afpbench.training.training_set import build, set_generator
from afpbench.training.variant import train_variant
from afpbench.volumes import io

pytestmark = pytest.mark.slow
SIZES = {"base_features": 4, "max_features": 8, "downsamplings": 2, "blocks": 1}
SPADE = {
    "kind": "spade",
    "planner": PLANNER,
    "patch_size": PATCH,
    **SIZES,
    "spade_features": 4,
    "discriminator": {"scales": 2, "layers": 4, "base_features": 4},
    "adversarial_weight": 1,
    "feature_matching_weight": 10,
}
GAME = ("adversarial", "feature_matching", "discriminator_real", "discriminator_synthetic")


@pytest.fixture(scope="module")
def spade_set(training_set, prepared_cases, tmp_path_factory):
    """Planned and stored for SPADE, as the workflow does."""
    folder = tmp_path_factory.mktemp("spade") / "set"
    build(prepared_cases, SPLITS, read_json(training_set[1]), SPADE, GRID.spacing_mm, folder, seed=1)
    return folder, training_set[1]


def train(training_set, folder, start=None, **changes):
    training = training_options(**{**GENERATORS["spade"].training, **changes})
    variant = {"generator": "spade", "loss": [{"term": "l1", "weight": 1}], "training": training}
    model = folder / "model"
    train_variant("thorax/spade", *training_set, variant, {}, start, folder / "work", model, RUNTIME)
    return model


def everything(model):
    """Both networks and both optimisers of the final checkpoint, flat."""
    content = checkpoints.load(model / "fold_0" / "checkpoint_final.pth")
    extra = content["afpbench"]["extra"]
    flat = {f"generator.{key}": value for key, value in content["network_weights"].items()}
    flat |= {f"discriminator.{key}": value for key, value in extra["discriminator"].items()}
    optimizers = {"generator": content["optimizer_state"], "discriminator": extra["discriminator_optimizer"]}
    for name, state in optimizers.items():
        flat |= {f"{name}.{i}.{k}": v for i, values in state["state"].items() for k, v in values.items()}
    return flat


@pytest.fixture(scope="module")
def model(spade_set, tmp_path_factory):
    return train(spade_set, tmp_path_factory.mktemp("undisturbed"))


def test_a_stopped_training_goes_on_bit_for_bit(model, spade_set, tmp_path, capfd):
    with dying(epochs=2):
        train(spade_set, tmp_path)
    capfd.readouterr()
    resumed = train(spade_set, tmp_path)
    assert "epoch 2/3" not in capfd.readouterr().out
    first, second = everything(model), everything(resumed)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
    done, undisturbed = curves(resumed), curves(model)
    assert [{k: v for k, v in line.items() if k != "seconds"} for line in done] == [
        {k: v for k, v in line.items() if k != "seconds"} for line in undisturbed
    ]


def test_both_networks_learn_and_the_checkpoint_says_how(model):
    content = checkpoints.load(model / "fold_0" / "checkpoint_final.pth")
    assert content["trainer_name"] == "nnUNetTrainerAdversarial"
    states = (content["optimizer_state"], content["afpbench"]["extra"]["discriminator_optimizer"])
    for state in states:
        assert all(values["step"] == 6 for values in state["state"].values())
        assert [group["betas"] for group in state["param_groups"]] == [(0.5, 0.999)]
    plans = read_json(model / "plans.json")
    assert plans["configurations"]["3d_fullres"]["architecture"]["network_class_name"] == (
        "afpbench.generators.spade.Spade"
    )
    assert read_json(model / "cost.json")["parameters"] == sum(value.numel() for value in weights(model).values())


def test_every_loss_value_is_in_the_curves(model):
    lines = curves(model)
    assert [line["iteration"] for line in lines] == ["2", "4", "6"]
    for line in lines:
        assert float(line["train_loss"]) == pytest.approx(float(line["train_l1"]), abs=2e-5)
        assert all(abs(float(line[f"train_{name}"])) < 100 for name in GAME)
        assert float(line["train_feature_matching"]) > 0 and float(line["train_discriminator_real"]) >= 0
    # 3 epochs: the first at the full rate, then linearly towards 0 after a fourth one that is not there
    assert [float(line["learning_rate"]) for line in lines] == pytest.approx([2e-4, 2e-4, 1e-4])


def test_the_losses_fall(spade_set, tmp_path):
    options = {"augmentation": "none", "validation_iterations": 2, "learning_rate": 0.002}
    lines = curves(train(spade_set, tmp_path, iterations=40, iterations_per_epoch=10, **options))
    assert float(lines[-1]["train_loss"]) < 0.8 * float(lines[0]["train_loss"])
    judged = [float(line["train_discriminator_real"]) + float(line["train_discriminator_synthetic"]) for line in lines]
    assert judged[-1] < 2  # the hinge of a discriminator that cannot tell; a generator that learns keeps it near


@pytest.mark.parametrize(("asked", "limit"), [({}, float("inf")), ({"gradient_clip": 3}, 3)], ids=str)
def test_gradients_of_both_networks_are_clipped_only_where_asked(spade_set, tmp_path, monkeypatch, asked, limit):
    limits, clip = [], torch.nn.utils.clip_grad_norm_

    def recorded(parameters, max_norm):
        limits.append(max_norm)
        return clip(parameters, max_norm)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", recorded)
    train(spade_set, tmp_path, iterations=1, iterations_per_epoch=1, **asked)
    assert limits == [limit, limit]


def test_synthesis_by_the_usual_path(model, prepared_cases, tmp_path):
    options = {"overlap": 0.0, "fusion": "median"}
    generator = Generator(model, options, RUNTIME)
    record = synthesize_case(Ensemble([(generator, None)]), prepared_cases["p4"], tmp_path / "p4.nii.gz", "p4")
    assert record["status"] == "ok" and record["patches"] > 1
    assert not any(torch.nn.utils.parametrize.is_parametrized(module) for module in generator.network.modules())
    image = io.read(tmp_path / "p4.nii.gz")
    assert image.array.shape == GRID.shape and image.array.std() > 0


def test_it_starts_from_both_networks_of_another_variant(model, spade_set, tmp_path):
    start = model / "fold_0" / "checkpoint_final.pth"
    still = train(spade_set, tmp_path, start, learning_rate=1e-12, iterations=1, iterations_per_epoch=1)
    first, second = everything(model), everything(still)
    for key in (key for key in first if "weight" in key and "_u" not in key and "_v" not in key):
        assert torch.allclose(first[key], second[key], atol=1e-7), key


@pytest.mark.parametrize(
    "generator",
    [
        {key: value for key, value in {**SPADE, "kind": "pix2pixhd"}.items() if key != "spade_features"},
        {**GENERATOR, "decoder": "trilinear", "head": "residual"},
    ],
    ids=["pix2pixhd", "trilinear"],
)
def test_other_networks_go_on_bit_for_bit_and_load_strictly(generator, training_set, prepared_cases, tmp_path):
    own = shutil.copytree(training_set[0], tmp_path / "set", symlinks=True), training_set[1]
    set_generator(own[0], generator)
    changes = {} if generator["kind"] == "pix2pixhd" else {"optimizer": "sgd", "learning_rate": 0.01}
    with dying(epochs=1):
        train(own, tmp_path, **changes)
    resumed = train(own, tmp_path, **changes)
    assert equal(resumed, train(own, tmp_path / "undisturbed", **changes))
    output = Generator(resumed, {"overlap": 0.0, "fusion": "median"}, RUNTIME)
    values = output(io.read(prepared_cases["p4"] / "mr.nii.gz").array)
    assert values.shape == GRID.shape and values.std() > 0
    path = resumed / "fold_0" / "checkpoint_final.pth"
    content = checkpoints.load(path)
    content["network_weights"].popitem()
    checkpoints.save(content, path)
    with pytest.raises(ModelError, match="the weights do not fit the plans"):
        Generator(resumed, {"overlap": 0.0, "fusion": "median"}, RUNTIME)


def test_the_best_epoch_keeps_its_discriminator(spade_set, tmp_path, monkeypatch):
    values = ResumableTrainer.epoch_values
    worse = lambda self: values(self) | {"validation_loss": float(self.current_epoch)}  # noqa: E731
    monkeypatch.setattr(ResumableTrainer, "epoch_values", worse)
    folder = train(spade_set, tmp_path, checkpoint="best")
    last, best = (checkpoints.load(folder / "fold_0" / f"checkpoint_{name}.pth") for name in ("last", "final"))
    kept = last["afpbench"]["best"]
    assert kept["epoch"] == 0
    chosen, ended = best["afpbench"]["extra"]["discriminator"], last["afpbench"]["extra"]["discriminator"]
    assert all(torch.equal(chosen[key], value) for key, value in kept["extra"]["discriminator"].items())
    assert not all(torch.equal(chosen[key], ended[key]) for key in ended)
