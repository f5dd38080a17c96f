"""Train a segmenter through nnU-Net, on the labels of the cases.

The result is an ordinary nnU-Net v2 model folder: nnU-Net's own tools open it.
"""

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np

from ..base.atomic import sha256_of
from ..base.hardware import Runtime
from ..study.kinds.registry import SEGMENTERS
from ..training import supervised
from ..volumes import io

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
    runtime: Runtime,
    labels: dict[str, Path] | None = None,
) -> None:
    """Train on the real CT of the training cases; the validation cases give the curve.

    prepared: case id -> prepared folder with ct.nii.gz and labels.nii.gz. groups: class name -> the label values of the
    cases that it merges; classes get the values 1, 2, ... in this order. segmenter: {kind, planner, patch_size,
    training}. work: rolling state, removed at the end. out: the model folder. labels: case id -> label map, in place
    of the cases' own: what a teacher found.
    """
    labels = labels or {case: folder / "labels.nii.gz" for case, folder in prepared.items()}
    data = supervised.LabelledCT(
        {case: folder / "ct.nii.gz" for case, folder in prepared.items()},
        partial(_write_labels, labels, groups),
        list(groups),
        _key(prepared, splits, groups, segmenter, spacing_mm, runtime.seed, labels),
        reader=SEGMENTERS[segmenter["kind"]].reader,
    )
    settings = {"name": name, "training": segmenter["training"], "precision": runtime.precision, "seed": runtime.seed}
    supervised.train(TRAINER, data, splits, segmenter, settings, spacing_mm, work, out, runtime)


def _key(prepared: dict[str, Path], splits: dict, groups: dict, segmenter: dict, spacing_mm, seed, labels) -> str:
    """A digest of all that the preprocessed cases depend on: what a killed training left is used for the same only."""
    cases = [*splits["train"], *splits["validation"]]
    files = [sha256_of(path) for case in cases for path in (prepared[case] / "ct.nii.gz", labels[case])]
    plan = [segmenter["kind"], segmenter["planner"], segmenter["patch_size"], list(spacing_mm), seed]
    parts = [splits["train"], splits["validation"], list(groups.items()), *plan, files]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _write_labels(labels: dict[str, Path], groups: dict[str, list[int]], case: str, out: Path) -> set[int]:
    """The case's label map with each group as one value; every other label is background. Returns the values in it.

    There may be none: a healthy patient has no lesion.
    """
    volume = io.read(labels[case], f"case {case}: labels")
    table = np.zeros(256, np.uint8)
    for value, members in enumerate(groups.values(), start=1):
        table[members] = value
    mapped = table[volume.array.astype(np.uint8)]
    io.write(volume.with_array(mapped), out)
    return set(np.unique(mapped).tolist())
