"""Intensities for training: the schemes for MR and CT, and their statistics, fitted on training cases only.

Numpy only (and torch tensors where it says so); images are read through `io` inside `fit`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import DataError
from ..base.log import logger

HU_RANGE = (-1024, 3071)
LOSES_AIR_HU = -950.0
DECILES = tuple(range(10, 100, 10))


def fit(case_dirs: Iterable[Path], options: dict) -> dict:
    """What the intensities of a study are normalised by, from the prepared folders of its training cases.

    options: the task's `normalization` section: "mr_scheme", "mr_clip_percentiles", "ct_scheme" (of CT_SCHEMES),
    "ct_clip_percentiles", "ct_clip_hu".
    Returns {"mr", "ct", "cases"}: what `normalize_mr` and `normalize_ct` take, and the ids of the training cases.
    Raises DataError for no case, an empty mask, or images without contrast.
    """
    folders = [Path(folder) for folder in case_dirs]
    if not folders:
        raise DataError(
            "normalisation: there is no training case",
            expected="at least one prepared training case",
            hint="check the task's splits, and which cases failed",
        )
    cases = [folder.parent.name if folder.name.startswith("prepared") else folder.name for folder in folders]
    return {"mr": _fit_mr(folders, options), "ct": _fit_ct(folders, options), "cases": sorted(cases)}


def normalize_mr(array: np.ndarray, mr_stats: dict) -> np.ndarray:
    """An MR on the scale of the networks, float32; only `landmarks` knows other images than this one.

    array: z, y, x, any scale; of several channels, channels, z, y, x, each of which is normalised by itself. mr_stats:
    the `mr` part of normalization.json, by "scheme":
    `zscore`: mean 0 and standard deviation 1 over the whole image. `minmax`: the image's own "clip_percentiles" become
    -1 and 1, and what lies beyond them is clipped. `landmarks`: the image's landmarks (see `_landmarks`) become the
    mean ones of the training cases, piecewise linear, and beyond the outermost two with the slope beside them (Nyul
    and Udupa 1999, On Standardizing the MR Image Intensity Scale; deciles as Nyul et al. 2000).
    Raises DataError for an image without contrast, and for another number of channels than the training's.
    """
    if "channels" in mr_stats:
        parts = channel_stats(mr_stats)
        _check_count(array, len(parts))
        return np.stack([normalize_mr(image, stats) for image, stats in zip(array, parts, strict=True)])
    if np.ndim(array) != 3:
        _check_count(array, 1)
    values = np.asarray(array, dtype=np.float32)
    if mr_stats["scheme"] == "zscore":
        return _scaled(values, values.mean(dtype=np.float64), values.std(dtype=np.float64))
    if mr_stats["scheme"] == "minmax":
        lower, upper = np.percentile(values, mr_stats["clip_percentiles"])
        return _scaled(np.clip(values, lower, upper), (lower + upper) / 2, (upper - lower) / 2)
    return _mapped(values, _landmarks(values, mr_stats["clip_percentiles"]), np.array(mr_stats["landmarks"]))


def channel_stats(mr_stats: Mapping[str, Any]) -> list[dict]:
    """What each channel of the MR is normalised by. mr_stats: the `mr` part of normalization.json."""
    found: list[dict] = mr_stats.get("channels") or [dict(mr_stats)]
    return found


def _check_count(array: np.ndarray, expected: int) -> None:
    found = len(array) if np.ndim(array) == 4 else 1
    if found != expected:
        raise DataError(
            "an MR with another number of channels than the training's",
            found=f"{found}",
            expected=f"{expected}",
            hint="give every case each channel that the study names under data",
        )


def normalize_ct(array_hu: np.ndarray, ct_stats: dict) -> np.ndarray:
    """HU to normalised values, float32: clipped to the limits, minus the mean, over the standard deviation."""
    clipped = np.clip(np.asarray(array_hu, dtype=np.float32), ct_stats["lower_hu"], ct_stats["upper_hu"])
    return ((clipped - np.float32(ct_stats["mean_hu"])) / np.float32(ct_stats["std_hu"])).astype(np.float32)


def denormalize_ct(values, ct_stats: Mapping[str, Any]):
    """Normalised values back to HU, for a numpy array or a torch tensor (differentiable); nothing is clipped."""
    return values * float(ct_stats["std_hu"]) + float(ct_stats["mean_hu"])


def _fit_ct(folders: list[Path], options: dict) -> dict:
    """Limits, mean and standard deviation of the CT, by the scheme; a lower limit well over air is told in the log."""
    scheme = options["ct_scheme"]
    found = CT_SCHEMES[scheme](folders, options)
    lower, upper, std = found["lower_hu"], found["upper_hu"], found["std_hu"]
    if not (std > 0 and upper > lower):
        raise DataError(
            "normalisation: the CT foreground of the training cases has no contrast",
            found=f"standard deviation {std:g} HU, percentiles {lower:g} and {upper:g} HU",
            expected="a positive standard deviation",
            hint="look at the prepared CTs and masks of the training cases",
        )
    if lower > LOSES_AIR_HU:
        logger.warning(
            "normalisation: CT is clipped at %.0f HU below, so that air and gas in the training targets become that; "
            "ct_clip_percentiles: [null, 99.5] keeps them",
            lower,
        )
    return {"scheme": scheme, **found}


def _by_percentiles(folders: list[Path], options: dict) -> dict:
    """As nnU-Net's CTNormalization: the limits are percentiles of the HU inside the masks (a lower one of None: -1024),
    mean and standard deviation those of the same voxels before clipping.
    """
    counts = _counts(folders)
    low, high = options["ct_clip_percentiles"]
    lower = float(HU_RANGE[0]) if low is None else _percentile(counts, low)
    mean, std = _mean_and_std(counts)
    limits = {"lower_hu": lower, "upper_hu": _percentile(counts, high)}
    return {**limits, "mean_hu": mean, "std_hu": std, "voxels": int(counts.sum())}


def _clipped(folders: list[Path], options: dict) -> dict:
    """The limits are the given ones, mean and standard deviation those of the HU inside the masks after clipping."""
    counts = _counts(folders)
    lower, upper = (float(limit) for limit in options["ct_clip_hu"])
    mean, std = _mean_and_std(counts, lower, upper)
    return {"lower_hu": lower, "upper_hu": upper, "mean_hu": mean, "std_hu": std, "voxels": int(counts.sum())}


def _by_range(folders: list[Path], options: dict) -> dict:
    """The limits are the given ones and become -1 and 1."""
    lower, upper = (float(limit) for limit in options["ct_clip_hu"])
    return {"lower_hu": lower, "upper_hu": upper, "mean_hu": (lower + upper) / 2, "std_hu": (upper - lower) / 2}


CT_SCHEMES = {"zscore": _by_percentiles, "clipped_zscore": _clipped, "range": _by_range}


def _fit_mr(folders: list[Path], options: dict) -> dict:
    """By the scheme; of several channels also, under "channels", what each of them is normalised by."""
    from . import channels

    roles = list(channels.files(folders[0]))
    fitted = [_fit_channel(role, folders, options) for role in roles or ["mr"]]
    return fitted[0] if len(fitted) == 1 else {"scheme": options["mr_scheme"], "channels": fitted}


def _fit_channel(role: str, folders: list[Path], options: dict) -> dict:
    scheme, percentiles = options["mr_scheme"], options["mr_clip_percentiles"]
    if scheme == "zscore":
        return {"scheme": scheme}
    if scheme == "minmax":
        return {"scheme": scheme, "clip_percentiles": percentiles}
    from . import io

    standard = []
    for folder in folders:
        values = io.read(folder / f"{role}.nii.gz", f"normalisation: MR in {folder}").array.astype(np.float32)
        found = _landmarks(values, percentiles)
        standard.append(2 * (found - found[0]) / (found[-1] - found[0]) - 1)
    return {"scheme": scheme, "clip_percentiles": percentiles, "landmarks": np.mean(standard, axis=0).tolist()}


def _landmarks(values: np.ndarray, clip_percentiles: list[float]) -> np.ndarray:
    """The lower clip percentile, the deciles and the upper clip percentile of an MR's voxels above its mean.

    Deciles beyond the clip percentiles are left out. Raises DataError where the outermost two are one value.
    """
    lower, upper = clip_percentiles
    inner = [decile for decile in DECILES if lower < decile < upper]
    bright = values[values > values.mean(dtype=np.float64)]
    found = np.percentile(bright, [lower, *inner, upper]) if bright.size else np.zeros(1)
    if not found[-1] > found[0]:
        raise _no_contrast(values)
    return found


def _mapped(values: np.ndarray, own: np.ndarray, standard: np.ndarray) -> np.ndarray:
    """Piecewise linear from one set of landmarks to another, float32; landmarks that coincide count as one."""
    own, first = np.unique(own, return_index=True)
    standard = standard[first]
    segment = np.clip(np.searchsorted(own, values, side="right") - 1, 0, len(own) - 2)
    slopes = np.diff(standard) / np.diff(own)
    return (standard[segment] + slopes[segment] * (values - own[segment])).astype(np.float32)


def _scaled(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    if not width > 0:
        raise _no_contrast(values)
    return ((values - np.float32(centre)) / np.float32(width)).astype(np.float32)


def _no_contrast(values: np.ndarray) -> DataError:
    return DataError(
        "normalisation: an MR without contrast",
        found=f"most or all voxels are {float(np.median(values)):g}",
        expected="an image whose intensities differ",
        hint="look at the resampled MR of the case",
    )


def _counts(folders: list[Path]) -> np.ndarray:
    """How many voxels inside the masks have each integer HU.

    One case is in memory at a time, so that the result is exact and memory does not grow with their number.
    """
    counts = np.zeros(HU_RANGE[1] - HU_RANGE[0] + 1, np.int64)
    for folder in folders:
        counts += _histogram(folder)
    return counts


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


def _mean_and_std(
    counts: np.ndarray, lower_hu: float = HU_RANGE[0], upper_hu: float = HU_RANGE[1]
) -> tuple[float, float]:
    """Of the values that the histogram holds, each clipped to the limits."""
    values = np.clip(np.arange(HU_RANGE[0], HU_RANGE[1] + 1, dtype=np.float64), lower_hu, upper_hu)
    mean = float((counts * values).sum() / counts.sum())
    return mean, float(np.sqrt((counts * (values - mean) ** 2).sum() / counts.sum()))
