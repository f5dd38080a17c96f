"""The generator's training set: MR and CT of each case, normalised, in nnU-Net's own storage.

nnU-Net's preprocessor has no float target. Here the normalised CT rides as the last image channel, behind those of the
normalised MR, so that nnU-Net's dataset, data loader and spatial augmentation serve both as they are; the trainer takes
the channels apart again. The label map has two channels: the body (1) for foreground oversampling, with -1 where the CT
has no data; and the labels of the real CT (0 where a source has none), for patches and loss terms that name structures.
"""

import hashlib
from pathlib import Path

import numpy as np

from ..base.atomic import read_json, write_json
from ..base.errors import DataError
from ..base.log import logger, progress
from ..nnunet import environment, planning
from ..study.kinds.registry import GENERATORS
from ..volumes import channels, io, normalization

DATASET = "Dataset001_translation"


def build(
    prepared: dict[str, Path], splits: dict, statistics: dict, generator: dict, spacing_mm, out: Path, seed: int
) -> None:
    """Plan the generator and write the training set of the training and validation cases to `out`.

    prepared: case id -> prepared folder. splits: {"train": [...], "validation": [...]}.
    statistics: normalization.json. generator: its entry in the study. spacing_mm: z, y, x.
    out becomes an `nnUNet_preprocessed` folder that holds one dataset.
    """
    raw = out / "raw"
    environment.use_nnunet(raw=raw, preprocessed=out, augmentation_processes=1)
    cases = [*splits["train"], *splits["validation"]]
    train = {case: prepared[case] for case in splits["train"]}
    planning.write_raw_dataset(
        raw / DATASET,
        {case: list(channels.files(folder).values()) for case, folder in train.items()},
        {case: folder / "mask.nii.gz" for case, folder in train.items()},
        channels=_channel_names(prepared, cases),
        classes={"body": 1},
    )
    planning.plan(DATASET, generator["planner"], generator["patch_size"], spacing_mm)
    configuration = set_generator(out, generator)
    folder = out / DATASET / configuration["data_identifier"]
    folder.mkdir(parents=True, exist_ok=True)
    logger.info("patch %s voxels, batch %d", list(configuration["patch_size"]), configuration["batch_size"])
    digest = hashlib.sha256()
    for case in progress(cases, len(cases), "training set"):
        digest.update(_save_case(case, prepared[case], statistics, configuration["patch_size"], folder, seed))
    write_json(out / DATASET / "digest.json", {"sha256": digest.hexdigest()})
    write_json(out / DATASET / "splits_final.json", [{"train": splits["train"], "val": splits["validation"]}])


def _channel_names(prepared: dict[str, Path], cases: list[str]) -> list[str]:
    """What nnU-Net's dataset.json calls the channels of the MR; "MR" before each, since it normalises some names anew.

    Raises DataError for cases with different channels.
    """
    found = {case: channels.names(prepared[case]) for case in cases}
    first = found[cases[0]]
    for case, names in found.items():
        if names != first:
            raise DataError(
                f"case {case}: other channels of the MR than case {cases[0]}",
                found=", ".join(names) or "an MR of one image",
                expected=", ".join(first) or "an MR of one image",
                hint="run the study again from its import; every case takes part in one training",
            )
    return [f"MR {name}" for name in first] or ["MR"]


def set_generator(training_set: Path, generator: dict) -> dict:
    """Write the generator and its architecture into the plans; returns the configuration.

    The planner's U-Net, from which the patch size comes, gives way to the network that the study asks for.
    """
    path = training_set / DATASET / f"{planning.PLANS}.json"
    plans = read_json(path)
    configuration = plans["configurations"][planning.CONFIGURATION]
    planned, patch_size = configuration["architecture"], configuration["patch_size"]
    configuration["architecture"] = GENERATORS[generator["kind"]].architecture(generator, planned, patch_size)
    write_json(path, {**plans, "generator": generator})
    return configuration


def _save_case(case: str, prepared: Path, statistics: dict, patch_size, folder: Path, seed: int) -> bytes:
    """Store one case; return a digest of what was stored."""
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2

    mr = normalization.normalize_mr(channels.stacked(channels.read(prepared, case)), statistics["mr"])
    ct = normalization.normalize_ct(io.read(prepared / "ct.nii.gz", f"case {case}: CT").array, statistics["ct"])
    mask = io.read(prepared / "mask.nii.gz", f"case {case}: mask").array > 0
    covered = io.read(prepared / "covered.nii.gz", f"case {case}: coverage").array > 0
    body = np.where(covered, mask.astype(np.int16), np.int16(-1))
    labels = np.stack([body, _labels(case, prepared, body.shape)])
    data = np.stack([*mr.reshape(-1, *ct.shape), ct]).astype(np.float32)
    properties = {
        "class_locations": DefaultPreprocessor._sample_foreground_locations(body[None], [1], seed=seed),
        "label_values": np.unique(labels[1]).tolist(),
    }
    blocks, chunks = comp_blosc2_params(data.shape, tuple(patch_size), data.itemsize)
    blocks_seg, chunks_seg = comp_blosc2_params(labels.shape, tuple(patch_size), labels.itemsize)
    nnUNetDatasetBlosc2.save_case(
        data,
        labels,
        properties,
        str(folder / case),
        chunks=chunks,
        blocks=blocks,
        chunks_seg=chunks_seg,
        blocks_seg=blocks_seg,
    )
    return hashlib.sha256(data.tobytes() + labels.tobytes()).digest()


def _labels(case: str, prepared: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The label map of the real CT, int16; zeros for a case without one."""
    path = prepared / "labels.nii.gz"
    if not path.is_file():
        return np.zeros(shape, np.int16)
    return io.read(path, f"case {case}: labels").array.astype(np.int16)
