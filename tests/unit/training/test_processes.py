"""One training in two processes: they hold the same network, die together, and go on bit for bit."""

import os
import signal

import pytest
import torch
from conftest import GRID, SPLITS, training_options
from judged_variant import judged
from nnunet_folder import make_folder
from test_trainer import GROUPS, curves, equal, run_child, segmenter
from test_trainer_adversarial import SPADE
from test_training_medicalnet import network
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from afpbench.base import hardware
from afpbench.base.atomic import read_json
from afpbench.base.errors import ConfigError, TrainingError
from afpbench.base.hardware import Runtime
from afpbench.segmenters.training import train_segmenter
from afpbench.study.kinds.registry import GENERATORS
from afpbench.training import processes
from afpbench.training.medicalnet import train_stand_in
from afpbench.training.training_set import build
from afpbench.training.variant import train_variant

CPU = torch.device("cpu")
RUNTIME = Runtime("cpu", "float32", threads=2, seed=1)


# --- the group. What processes call must be found by name, so it stands here.


def speak(word):
    rank = processes.rank()
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([1.0, 10.0]) * (rank + 1)
    processes.average_gradients([parameter, torch.nn.Parameter(torch.zeros(1))])  # the second has no gradient
    averages = processes.average({"a": rank + 1.0, "b": None})
    return rank, processes.count(), processes.gather(f"{word}{rank}"), averages, parameter.grad.tolist()


def refuse(rank):
    if processes.rank() == rank:
        raise TrainingError("p1: no good", found=rank)
    processes.gather("the other never comes")


def die():
    if processes.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    processes.gather("the other never comes")


def test_two_processes_talk():
    assert processes.run(2, CPU, speak, "x") == (0, 2, ["x0", "x1"], {"a": 1.5, "b": None}, [1.5, 15.0])


def test_one_process_is_this_one():
    assert processes.run(1, CPU, os.getpid) == os.getpid()
    assert (processes.rank(), processes.count(), processes.gather(3)) == (0, 1, [3])
    assert processes.average({"a": 2.0, "b": None}) == {"a": 2.0, "b": None}


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_of_one_ends_all_and_is_raised_here(rank):
    with pytest.raises(TrainingError, match=rf"p1: no good\n  found: {rank}"):
        processes.run(2, CPU, refuse, rank)


def test_a_process_that_dies_ends_all():
    """The other one may notice first that it has lost its neighbour."""
    with pytest.raises((ProcessExitedException, ProcessRaisedException), match="SIGKILL|[Cc]onnection"):
        processes.run(2, CPU, die)


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"training\.gpus: more GPUs than this job sees\n  found: 1 of 2"):
        hardware.require_gpus(torch.device("cuda"), 2)
    hardware.require_gpus(torch.device("cuda"), 1)
    hardware.require_gpus(CPU, 2)


# --- trainings


def variant(**changes):
    return {
        "generator": "nnunet",
        "loss": [{"term": "l1", "weight": 1}],
        "training": training_options(gpus=2, **changes),
    }


def train(training_set, folder, changed, networks=None, start=None):
    model = folder / "model"
    train_variant("thorax/l1", *training_set, changed, networks or {}, start, folder / "work", model, RUNTIME)
    return model


@pytest.mark.slow
def test_a_training_on_two_gpus_goes_on_bit_for_bit(training_set, prepared_cases, tmp_path):
    """Whole cases are validated and judged too, of which the two processes have one and none."""
    changed = judged(prepared_cases["p4"], tmp_path, variant(validate_cases_every_epochs=1))
    undisturbed = train(training_set, tmp_path / "undisturbed", changed)
    arguments = ["thorax/l1", *training_set, changed, {}, None, tmp_path / "work", tmp_path / "model"]
    first = run_child(arguments, kill_after=1)
    assert "epoch 2/3" in first and not (tmp_path / "model").exists()
    second = run_child(arguments)
    assert "going on from" in second and "epoch 1/3" not in second
    assert equal(tmp_path / "model", undisturbed)
    ours, theirs = curves(tmp_path / "model"), curves(undisturbed)
    assert [{**line, "seconds": 0} for line in ours] == [{**line, "seconds": 0} for line in theirs]
    assert len(ours) == 3 and float(ours[-1]["case_mae_hu"]) > 0 and 0 < float(ours[-1]["case_dice"]) < 1
    cost = read_json(tmp_path / "model" / "cost.json")
    assert (cost["gpus"], cost["batch_size"]) == (2, 2)
    assert read_json(tmp_path / "model" / "plans.json")["configurations"]["3d_fullres"]["batch_size"] == 2
    # The processes draw different patches: with the same ones they would agree with a training on one patch.
    assert not equal(undisturbed, train(training_set, tmp_path / "one", {**changed, "training": one(changed)}))


def one(changed):
    return {**changed["training"], "gpus": 1, "batch_size": 1}


@pytest.mark.slow
def test_a_loss_that_is_not_finite_in_one_process_stops_both(training_set, tmp_path):
    diverging = variant(learning_rate=1e30, gradient_clip=1e30, momentum=0.0, iterations=20)
    with pytest.raises(TrainingError, match=r"(?s)thorax/l1: the .* is not finite in epoch .*on cases \['p"):
        train(training_set, tmp_path, diverging)


# --- what is trained besides the network: discriminators, and weights that a loss finds


def compared(function, *arguments):
    """In a process of the group: train, and compare with the other process all that a checkpoint holds of it."""
    from afpbench.nnunet.environment import use_nnunet

    use_nnunet()
    from afpbench.training.base import ResumableTrainer

    held, original = [], ResumableTrainer.on_train_end

    def on_train_end(self):
        held.append(dict(tensors({"network": self.network_weights(), **self.extra_state()})))
        original(self)

    ResumableTrainer.on_train_end = on_train_end
    folder = function(*arguments)
    first, second = processes.gather(held[0])
    assert first.keys() == second.keys() and len(first) > 10
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
    return folder


def tensors(state, place=""):
    for key, value in state.items():
        if isinstance(value, dict):
            yield from tensors(value, f"{place}{key}.")
        elif isinstance(value, torch.Tensor):
            yield f"{place}{key}", value


@pytest.fixture
def comparing(monkeypatch):
    run = processes.run
    monkeypatch.setattr(processes, "run", lambda count, device, *call: run(count, device, compared, *call))


@pytest.mark.slow
@pytest.mark.parametrize("weighting", ["uncertainty", "gradient_norm"])
def test_weights_that_a_loss_finds_are_the_same_in_both(training_set, tmp_path, weighting, comparing):
    networks = {"navi": {"kind": "nnunet", "folder": str(make_folder(tmp_path / "navi", spacing_mm=GRID.spacing_mm))}}
    afp = {"term": "afp", "weight": 1, "networks": ["navi"], "weighting": weighting}
    changed = {**variant(), "loss": [{"term": "l1", "weight": 1}, afp]}
    found = curves(train(training_set, tmp_path, changed, networks))[-1]
    assert [value for name, value in found.items() if name.startswith("weight_afp_")] != ["1.0", "1.0", "1.0"]


@pytest.mark.slow
def test_both_have_the_same_discriminator(training_set, prepared_cases, tmp_path, comparing):
    """From random weights, and then from the first model's."""
    statistics = read_json(training_set[1])
    build(prepared_cases, SPLITS, statistics, SPADE, GRID.spacing_mm, tmp_path / "set", seed=1)
    changed = {"generator": "spade", "loss": [{"term": "l1", "weight": 1}]}
    changed["training"] = training_options(**GENERATORS["spade"].training, gpus=2)
    spade_set = tmp_path / "set", training_set[1]
    first = train(spade_set, tmp_path / "first", changed)
    second = train(spade_set, tmp_path / "second", changed, start=first / "fold_0" / "checkpoint_final.pth")
    assert not equal(first, second)


@pytest.mark.slow
def test_a_segmenter_is_trained_on_two_gpus(prepared_cases, tmp_path, comparing):
    """With nnU-Net's deep supervision, and its Dice over the patches of both processes."""
    names = ["thorax/navi", prepared_cases, SPLITS, GROUPS, segmenter(gpus=2), list(GRID.spacing_mm)]
    train_segmenter(*names, tmp_path / "work", tmp_path / "model", RUNTIME)
    lines = curves(tmp_path / "model")
    assert len(lines) == 3 and all(0 <= float(line["validation_dice"]) <= 1 for line in lines)


@pytest.mark.slow
def test_a_network_with_batch_normalisation_is_trained_on_two_gpus(prepared_cases, tmp_path, comparing):
    """Its statistics are those of rank 0 in both."""
    options = network(gpus=2)
    path = tmp_path / "model" / "resnet.pth"
    names = ["thorax/medicalnet", prepared_cases, SPLITS, options, GRID.spacing_mm, tmp_path / "work", path]
    train_stand_in(*names, RUNTIME)
    assert torch.load(path, weights_only=True)["state_dict"]["module.bn1.running_mean"].any()
