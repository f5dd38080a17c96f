"""Image metrics of a synthetic CT, as SynthRAD2023 and SynthRAD2025 define them.

Source: A. Thummerer et al., SynthRAD2023 Grand Challenge dataset, Med. Phys. 50 (2023), and the challenges' public
evaluations. docs/reference/metrics.md has the formulas.
"""

import numpy as np

from ..base.errors import DataError
from . import similarity
from .checkerboard import checkerboard
from .surface import bounding_box

CLIP_HU = (-1024.0, 3000.0)


def image_metrics(
    real_hu: np.ndarray,
    synthetic_hu: np.ndarray,
    mask: np.ndarray | None = None,
    clip_hu: tuple[float, float] = CLIP_HU,
    what: str = "image metrics",
    clips_errors: bool = True,
) -> dict[str, dict[str, float]]:
    """MAE, ME (synthetic - real), RMSE in HU, PSNR in dB, SSIM, MS-SSIM and the checkerboard in HU, in float64.

    real_hu, synthetic_hu: (z, y, x). mask: same shape, non-zero is inside; None: the whole volume only.
    clip_hu: both images are clipped to this range first; its width is the data range of PSNR and SSIM.
    what: how errors call the pair, with the case. clips_errors: False takes MAE and ME of the images as they are.
    Returns {"body": {...}, "volume": {...}} ("body" where there is a mask), each with the keys of IMAGE_METRICS.
    PSNR of equal images is infinite. Raises DataError for shapes that differ, NaN voxels, an empty mask, or an
    axis shorter than SSIM's window.
    """
    _check(real_hu, synthetic_hu, mask, what)
    real = np.clip(real_hu.astype(np.float64), *clip_hu)
    synthetic = np.clip(synthetic_hu.astype(np.float64), *clip_hu)
    difference = synthetic - real
    errors = difference if clips_errors else synthetic_hu.astype(np.float64) - real_hu
    regions = {}
    if mask is not None:
        inside = mask != 0
        regions["body"] = _error_metrics(errors[inside], difference[inside], clip_hu)
        regions["body"] |= _similarity(real, synthetic, inside, clip_hu)
        regions["body"]["checkerboard"] = checkerboard(synthetic[bounding_box(inside)])
    regions["volume"] = _error_metrics(errors, difference, clip_hu)
    regions["volume"] |= _similarity(real, synthetic, None, clip_hu)
    regions["volume"]["checkerboard"] = checkerboard(synthetic)
    return regions


def error_metrics(
    real_hu: np.ndarray,
    synthetic_hu: np.ndarray,
    clip_hu: tuple[float, float] = CLIP_HU,
    clips_errors: bool = True,
) -> dict[str, float]:
    """MAE, ME, RMSE in HU and PSNR in dB of voxels given as arrays of one shape, both clipped first.

    clips_errors: False takes MAE and ME of the values as they are.
    """
    real, synthetic = (np.clip(values.astype(np.float64), *clip_hu) for values in (real_hu, synthetic_hu))
    errors = synthetic - real if clips_errors else synthetic_hu.astype(np.float64) - real_hu
    return _error_metrics(errors, synthetic - real, clip_hu)


def structure_error_hu(
    real_hu: np.ndarray,
    synthetic_hu: np.ndarray,
    structure: np.ndarray,
    clip_hu: tuple[float, float] = CLIP_HU,
) -> float:
    """The mean of synthetic - real HU inside a structure of the real CT (z, y, x bool); NaN where it is empty."""
    return mean_hu(synthetic_hu, structure, clip_hu) - mean_hu(real_hu, structure, clip_hu)


def mean_hu(hu: np.ndarray, structure: np.ndarray, clip_hu: tuple[float, float] = CLIP_HU) -> float:
    """The mean HU of an image inside a structure (z, y, x bool), clipped first; NaN where the structure is empty."""
    return float(np.mean(np.clip(hu[structure].astype(np.float64), *clip_hu))) if structure.any() else float("nan")


def _similarity(real, synthetic, inside, clip_hu: tuple[float, float]) -> dict[str, float]:
    """SSIM and MS-SSIM of clipped images, moved to start at 0 and set to 0 outside the mask."""
    images = (real - clip_hu[0], synthetic - clip_hu[0])
    if inside is not None:
        for image in images:
            image *= inside
    return similarity.similarities(*images, inside, clip_hu[1] - clip_hu[0])


def _check(real, synthetic, mask, what: str) -> None:
    shapes = {"real": real.shape, "synthetic": synthetic.shape} | ({} if mask is None else {"mask": mask.shape})
    if len(set(shapes.values())) > 1:
        raise DataError(
            f"{what}: shapes differ",
            found=", ".join(f"{name} {shape}" for name, shape in shapes.items()),
            expected="one grid (z, y, x) for all",
            hint="resample the synthetic CT onto the real CT's grid",
        )
    if real.ndim != 3 or min(real.shape) < similarity.WINDOW:
        raise DataError(
            f"{what}: too small for SSIM's window",
            found=f"shape {real.shape}",
            expected=f"three axes of at least {similarity.WINDOW} voxels",
        )
    for name, image in (("real", real), ("synthetic", synthetic)):
        bad = int(np.isnan(image).sum()) if np.issubdtype(image.dtype, np.floating) else 0
        if bad:
            raise DataError(
                f"{what}: the {name} CT has NaN voxels",
                found=f"{bad} of {image.size}",
                expected="a number in every voxel",
                hint="find the step that wrote them; NaN is never skipped silently",
            )
    if mask is not None and not mask.any():
        raise DataError(
            f"{what}: the mask is empty",
            found="0 voxels",
            expected="at least one voxel inside",
            hint="look at the body mask beside the CT in a viewer",
        )


def _error_metrics(errors: np.ndarray, clipped: np.ndarray, clip_hu: tuple[float, float]) -> dict[str, float]:
    """MAE and ME of the errors in HU, RMSE and PSNR of the errors of clipped images."""
    squared = float(np.mean(clipped**2))
    width = clip_hu[1] - clip_hu[0]
    return {
        "mae": float(np.mean(np.abs(errors))),
        "me": float(np.mean(errors)),
        "rmse": squared**0.5,
        "psnr": float(10 * np.log10(width**2 / squared)) if squared > 0 else float("inf"),
    }
