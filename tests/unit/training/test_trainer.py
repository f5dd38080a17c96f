"""Both trainers through nnU-Net's own training loop: what they write, and that a killed one goes on bit for bit."""

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import GENERATOR, GRID, PATCH, PLANNER, SPLITS, training_options, write_prepared
from judged_variant import judged
from nnunet_folder import make_folder

from afpbench.base import hardware
from afpbench.base.atomic import read_json
from afpbench.base.errors import TrainingError
from afpbench.base.hardware import Runtime
from afpbench.inference.ensemble import Ensemble
from afpbench.inference.synthesis import Generator, synthesize_case
from afpbench.metrics.evaluate import evaluate_pair
from afpbench.metrics.image import image_metrics
from afpbench.metrics.pair import Pair
from afpbench.metrics.structures import parse_structures
from afpbench.segmenters.prediction import open_nnunet
from afpbench.segmenters.training import _key, train_segmenter
from afpbench.study.kinds.losses.l1 import L1
from afpbench.training import checkpoints, run
from afpbench.training.training_set import build
from afpbench.training.variant import train_variant
from afpbench.volumes import io, normalization

pytestmark = pytest.mark.slow
RUNTIME = Runtime("cpu", "float32", threads=1, seed=1)
GROUPS = {"dense": [1], "airy": [2]}


def variant(**changes):
    return {"generator": "nnunet", "loss": [{"term": "l1", "weight": 1}], "training": training_options(**changes)}


def train(training_set, folder, changed=None, networks=None, start=None, seed=1):
    train_variant(
        "thorax/l1",
        *training_set,
        changed or variant(),
        networks or {},
        start,
        folder / "work",
        folder / "model",
        replace(RUNTIME, seed=seed),
    )
    return folder / "model"


def weights(model):
    return checkpoints.load(model / "fold_0" / "checkpoint_final.pth")["network_weights"]


def equal(one, other):
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    return all(torch.equal(first[key], second[key]) for key in first)


def curves(model):
    with open(model / "curves.csv") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def model(training_set, tmp_path_factory):
    """A variant trained without a disturbance: 6 iterations in 3 epochs."""
    folder = tmp_path_factory.mktemp("variant")
    train(training_set, folder)
    assert not list((folder / "work").glob("*"))  # rolling state is gone after the end
    return folder / "model"


def test_the_model_folder_is_whole(model):
    assert sorted(path.name for path in model.iterdir()) == [
        "cost.json", "curves.csv", "dataset.json", "fold_0", "plans.json",
    ]  # fmt: skip
    cost = read_json(model / "cost.json")
    assert (cost["iterations"], cost["patch_size"], cost["batch_size"]) == (6, PATCH, 2)
    assert cost["parameters"] == sum(value.numel() for value in weights(model).values())
    assert cost["seconds"] > 0 and cost["peak_memory_mb"] > 0 and cost["name"] == "thorax/l1"
    settings = read_json(model / "plans.json")["afpbench"]
    assert settings["loss"] == [{"term": "l1", "weight": 1}]
    assert settings["ct_statistics"]["std_hu"] > 0


def test_the_curves_have_a_line_per_epoch(model):
    lines = curves(model)
    assert [line["epoch"] for line in lines] == ["0", "1", "2"]
    assert [line["iteration"] for line in lines] == ["2", "4", "6"]
    # nnU-Net's polynomial decay: 0.01 * (1 - epoch / 3) ** 0.9
    assert [float(line["learning_rate"]) for line in lines] == pytest.approx(
        [0.01 * (1 - epoch / 3) ** 0.9 for epoch in range(3)]
    )
    for name in ("train_loss", "validation_loss", "train_l1", "validation_mae_hu", "validation_me_hu"):
        assert all(abs(float(line[name])) < 1e4 for line in lines), name
    assert all(float(line["train_loss"]) == pytest.approx(float(line["train_l1"]), abs=2e-5) for line in lines)


def test_nnunets_own_predictor_opens_the_folder(model):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=torch.device("cpu"), verbose=False, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(model), use_folds=(0,))
    with torch.inference_mode():
        output = predictor.network(torch.randn(1, 1, *PATCH))
    assert output.shape == (1, 1, *PATCH) and torch.isfinite(output).all() and output.std() > 0


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(model, training_set, tmp_path):
    assert equal(train(training_set, tmp_path / "again"), model)
    assert not equal(train(training_set, tmp_path / "other", seed=2), model)


def test_a_variant_has_its_own_batch_size(training_set, tmp_path):
    """The plan was made for 2 patches."""
    folder = train(training_set, tmp_path, variant(batch_size=3))
    assert read_json(folder / "plans.json")["configurations"]["3d_fullres"]["batch_size"] == 3


def test_the_loss_falls(training_set, tmp_path):
    longer = variant(iterations=40, iterations_per_epoch=10, augmentation="none", validation_iterations=2)
    lines = curves(train(training_set, tmp_path, longer))
    assert float(lines[-1]["train_loss"]) < 0.8 * float(lines[0]["train_loss"])
    assert float(lines[-1]["validation_mae_hu"]) < float(lines[0]["validation_mae_hu"])


def test_a_variant_starts_from_anothers_weights(model, training_set, tmp_path):
    still = variant(learning_rate=1e-12, iterations=1, iterations_per_epoch=1)
    started = train(training_set, tmp_path, still, start=model / "fold_0" / "checkpoint_final.pth")
    first, second = weights(started), weights(model)
    assert all(torch.allclose(first[key], second[key], atol=1e-7) for key in first)


def test_an_afp_variant_trains_through_a_frozen_network(training_set, tmp_path):
    loss = [{"term": "l1", "weight": 1}, {"term": "afp", "weight": 0.5, "networks": ["navi"]}]
    network = make_folder(tmp_path / "navi", spacing_mm=GRID.spacing_mm)
    before = weights_of(network)
    changed = {**variant(augmentation="full"), "loss": loss}
    folder = train(training_set, tmp_path, changed, {"navi": {"kind": "nnunet", "folder": str(network)}})
    lines = curves(folder)
    assert all(float(line["train_afp"]) > 0 for line in lines)
    total = float(lines[0]["train_l1"]) + 0.5 * float(lines[0]["train_afp"])
    assert total == pytest.approx(float(lines[0]["train_loss"]), rel=0.01)
    assert weights_of(network) == before


def test_terms_on_regions_and_patches_around_a_structure(training_set, tmp_path):
    """Two networks, one inside the dense organ and one outside it; every patch is centred on that organ."""
    networks = {name: make_folder(tmp_path / name, spacing_mm=GRID.spacing_mm, seed=i) for i, name in enumerate("ab")}
    region = {"region_of": ["dense"], "weight": 1}
    loss = [
        {"term": "l1", "weight": 1},
        {"term": "afp", "networks": ["a"], "region": "inside", **region},
        {"term": "afp", "networks": ["b"], "region": "outside", **region},
    ]
    changed = {**variant(patch_sampling=["dense"], foreground_oversampling=1.0), "loss": loss}
    specs = {name: {"kind": "nnunet", "folder": str(folder)} for name, folder in networks.items()}
    train_variant(
        "thorax/afp", *training_set, changed, specs, None, tmp_path / "work", tmp_path / "model",
        RUNTIME, label_values={"dense": [1]},
    )  # fmt: skip
    lines = curves(tmp_path / "model")
    assert all(float(line[name]) > 0 for line in lines for name in ("train_afp", "train_afp_2"))
    with pytest.raises(TrainingError, match=r"thorax/afp: structures of patch.*no training case has a voxel of dense"):
        train_variant(
            "thorax/afp", *training_set, changed, specs, None, tmp_path / "work2", tmp_path / "model2",
            RUNTIME, label_values={"dense": [77]},
        )  # fmt: skip


def prepared_trainer(training_set, tmp_path, **changes):
    """The trainer of a variant, set up and not begun."""
    trainers = []

    def begin(self):
        trainers.append(self)
        raise InterruptedError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr("nnunetv2.training.nnUNetTrainer.nnUNetTrainer.nnUNetTrainer.run_training", begin)
        train(training_set, tmp_path, variant(**changes))
    return trainers[0]


def test_outside_the_body_both_images_have_the_chosen_value(training_set, tmp_path):
    trainer = prepared_trainer(training_set, tmp_path, outside_hu=-1000)
    statistics = trainer.ct_statistics
    target = torch.tensor([1, 0, -1, 1]).reshape(1, 1, 1, 2, 2)
    data = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.1, 0.2, 0.3, 0.4]]).reshape(1, 2, 1, 2, 2)
    _, real, valid = trainer._unpack({"data": data, "target": target})
    assert valid.flatten().tolist() == [True, False, False, True]
    hu = normalization.denormalize_ct(real, statistics).flatten()
    floor = max(-1000.0, statistics["lower_hu"])
    assert hu[1:3].tolist() == pytest.approx([floor, floor], abs=0.01)
    assert real.flatten()[[0, 3]].tolist() == pytest.approx([0.1, 0.4])
    trainer.initialize()
    trainer.unchecked = {"l1"}
    batch = {key: value.repeat(1, 1, 16, 8, 8) for key, value in (("data", data), ("target", target))}
    _, _, synthetic, real, valid = trainer._losses(batch)
    assert torch.equal(synthetic[~valid], real[~valid]) and not torch.equal(synthetic[valid], real[valid])


def test_a_patch_without_body_is_no_silent_loss(training_set, tmp_path):
    """With `outside_hu` both images are the same in it: the check waits for a patch that shows something."""
    trainer = prepared_trainer(training_set, tmp_path, outside_hu=-1000)
    trainer.initialize()
    trainer.unchecked = {"l1"}
    data, empty = torch.randn(1, 2, *PATCH), torch.zeros(1, 1, *PATCH)
    total = trainer._losses({"data": data, "target": empty})[0]
    assert total.item() == 0 and trainer.unchecked == {"l1"}
    trainer._losses({"data": data, "target": torch.ones(1, 1, *PATCH)})
    assert not trainer.unchecked


def test_a_masked_variant_trains(training_set, tmp_path):
    loss = [{"term": "mse", "weight": 0.5, "region": "inside"}, {"term": "l1", "weight": 0.5, "region": "inside"}]
    lines = curves(train(training_set, tmp_path, {**variant(outside_hu=-1024), "loss": loss}))
    assert all(float(line[name]) > 0 for line in lines for name in ("train_mse", "train_l1"))


def weights_of(folder):
    return (folder / "fold_0" / "checkpoint_final.pth").read_bytes()


def test_a_gradient_that_is_not_finite_stops_before_it_reaches_the_weights(training_set, tmp_path, monkeypatch):
    """From the fifth patch on, a term of value 0 whose gradient is 0 times infinity."""
    calls, original = [], L1.value

    def value(self, synthetic, real, region=None):
        calls.append(1)
        result = original(self, synthetic, real, region)
        return result if len(calls) < 5 else result + (synthetic - synthetic.detach()).abs().sqrt().mean()

    monkeypatch.setattr(L1, "value", value)
    with pytest.raises(TrainingError, match=r"(?s)thorax/l1: the gradient is not finite in epoch .*on cases \['p"):
        train(training_set, tmp_path)


def test_a_loss_that_is_not_finite_stops_the_training(training_set, tmp_path):
    diverging = variant(learning_rate=1e30, gradient_clip=1e30, momentum=0.0, iterations=20)
    with pytest.raises(TrainingError, match="thorax/l1: the loss is not finite in epoch") as error:
        train(training_set, tmp_path, diverging)
    assert "hint: lower training.learning_rate" in str(error.value) and "on cases ['p" in str(error.value)
    number = int(re.search(r"in epoch (\d+), iteration (\d+)", str(error.value))[2])
    assert 1 <= number < 20
    kept = next((tmp_path / "work").rglob("checkpoint_latest.pth"), None)
    assert (f"the last good checkpoint is {kept}" if kept else "there is no checkpoint yet") in str(error.value)


def test_a_missing_training_set(training_set, tmp_path):
    with pytest.raises(TrainingError, match="thorax/l1: no training set"):
        train((tmp_path, training_set[1]), tmp_path)


@pytest.mark.parametrize(("device", "workers"), [("cpu", 0), ("cuda", 6)])
def test_patches_are_made_by_as_many_processes_as_a_job_has_threads(monkeypatch, tmp_path, device, workers):
    def use_nnunet(**options):
        raise RuntimeError(f"{options['augmentation_processes']} workers")

    monkeypatch.setattr(run.environment, "use_nnunet", use_nnunet)
    with pytest.raises(RuntimeError, match=f"^{workers} workers"):
        run._train("nnUNetTrainerTranslation", tmp_path, {}, tmp_path, torch.device(device), 6, 1)


def test_whole_cases_are_validated_every_second_epoch_and_at_the_end(training_set, prepared_cases, tmp_path):
    folder = train(training_set, tmp_path, variant(validate_cases_every_epochs=2))
    lines = curves(folder)
    assert [bool(line["case_mae_hu"]) for line in lines] == [False, True, True]
    generator = Generator(folder, {"overlap": 0.5, "fusion": "median"}, RUNTIME)
    real, mr, mask = (io.read(prepared_cases["p4"] / f"{name}.nii.gz").array for name in ("ct", "mr", "mask"))
    limits = [generator.ct_statistics[key] for key in ("lower_hu", "upper_hu")]
    expected = image_metrics(np.clip(real, *limits), generator(mr), mask)["body"]
    assert float(lines[-1]["case_mae_hu"]) == pytest.approx(expected["mae"], rel=1e-3)
    assert float(lines[-1]["case_ssim"]) == pytest.approx(expected["ssim"], abs=1e-3)


def test_validation_of_whole_cases_changes_no_weight(model, training_set, tmp_path):
    assert equal(train(training_set, tmp_path, variant(validate_cases_every_epochs=1)), model)


@pytest.mark.parametrize("whole_cases", [0, 1])
def test_the_best_epoch_makes_the_model_and_the_last_stays(training_set, tmp_path, whole_cases):
    """A training that soon diverges: its best epoch is not the last one, also when it is killed and goes on."""
    diverging = variant(
        learning_rate=0.3, momentum=0.0, iterations=8, checkpoint="best", validate_cases_every_epochs=whole_cases,
        augmentation="none",
    )  # fmt: skip
    folder = train(training_set, tmp_path / "undisturbed", diverging)
    column = "case_mae_hu" if whole_cases else "validation_loss"
    values = [float(line[column]) for line in curves(folder)]
    cost = read_json(folder / "cost.json")
    assert cost["checkpoint"] == "best" and cost["checkpoint_epoch"] == values.index(min(values))
    assert (cost["checkpoint_by"], cost["checkpoint_value"]) == (column, min(values))
    last = checkpoints.load(folder / "fold_0" / "checkpoint_last.pth")
    best = checkpoints.load(folder / "fold_0" / "checkpoint_final.pth")
    kept = last["afpbench"]["best"]
    assert kept["value"] == min(values) and kept["epoch"] == cost["checkpoint_epoch"]
    assert all(torch.equal(best["network_weights"][key], kept["weights"][key]) for key in kept["weights"])
    assert best["afpbench"]["best"] is None
    interrupted(training_set, tmp_path, 3, diverging)
    assert equal(train(training_set, tmp_path, diverging), folder)


def test_structures_are_judged_as_the_tables_do(model, training_set, prepared_cases, tmp_path):
    """And no weight is changed by it."""
    changed = judged(prepared_cases["p4"], tmp_path, variant(validate_cases_every_epochs=2))
    folder = train(training_set, tmp_path, changed)
    assert equal(folder, model)
    lines = curves(folder)
    assert [bool(line["case_dice_one"]) for line in lines] == [False, True, True]
    generator, prepared = Generator(folder, {"overlap": 0.5, "fusion": "median"}, RUNTIME), prepared_cases["p4"]
    synthesize_case(Ensemble([(generator, None)]), prepared, tmp_path / "synthetic" / "p4.nii.gz", "p4")
    segment = open_nnunet(Path(changed["judge"]["segmenters"]["judge"]["folder"]), [0], "cpu", 1)
    real, synthetic = map(io.read, (prepared / "ct.nii.gz", tmp_path / "synthetic" / "p4.nii.gz"))
    maps = [real.with_array(segment(image)) for image in (real, synthetic)]
    mask = io.read(prepared / "mask.nii.gz")
    structures = parse_structures(changed["judge"]["structures"], tolerance_mm=6.0)
    pair = Pair("p4", None, None, mask, {"judge": tuple(maps)})
    values = {line["structure"]: line["value"] for line in evaluate_pair(pair, "thorax", "l1", structures)
              if line["metric"] == "dice"}  # fmt: skip
    assert all(0 < value < 1 for value in values.values())
    for name, value in values.items():
        assert float(lines[-1][f"case_dice_{name}"]) == pytest.approx(value, abs=1e-5)
    assert float(lines[-1]["case_dice"]) == pytest.approx(sum(values.values()) / 2, abs=1e-5)


def test_the_best_epoch_is_that_of_the_highest_dice(training_set, prepared_cases, tmp_path):
    """Also where the training is killed and goes on: nothing of the validation is lost."""
    options = {"learning_rate": 0.3, "momentum": 0.0, "iterations": 8, "checkpoint": "best", "augmentation": "none"}
    changed = judged(prepared_cases["p4"], tmp_path, variant(validate_cases_every_epochs=1, **options))
    folder = train(training_set, tmp_path / "undisturbed", changed)
    values = [float(line["case_dice"]) for line in curves(folder)]
    cost = read_json(folder / "cost.json")
    assert (cost["checkpoint_by"], cost["checkpoint_value"]) == ("case_dice", max(values))
    assert cost["checkpoint_epoch"] == values.index(max(values))
    interrupted(training_set, tmp_path, 3, changed)
    assert list((tmp_path / "work").rglob("real_segmentations/judge/p4.nii.gz"))
    assert equal(train(training_set, tmp_path, changed), folder)
    assert [float(line["case_dice"]) for line in curves(tmp_path / "model")] == values


def test_other_weights_of_the_judge_start_anew(training_set, prepared_cases, tmp_path):
    changed = judged(prepared_cases["p4"], tmp_path, variant(validate_cases_every_epochs=1))
    interrupted(training_set, tmp_path, 1, changed)
    (before,) = (tmp_path / "work").iterdir()
    make_folder(tmp_path / "judge", spacing_mm=GRID.spacing_mm, seed=1)
    interrupted(training_set, tmp_path, 1, changed)
    (after,) = (tmp_path / "work").iterdir()
    assert before.name != after.name


def test_without_a_choice_the_last_epoch_makes_the_model(model):
    assert not (model / "fold_0" / "checkpoint_last.pth").exists()
    cost = read_json(model / "cost.json")
    assert (cost["checkpoint"], cost["checkpoint_epoch"], cost["number_format"]) == ("last", 2, "float32")
    assert cost["checkpoint_by"] is None and cost["checkpoint_value"] is None
    assert cost["seconds_per_iteration"] == cost["seconds"] / 6
    assert 0 < cost["loop_seconds_per_iteration"] < cost["seconds_per_iteration"]


# --- killed and started again

CHILD = """
import json, sys
from pathlib import Path
from afpbench.base import log
from afpbench.base.hardware import Runtime
from afpbench.training.variant import train_variant
log.configure()
arguments, seed = json.loads(sys.argv[1])
for i in (1, 2, 6, 7):
    arguments[i] = Path(arguments[i])
train_variant(*arguments, Runtime("cpu", "float32", 1, seed))
"""


def run_child(arguments, kill_after=None, seed=1):
    """Train a variant in a process of its own; SIGKILL it when its log says that epoch `kill_after` is done."""
    plain = json.dumps([arguments, seed], default=str)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    command = [sys.executable, "-u", "-c", CHILD, plain]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if kill_after is not None and f"epoch {kill_after + 1}/" in line:
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait(timeout=60)
    assert code == (0 if kill_after is None else -signal.SIGKILL), "".join(lines)[-4000:]
    return "".join(lines)


def test_a_killed_training_goes_on_bit_for_bit(model, training_set, tmp_path):
    arguments = [
        "thorax/l1", *training_set, variant(), {}, None, tmp_path / "work", tmp_path / "model",
    ]  # fmt: skip
    # The line of epoch 2 comes after the checkpoint of epoch 1 was written.
    first = run_child(arguments, kill_after=1)
    assert "epoch 2/3" in first and "epoch 3/3" not in first
    assert not (tmp_path / "model").exists()
    assert list((tmp_path / "work").rglob("checkpoint_latest.pth"))
    second = run_child(arguments)
    assert "going on from" in second and "epoch 1/3" not in second and "epoch 3/3" in second
    assert equal(tmp_path / "model", model)
    done, undisturbed = curves(tmp_path / "model"), curves(model)
    assert [{k: v for k, v in line.items() if k != "seconds"} for line in done] == [
        {k: v for k, v in line.items() if k != "seconds"} for line in undisturbed
    ]


def test_a_corrupt_checkpoint_costs_an_epoch_and_nothing_else(model, training_set, tmp_path, capfd):
    interrupted(training_set, tmp_path, epochs=2)
    latest = next((tmp_path / "work").rglob("checkpoint_latest.pth"))
    latest.write_bytes(latest.read_bytes()[:1000])
    assert equal(train(training_set, tmp_path), model)
    output = capfd.readouterr()
    assert "epoch 2/3" in output.out + output.err


@pytest.mark.parametrize("changes", [{"optimizer": "adamw"}, {"augmentation": "full"}], ids=str)
def test_other_settings_go_on_bit_for_bit_too(training_set, tmp_path, changes):
    interrupted(training_set, tmp_path, 2, variant(**changes))
    resumed = train(training_set, tmp_path, variant(**changes))
    assert equal(resumed, train(training_set, tmp_path / "undisturbed", variant(**changes)))


@pytest.mark.parametrize("weighting", ["uncertainty", "gradient_norm"])
def test_learned_layer_weights_are_logged_and_go_on_bit_for_bit(training_set, tmp_path, weighting):
    network = make_folder(tmp_path / "navi", spacing_mm=GRID.spacing_mm)
    afp = {"term": "afp", "weight": 1, "networks": ["navi"], "weighting": weighting}
    changed = {**variant(augmentation="none"), "loss": [{"term": "l1", "weight": 1}, afp]}
    networks = {"navi": {"kind": "nnunet", "folder": str(network)}}
    undisturbed = train(training_set, tmp_path / "undisturbed", changed, networks)
    with dying(epochs=2):
        train(training_set, tmp_path, changed, networks)
    resumed = train(training_set, tmp_path, changed, networks)
    assert equal(resumed, undisturbed)
    columns = [f"weight_afp_navi_{layer}" for layer in ("encoder.0", "encoder.1", "decoder.0")]
    ours, theirs = ([[line[name] for name in columns] for line in curves(model)] for model in (resumed, undisturbed))
    assert ours == theirs and [float(weight) for weight in ours[-1]] != [1.0, 1.0, 1.0]


def test_random_boxes_of_the_loss_go_on_bit_for_bit(training_set, tmp_path):
    """The check of gradients, which a resumed training makes again, must not draw a box of its own."""
    network = make_folder(tmp_path / "navi", spacing_mm=GRID.spacing_mm)
    changed = {**variant(), "loss": [{"term": "l1"}, {"term": "afp", "networks": ["navi"], "crop": 0.75}]}
    networks = {"navi": {"kind": "nnunet", "folder": str(network)}}
    undisturbed = train(training_set, tmp_path / "undisturbed", changed, networks)
    with dying(epochs=2):
        train(training_set, tmp_path, changed, networks)
    assert equal(train(training_set, tmp_path, changed, networks), undisturbed)


def test_a_training_goes_on_in_the_number_format_that_it_began_in(model, training_set, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "RUNTIME", replace(RUNTIME, precision="auto"))
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: {"avx2"})
    interrupted(training_set, tmp_path, epochs=2)
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: {"avx2", "avx512_bf16"})
    assert equal(train(training_set, tmp_path), model)
    assert read_json(tmp_path / "model" / "cost.json")["number_format"] == "float32"


@contextlib.contextmanager
def dying(epochs):
    """Trainings in here die, as if killed, when their epoch number `epochs` + 1 begins."""
    from afpbench.nnunet.environment import use_nnunet

    use_nnunet()
    from afpbench.training.base import ResumableTrainer

    def on_epoch_start(self):
        if self.current_epoch == epochs:
            raise KeyboardInterrupt
        super(ResumableTrainer, self).on_epoch_start()

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ResumableTrainer, "on_epoch_start", on_epoch_start, raising=False)
        yield


def interrupted(training_set, folder, epochs, changed=None):
    with dying(epochs):
        train(training_set, folder, changed)


def test_another_setting_starts_anew(training_set, tmp_path, capfd):
    interrupted(training_set, tmp_path, epochs=1)
    assert list((tmp_path / "work").rglob("checkpoint_latest.pth"))
    capfd.readouterr()
    other = variant(learning_rate=0.02)
    model = train(training_set, tmp_path, other)
    output = capfd.readouterr()
    assert "epoch 1/3" in output.out and "going on from" not in output.out + output.err
    assert equal(model, train(training_set, tmp_path / "fresh", other))


def test_another_plan_starts_anew(training_set, prepared_cases, tmp_path, capfd):
    """The same cases, planned for other patches: a checkpoint of the old network is not gone on from."""
    interrupted(training_set, tmp_path, epochs=1)
    generator = {**GENERATOR, "patch_size": [16, 16, 24]}
    statistics = read_json(training_set[1])
    build(prepared_cases, SPLITS, statistics, generator, GRID.spacing_mm, tmp_path / "set", seed=1)
    capfd.readouterr()
    model = train((tmp_path / "set", training_set[1]), tmp_path)
    output = capfd.readouterr()
    assert "epoch 1/3" in output.out and "going on from" not in output.out + output.err
    assert read_json(model / "cost.json")["patch_size"] == [16, 16, 24]


# --- segmenters


def segmenter(**changes):
    options = training_options(**changes)
    return {"kind": "trained", "planner": PLANNER, "patch_size": PATCH, "training": options}


def segmenter_arguments(prepared_cases, folder):
    names = ["thorax/navi", prepared_cases, SPLITS, GROUPS, segmenter(), list(GRID.spacing_mm)]
    return [*names, folder / "work", folder / "model"]


@pytest.fixture(scope="module")
def segmenter_model(prepared_cases, tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmenter")
    train_segmenter(*segmenter_arguments(prepared_cases, folder), RUNTIME)
    assert not (folder / "work").exists()
    return folder / "model"


def test_a_segmenter_is_an_ordinary_nnunet_folder(segmenter_model):
    content = checkpoints.load(segmenter_model / "fold_0" / "checkpoint_final.pth")
    assert content["trainer_name"] == "nnUNetTrainer"
    assert read_json(segmenter_model / "dataset.json")["labels"] == {"background": 0, "dense": 1, "airy": 2}
    lines = curves(segmenter_model)
    assert len(lines) == 3 and "validation_dice" in lines[0]
    plans = read_json(segmenter_model / "plans.json")["configurations"]["3d_fullres"]
    assert list(plans["patch_size"]) == PATCH and plans["normalization_schemes"] == ["CTNormalization"]


def test_a_killed_segmenter_training_goes_on_bit_for_bit(segmenter_model, prepared_cases, tmp_path, capfd):
    arguments = segmenter_arguments(prepared_cases, tmp_path)
    with dying(epochs=2):
        train_segmenter(*arguments, RUNTIME)
    capfd.readouterr()
    train_segmenter(*arguments, RUNTIME)
    output = capfd.readouterr().out
    assert "epoch 3/3" in output and "epoch 2/3" not in output
    assert equal(tmp_path / "model", segmenter_model)


def test_a_killed_segmenter_training_does_not_go_on_under_another_plan(prepared_cases, tmp_path, capfd):
    arguments = segmenter_arguments(prepared_cases, tmp_path)
    with dying(epochs=1):
        train_segmenter(*arguments, RUNTIME)
    arguments[4] = {**arguments[4], "patch_size": [16, 16, 24]}
    capfd.readouterr()
    train_segmenter(*arguments, RUNTIME)
    output = capfd.readouterr()
    assert "epoch 1/3" in output.out and "going on from" not in output.out + output.err
    assert read_json(tmp_path / "model" / "cost.json")["patch_size"] == [16, 16, 24]


def test_preprocessed_cases_are_used_again_for_the_same_only(prepared_cases, tmp_path):
    other_case = {**prepared_cases, "p2": write_prepared(tmp_path / "p2" / "prepared", seed=20)}
    labels = {case: folder / "labels.nii.gz" for case, folder in prepared_cases.items()}
    same = [prepared_cases, SPLITS, GROUPS, segmenter(), GRID.spacing_mm, 1, labels]
    changes = {
        0: other_case,
        1: {"train": ["p1", "p2"], "validation": ["p3"]},
        2: {"airy": [2], "dense": [1]},
        3: {**segmenter(), "planner": {**PLANNER, "base_features": 5}},
        4: (6.0, 6.0, 5.0),
        5: 2,
        6: {**labels, "p2": other_case["p2"] / "labels.nii.gz"},
    }
    keys = {_key(*same)} | {_key(*same[:i], value, *same[i + 1 :]) for i, value in changes.items()}
    assert len(keys) == 1 + len(changes)
    longer = segmenter(iterations=100)  # the training's own options change nothing of the data
    assert _key(*same[:3], longer, *same[4:]) == _key(*same)
