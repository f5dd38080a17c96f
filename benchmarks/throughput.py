"""Whole training throughput: the default study's L1 row, loader and augmentation included, against its step alone.

    PYTHONPATH=src python benchmarks/throughput.py [--iterations 20] [--rounds 5] [--json FILE]

Phantoms of the default study's size go through the study's own training set and trainer. In each round the trainer
takes as many batches from its loader as it takes of one that is kept. CPU time of one thread. L1 is the shortest step,
so that the loader counts most.
"""

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from itertools import repeat
from pathlib import Path
from unittest import mock

import numpy as np
from scipy import ndimage

from afpbench.base import hardware
from afpbench.base.atomic import write_json
from afpbench.phantom.generate import generate
from afpbench.study.load import load_study, read_study
from afpbench.training.base import ResumableTrainer
from afpbench.training.training_set import build
from afpbench.training.variant import train_variant
from afpbench.volumes import io, normalization

ROOT = Path(__file__).resolve().parents[1]
TASK, ROW, CASES = "thorax", "nnunet_l1", ("p1", "p2", "p3", "p4")


class Measured(Exception):
    """Ends a training when its figures are there."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=20, help="of each side in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    found = measure(options.iterations, options.rounds, options.precision)
    ratios = found["ratios"]
    print(f"patch {found['patch']}, batch {found['batch']}, {found['number_format']}")
    print(f"the step alone over the whole: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    if options.json:
        options.json.write_text(json.dumps({"machine": hardware.describe(), **found}, indent=1) + "\n")


def measure(iterations: int, rounds: int, precision: str = "auto") -> dict:
    """CPU milliseconds of an iteration with the loader and without in each round, and their ratios."""
    task = load_study(read_study(ROOT / "config" / "config.yaml"), ROOT)["tasks"][TASK]
    found: dict = {}

    def instead_of_training(trainer: ResumableTrainer) -> None:
        trainer.on_train_start()
        trainer.on_train_epoch_start()
        kept = next(trainer.dataloader_train)
        trainer.train_step(kept)
        sides = {"whole_ms": trainer.dataloader_train, "step_ms": repeat(kept)}
        found.update({name: [] for name in sides})
        for _ in range(rounds):
            for name, batches in sides.items():
                found[name].append(milliseconds(trainer, batches, iterations))
        plan = trainer.configuration_manager
        found.update(patch=list(plan.patch_size), batch=plan.batch_size)
        found["number_format"] = hardware.format_name(trainer.precision)
        raise Measured

    with (
        tempfile.TemporaryDirectory(prefix="throughput-") as folder,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),  # nnU-Net prints its plans
        contextlib.suppress(Measured),
    ):
        training_set = make_training_set(task, Path(folder))
        runtime = hardware.Runtime("cpu", precision, threads=1, seed=1)
        with mock.patch.object(ResumableTrainer, "run_training", instead_of_training):
            work, out = Path(folder) / "work", Path(folder) / "model"
            train_variant(f"{TASK}/{ROW}", *training_set, task["variants"][ROW], {}, None, work, out, runtime)
    found["ratios"] = [step / whole for step, whole in zip(found["step_ms"], found["whole_ms"], strict=True)]
    return found


def milliseconds(trainer, batches, iterations: int) -> float:
    """CPU milliseconds of an iteration: take a batch, train a step."""
    begin = time.process_time()
    for _, batch in zip(range(iterations), batches, strict=False):
        trainer.train_step(batch)
    return (time.process_time() - begin) * 1e3 / iterations


def make_training_set(task: dict, folder: Path) -> tuple[Path, Path]:
    """The generator's training set of some phantoms, and normalization.json beside it."""
    prepared = {case: prepare(case, index, task, folder) for index, case in enumerate(CASES)}
    splits = {"train": list(CASES[:-1]), "validation": [CASES[-1]]}
    statistics_file = folder / "normalization.json"
    found = normalization.fit([prepared[case] for case in splits["train"]], task["normalization"])
    write_json(statistics_file, found)
    generator = task["generators"][task["variants"][ROW]["generator"]]
    build(prepared, splits, found, generator, task["spacing_mm"], folder / "set", seed=1)
    return folder / "set", statistics_file


def prepare(case: str, index: int, task: dict, folder: Path) -> Path:
    """A phantom as a prepared case, its MR put on the CT's grid without a registration."""
    phantom = generate(TASK, index, 2026, task["spacing_mm"])
    ct, shape = phantom.ct, phantom.mr.array.shape
    mr = ndimage.zoom(phantom.mr.array, [a / b for a, b in zip(ct.array.shape, shape, strict=True)], order=1)
    body = (phantom.ct_labels.array > 0).astype(np.uint8)
    images = {"mr": mr, "ct": ct.array, "mask": body, "covered": np.ones_like(body), "labels": phantom.ct_labels.array}
    for name, array in images.items():
        io.write(ct.with_array(array), folder / case / f"{name}.nii.gz")
    return folder / case


if __name__ == "__main__":
    main()
