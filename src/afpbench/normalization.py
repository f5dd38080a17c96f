"""Intensities for training: MR by z-score per image, CT by nnU-Net's clip, mean and standard deviation.

Numpy only (and torch tensors where it says so); images are read through `io` inside `fit`.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .errors import DataError

HU_RANGE = (-1024, 3071)


def fit(case_dirs: Iterable[Path], options: dict | None = None) -> dict:
    """The statistics of the training cases, from their prepared folders (ct.nii.gz, mask.nii.gz).

    options: "ct_clip_percentiles" (default [0.5, 99.5]).
    The HU of all foreground voxels (inside the masks) are counted one case at a time in a histogram with a bin for
    every integer HU, so the result is exact and its memory does not grow with the number of cases.
    As nnU-Net's CTNormalization: clip limits are the percentiles; mean and standard deviation are those of the
    foreground before clipping.
    Returns {"mr": {"scheme"}, "ct": {"scheme", "lower_hu", "upper_hu", "mean_hu", "std_hu", "voxels"}, "cases"}.
    Raises DataError for no case, an empty mask, or a foreground without contrast.
    """
    folders = [Path(folder) for folder in case_dirs]
    if not folders:
        raise DataError(
            "normalisation: there is no training case",
            expected="at least one prepared training case",
            hint="check the task's splits, and which cases failed",
        )
    percentiles = (options or {}).get("ct_clip_percentiles", [0.5, 99.5])
    counts = np.zeros(HU_RANGE[1] - HU_RANGE[0] + 1, np.int64)
    for folder in folders:
        counts += _histogram(folder)
    lower, upper = (_percentile(counts, percentile) for percentile in percentiles)
    mean, std = _mean_and_std(counts)
    if not (std > 0 and upper > lower):
        raise DataError(
            "normalisation: the CT foreground of the training cases has no contrast",
            found=f"standard deviation {std:g} HU, percentiles {lower:g} and {upper:g} HU",
            expected="a positive standard deviation",
            hint="look at the prepared CTs and masks of the training cases",
        )
    ct = {"scheme": "ct", "lower_hu": lower, "upper_hu": upper, "mean_hu": mean, "std_hu": std}
    cases = [folder.parent.name if folder.name == "prepared" else folder.name for folder in folders]
    return {"mr": {"scheme": "zscore"}, "ct": {**ct, "voxels": int(counts.sum())}, "cases": sorted(cases)}


def normalize_mr(array: np.ndarray) -> np.ndarray:
    """An MR with mean 0 and standard deviation 1 over the whole image, float32. Raises DataError if it is constant."""
    values = np.asarray(array, dtype=np.float32)
    mean, std = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    if not std > 0:
        raise DataError(
            "normalisation: an MR without contrast",
            found=f"every voxel is {values.flat[0]:g}",
            expected="an image whose standard deviation is positive",
            hint="look at the resampled MR of the case",
        )
    return ((values - np.float32(mean)) / np.float32(std)).astype(np.float32)


def normalize_ct(array_hu: np.ndarray, ct_stats: dict) -> np.ndarray:
    """HU to normalised values, float32: clipped to the limits, minus the mean, over the standard deviation."""
    clipped = np.clip(np.asarray(array_hu, dtype=np.float32), ct_stats["lower_hu"], ct_stats["upper_hu"])
    return ((clipped - np.float32(ct_stats["mean_hu"])) / np.float32(ct_stats["std_hu"])).astype(np.float32)


def denormalize_ct(values, ct_stats: dict):
    """Normalised values back to HU, for a numpy array or a torch tensor (differentiable); nothing is clipped."""
    return values * float(ct_stats["std_hu"]) + float(ct_stats["mean_hu"])


def _histogram(folder: Path) -> np.ndarray:
    from . import io

    ct = io.read(folder / "ct.nii.gz", f"normalisation: CT in {folder}").array
    mask = io.read(folder / "mask.nii.gz", f"normalisation: mask in {folder}").array > 0
    if ct.shape != mask.shape or not mask.any():
        raise DataError(
            f"normalisation: the mask does not fit the CT in {folder}",
            found=f"CT {ct.shape}, mask {mask.shape} with {int(mask.sum())} voxels",
            expected="a mask of the CT's shape that is not empty",
            hint="remove the prepared folder of this case and run again",
        )
    values = np.clip(np.rint(ct[mask]), *HU_RANGE).astype(np.int64)
    return np.bincount(values - HU_RANGE[0], minlength=HU_RANGE[1] - HU_RANGE[0] + 1)


def _percentile(counts: np.ndarray, percentile: float) -> float:
    """As numpy.percentile (linear between order statistics) on the values that the histogram holds."""
    rank = percentile / 100 * (counts.sum() - 1)
    cumulated = np.cumsum(counts)
    below, above = (
        HU_RANGE[0] + int(np.searchsorted(cumulated, int(position), side="right"))
        for position in (np.floor(rank), np.ceil(rank))
    )
    return float(below + (rank - np.floor(rank)) * (above - below))


def _mean_and_std(counts: np.ndarray) -> tuple[float, float]:
    values = np.arange(HU_RANGE[0], HU_RANGE[1] + 1, dtype=np.float64)
    mean = float((counts * values).sum() / counts.sum())
    return mean, float(np.sqrt((counts * (values - mean) ** 2).sum() / counts.sum()))
