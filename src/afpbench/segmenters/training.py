"""Train a segmenter through nnU-Net: raw dataset, fingerprint, plan, preprocessing and training are nnU-Net's.

The result is an ordinary nnU-Net v2 model folder: nnU-Net's own tools open it.
"""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from .. import io
from ..atomic import sha256_of, write_text
from ..errors import DataError
from ..log import logger, progress
from ..training import environment, planning, run

DATASET = "Dataset002_segmenter"
TRAINER = "nnUNetTrainerStudy"


def train_segmenter(
    name: str,
    prepared: dict[str, Path],
    splits: dict,
    groups: dict[str, list[int]],
    segmenter: dict,
    spacing_mm,
    work: Path,
    out: Path,
    *,
    device: str,
    precision: str,
    threads: int,
    seed: int,
) -> None:
    """Train on the real CT of the training cases; the validation cases give the curve.

    prepared: case id -> prepared folder with ct.nii.gz and labels.nii.gz. groups: class name -> the label values of the
    cases that it merges; classes get the values 1, 2, ... in this order. segmenter: {planner, patch_size, training}.
    work: rolling state, removed at the end. out: the model folder.
    """
    dataset = work / "preprocessed" / DATASET
    marker, key = work / "prepared", _key(prepared, splits, groups, segmenter, spacing_mm, seed)
    if not marker.exists() or marker.read_text(encoding="utf-8") != key:
        _prepare(name, prepared, splits, groups, segmenter, spacing_mm, work, seed)
        write_text(marker, key)
    environment.use_nnunet(preprocessed=work / "preprocessed")
    settings = {"name": name, "training": segmenter["training"], "precision": precision, "seed": seed}
    run.train(TRAINER, dataset, settings, work / "training", out, device=device, threads=threads, seed=seed)
    shutil.rmtree(work)


def _key(prepared: dict[str, Path], splits: dict, groups: dict, segmenter: dict, spacing_mm, seed: int) -> str:
    """A digest of all that the preprocessed cases depend on: what a killed training left is used for the same only."""
    cases = [*splits["train"], *splits["validation"]]
    files = [sha256_of(prepared[case] / f"{name}.nii.gz") for case in cases for name in ("ct", "labels")]
    plan = [segmenter["kind"], segmenter["planner"], segmenter["patch_size"], list(spacing_mm), seed]
    parts = [splits["train"], splits["validation"], list(groups.items()), *plan, files]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _prepare(name, prepared, splits, groups, segmenter, spacing_mm, work: Path, seed: int) -> None:
    """nnU-Net's raw dataset, plan and preprocessed cases in the work folder."""
    shutil.rmtree(work, ignore_errors=True)
    environment.use_nnunet(raw=work / "raw", preprocessed=work / "preprocessed", augmentation_processes=1)
    cases = [*splits["train"], *splits["validation"]]
    labels = {}
    for case in progress(cases, len(cases), f"{name}: labels"):
        labels[case] = work / "labels" / f"{case}.nii.gz"
        _write_labels(case, prepared[case] / "labels.nii.gz", groups, labels[case])
    planning.write_raw_dataset(
        work / "raw" / DATASET,
        {case: prepared[case] / "ct.nii.gz" for case in cases},
        labels,
        channel="CT",
        classes={group: value for value, group in enumerate(groups, start=1)},
        # TotalSegmentator hands its network RAS images, whatever the file says: its stand-in must learn them so.
        reader="NibabelIOWithReorient" if segmenter["kind"] == "totalsegmentator" else "SimpleITKIO",
    )
    plans = planning.plan(DATASET, segmenter["planner"], segmenter["patch_size"], spacing_mm)
    patch = plans["configurations"][planning.CONFIGURATION]["patch_size"]
    logger.info("%s: patch %s voxels, %d classes", name, list(patch), len(groups))
    from nnunetv2.experiment_planning.plan_and_preprocess_api import preprocess_dataset

    with environment.one_worker():
        preprocess_dataset(2, planning.PLANS, (planning.CONFIGURATION,), [1], show_progress_bar=False)
    split = [{"train": splits["train"], "val": splits["validation"]}]
    (work / "preprocessed" / DATASET / "splits_final.json").write_text(json.dumps(split))


def _write_labels(case: str, path: Path, groups: dict[str, list[int]], out: Path) -> None:
    """The case's label map with each group as one value; every other label is background."""
    volume = io.read(path, f"case {case}: labels")
    table = np.zeros(256, np.uint8)
    for value, members in enumerate(groups.values(), start=1):
        table[members] = value
    mapped = table[volume.array.astype(np.uint8)]
    if not mapped.any():
        raise DataError(
            f"case {case}: none of the segmenter's classes occurs",
            found=f"label values {sorted(np.unique(volume.array).tolist())[:20]}",
            expected=f"some of {groups}",
            hint="check the segmenter's `classes` against the labels of the data",
        )
    io.write(volume.with_array(mapped), out)
