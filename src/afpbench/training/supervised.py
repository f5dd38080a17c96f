"""Train a network on labelled CT through nnU-Net: raw dataset, plan, preprocessing and training loop are nnU-Net's."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..base.atomic import write_text
from ..base.errors import DataError
from ..base.hardware import Runtime
from ..base.log import logger, progress
from ..nnunet import environment, planning
from . import run

DATASET = "Dataset002_segmenter"


@dataclass(frozen=True)
class LabelledCT:
    """The real CT of a task's cases with labels.

    images: case id -> CT. write_labels: writes the label map of a case to a path and returns the values in it; the
    values 1, 2, ... are `classes` in their order. channel: "CT" for nnU-Net's normalisation of CT, "noNorm" to keep HU.
    reader: see planning.write_raw_dataset.
    key: a digest of all that images and labels depend on: what a killed training left is used for the same only.
    """

    images: dict[str, Path]
    write_labels: Callable[[str, Path], set[int]]
    classes: list[str]
    key: str
    channel: str = "CT"
    reader: str = "SimpleITKIO"


def train(
    trainer: str,
    data: LabelledCT,
    splits: dict,
    options: dict,
    settings: dict,
    spacing_mm,
    work: Path,
    out: Path,
    runtime: Runtime,
) -> None:
    """Train on the training cases and leave an nnU-Net v2 model folder at `out`; the validation cases give the curve.

    trainer: a class of `training/trainers`. options: {planner, patch_size}. settings: what the trainer reads, with
    `name`, `training`, `precision` and `seed`. work: rolling state, removed at the end.
    """
    marker = work / "prepared"
    if not marker.exists() or marker.read_text(encoding="utf-8") != data.key:
        _prepare(settings["name"], data, splits, options, spacing_mm, work)
        write_text(marker, data.key)
    environment.use_nnunet(preprocessed=work / "preprocessed")
    run.train(trainer, work / "preprocessed" / DATASET, settings, work / "training", out, runtime)
    shutil.rmtree(work)


def _prepare(name: str, data: LabelledCT, splits: dict, options: dict, spacing_mm, work: Path) -> None:
    """nnU-Net's raw dataset, plan and preprocessed cases in the work folder."""
    shutil.rmtree(work, ignore_errors=True)
    environment.use_nnunet(raw=work / "raw", preprocessed=work / "preprocessed", augmentation_processes=1)
    cases = [*splits["train"], *splits["validation"]]
    labels = {case: work / "labels" / f"{case}.nii.gz" for case in cases}
    shown = {case: data.write_labels(case, labels[case]) for case in progress(cases, len(cases), f"{name}: labels")}
    _check_classes(name, data.classes, {case: shown[case] for case in splits["train"]})
    planning.write_raw_dataset(
        work / "raw" / DATASET,
        {case: [data.images[case]] for case in cases},
        labels,
        channels=[data.channel],
        classes={group: value for value, group in enumerate(data.classes, start=1)},
        reader=data.reader,
    )
    plans = planning.plan(DATASET, options["planner"], options["patch_size"], spacing_mm)
    patch = plans["configurations"][planning.CONFIGURATION]["patch_size"]
    logger.info("%s: patch %s voxels, %d classes", name, list(patch), len(data.classes))
    from nnunetv2.experiment_planning.plan_and_preprocess_api import preprocess_dataset

    with environment.one_worker():
        preprocess_dataset(2, planning.PLANS, (planning.CONFIGURATION,), [1], show_progress_bar=False)
    split = [{"train": splits["train"], "val": splits["validation"]}]
    (work / "preprocessed" / DATASET / "splits_final.json").write_text(json.dumps(split))


def _check_classes(name: str, classes: list[str], shown: dict[str, set[int]]) -> None:
    """Warn of a class that no training case shows; refuse to train where they show none at all."""
    present = set().union(*shown.values())
    absent = [group for value, group in enumerate(classes, start=1) if value not in present]
    if len(absent) == len(classes):
        raise DataError(
            f"{name}: no training case shows any of its classes",
            found=f"none of {', '.join(classes)} in {len(shown)} cases",
            expected="at least one class in at least one of them",
            hint="check `classes` against the labels of the data",
        )
    if absent:
        logger.warning("%s: no training case shows %s: it will never be found", name, ", ".join(absent))
