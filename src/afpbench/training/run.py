"""Run one of our nnU-Net trainers to its end, from the start or from its last intact checkpoint."""

import csv
import hashlib
import io
import json
import os
import shutil
from importlib import import_module
from pathlib import Path

import torch

from ..base import hardware
from ..base.atomic import atomic_path, write_json, write_text
from ..base.errors import TrainingError
from ..base.log import logger, tools
from ..nnunet import deferred, environment, planning
from ..nnunet.trainers import find_trainer
from . import best, checkpoints, processes

MODEL_FILES = ("plans.json", "dataset.json")


def train(trainer_name: str, dataset: Path, settings: dict, work: Path, out: Path, runtime: hardware.Runtime) -> None:
    """Train and leave an nnU-Net v2 model folder with its records at `out`.

    trainer_name: a class of `training/trainers` or of nnU-Net. dataset: a preprocessed dataset's folder
    (nnUNetPlans.json, dataset.json, ...). settings: what the trainer reads from `plans["afpbench"]`.
    work: a folder whose content outlives a killed job; training goes on from the checkpoint that it finds there.
    out gets plans.json, dataset.json, fold_0/checkpoint_final.pth, curves.csv and cost.json.
    """
    chosen, gpus = hardware.device(runtime.device), settings["training"]["gpus"]
    own = _keyed(work, trainer_name, settings, runtime.seed)
    arguments = (trainer_name, dataset, settings, own, chosen, max(1, runtime.threads // gpus), runtime.seed)
    final = processes.run(gpus, chosen, _train, *arguments)
    _export(final, out)
    shutil.rmtree(work)


def _keyed(work: Path, *parts) -> Path:
    """The work folder of exactly this training: another configuration starts anew instead of going on."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
    for other in work.glob("*"):
        if other.name != digest:
            shutil.rmtree(other)
    return work / digest


def _train(
    trainer_name: str, dataset: Path, settings: dict, work: Path, device: torch.device, threads: int, seed: int
) -> Path:
    """Train in this process, which may be one of several; return the folder with the final checkpoint."""
    # On a GPU nnU-Net's own worker processes keep it fed; on a CPU they would only take its cores.
    workers = 0 if device.type == "cpu" else threads
    environment.use_nnunet(preprocessed=dataset.parent, results=work, augmentation_processes=workers)
    hardware.set_threads(threads)
    hardware.choose_algorithms(device.type)
    tools("nnunetv2", "torch")
    checkpoints.seed_everything(seed)
    plans = json.loads((dataset / f"{planning.PLANS}.json").read_text())
    plans["configurations"][planning.CONFIGURATION]["batch_size"] = settings["training"]["batch_size"]
    plans["afpbench"] = settings
    plans["continue_training"] = False
    trainer = _trainer_class(trainer_name)(
        plans, planning.CONFIGURATION, 0, json.loads((dataset / "dataset.json").read_text()), device
    )
    folder = Path(trainer.output_folder)
    if (folder / "checkpoint_final.pth").exists():
        logger.info("training had ended; the model is there")
        return folder
    latest = checkpoints.newest_intact(folder / "checkpoint_latest.pth")
    if latest is not None:
        trainer.load_checkpoint(str(latest))
        logger.info("going on from %s, epoch %d of %d", latest, trainer.current_epoch, trainer.num_epochs)
    trainer.run_training()
    return folder


def _trainer_class(name: str) -> type:
    """A class of `training/trainers`, of nnU-Net, or what nnU-Net finds, which imports every trainer on its way."""
    with deferred.deferred_imports(deferred.TRAINING):
        if (environment.TRAINERS / f"{name}.py").is_file():
            return getattr(import_module(f"{__package__}.trainers.{name}"), name)
        from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

        return find_trainer(name) or recursive_find_trainer_class_by_name(name)


def _export(fold: Path, out: Path) -> None:
    """Copy what defines the model, and write its curves and its cost."""
    (out / "fold_0").mkdir(parents=True, exist_ok=True)
    for name in MODEL_FILES:
        shutil.copyfile(fold.parent / name, out / name)
    shutil.copyfile(fold / "checkpoint_final.pth", out / "fold_0" / "checkpoint_final.pth")
    content = checkpoints.load(out / "fold_0" / "checkpoint_final.pth")
    own, weights = content["afpbench"], content["network_weights"]
    if own["best"] is not None:
        _choose_best(content, out / "fold_0")
    curves = own["curves"]
    if not curves:
        raise TrainingError(f"{out}: the training wrote no curves", expected="at least one epoch")
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(curves[-1]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(curves)
    write_text(out / "curves.csv", text.getvalue())
    settings = content["init_args"]["plans"]["afpbench"]
    patch = content["init_args"]["plans"]["configurations"][planning.CONFIGURATION]["patch_size"]
    iterations = curves[-1]["iteration"]
    cost = {
        "name": settings["name"],
        "iterations": iterations,
        "seconds": own["seconds"],
        "seconds_per_iteration": own["seconds"] / iterations,
        "loop_seconds_per_iteration": own["loop_seconds"] / iterations,
        "peak_memory_mb": own["peak_memory_mb"],
        "parameters": sum(value.numel() for value in weights.values()),
        "patch_size": list(patch),
        "batch_size": settings["training"]["batch_size"],
        "gpus": settings["training"]["gpus"],
        "precision": settings["precision"],
        "number_format": own["number_format"],
        "checkpoint": settings["training"]["checkpoint"],
        "checkpoint_epoch": own["best"]["epoch"] if own["best"] is not None else curves[-1]["epoch"],
        "checkpoint_by": best.measure_of(curves[-1]) if own["best"] is not None else None,
        "checkpoint_value": own["best"]["value"] if own["best"] is not None else None,
        "machine": hardware.describe(),
    }
    write_json(out / "cost.json", cost)


def _choose_best(content: dict, fold: Path) -> None:
    """The best epoch's weights as the model; the last ones stay beside it, as checkpoint_last.pth."""
    os.replace(fold / "checkpoint_final.pth", fold / "checkpoint_last.pth")
    kept = content["afpbench"]["best"]
    logger.info("the model is that of epoch %d, the best of the validation", kept["epoch"] + 1)
    own = {**content["afpbench"], "best": None, "extra": kept["extra"]}
    chosen = {**content, "network_weights": kept["weights"], "afpbench": own}
    with atomic_path(fold / "checkpoint_final.pth") as temporary:
        torch.save(chosen, temporary)
