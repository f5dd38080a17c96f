"""Image metrics of a synthetic CT, as SynthRAD2023 defines them.

Source: A. Thummerer et al., SynthRAD2023 Grand Challenge dataset, Med. Phys. 50 (2023), and the challenge's public
evaluation; SSIM: Z. Wang et al., IEEE Trans. Image Process. 13 (2004), by scikit-image. docs/reference/metrics.md
has the formulas.
"""

import numpy as np

from ..errors import DataError

CLIP_HU = (-1024.0, 3000.0)
SSIM_WINDOW = 7
_SLAB_VOXELS = 4_000_000


def image_metrics(
    real_hu: np.ndarray,
    synthetic_hu: np.ndarray,
    mask: np.ndarray | None = None,
    clip_hu: tuple[float, float] = CLIP_HU,
    what: str = "image metrics",
) -> dict[str, dict[str, float]]:
    """MAE, ME (synthetic - real), RMSE in HU, PSNR in dB and SSIM, in float64.

    real_hu, synthetic_hu: (z, y, x). mask: same shape, non-zero is inside; None: the whole volume only.
    clip_hu: both images are clipped to this range first; its width is the data range of PSNR and SSIM.
    what: how errors call the pair, with the case.
    Returns {"body": {...}, "volume": {...}} ("body" where there is a mask), each with the keys of IMAGE_METRICS.
    PSNR of equal images is infinite. Raises DataError for shapes that differ, NaN voxels, an empty mask, or an
    axis shorter than SSIM's window.
    """
    _check(real_hu, synthetic_hu, mask, what)
    real = np.clip(real_hu.astype(np.float64), *clip_hu)
    synthetic = np.clip(synthetic_hu.astype(np.float64), *clip_hu)
    regions = {}
    if mask is not None:
        inside = mask != 0
        regions["body"] = _error_metrics(synthetic[inside] - real[inside], clip_hu)
        regions["body"]["ssim"] = _masked_ssim(real, synthetic, inside, clip_hu)
    regions["volume"] = _error_metrics(synthetic - real, clip_hu)
    regions["volume"]["ssim"] = _mean_ssim(real, synthetic, None, clip_hu)
    return regions


def error_metrics(
    real_hu: np.ndarray, synthetic_hu: np.ndarray, clip_hu: tuple[float, float] = CLIP_HU
) -> dict[str, float]:
    """MAE, ME, RMSE in HU and PSNR in dB of voxels given as arrays of one shape, both clipped first."""
    real, synthetic = (np.clip(values.astype(np.float64), *clip_hu) for values in (real_hu, synthetic_hu))
    return _error_metrics(synthetic - real, clip_hu)


def structure_error_hu(
    real_hu: np.ndarray,
    synthetic_hu: np.ndarray,
    structure: np.ndarray,
    clip_hu: tuple[float, float] = CLIP_HU,
) -> float:
    """The mean of synthetic - real HU inside a structure of the real CT (z, y, x bool); NaN where it is empty."""
    if not structure.any():
        return float("nan")
    real = np.clip(real_hu[structure].astype(np.float64), *clip_hu)
    synthetic = np.clip(synthetic_hu[structure].astype(np.float64), *clip_hu)
    return float(np.mean(synthetic - real))


def _check(real, synthetic, mask, what: str) -> None:
    shapes = {"real": real.shape, "synthetic": synthetic.shape} | ({} if mask is None else {"mask": mask.shape})
    if len(set(shapes.values())) > 1:
        raise DataError(
            f"{what}: shapes differ",
            found=", ".join(f"{name} {shape}" for name, shape in shapes.items()),
            expected="one grid (z, y, x) for all",
            hint="resample the synthetic CT onto the real CT's grid",
        )
    if real.ndim != 3 or min(real.shape) < SSIM_WINDOW:
        raise DataError(
            f"{what}: too small for SSIM's window",
            found=f"shape {real.shape}",
            expected=f"three axes of at least {SSIM_WINDOW} voxels",
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


def _error_metrics(difference: np.ndarray, clip_hu: tuple[float, float]) -> dict[str, float]:
    squared = float(np.mean(difference**2))
    width = clip_hu[1] - clip_hu[0]
    return {
        "mae": float(np.mean(np.abs(difference))),
        "me": float(np.mean(difference)),
        "rmse": squared**0.5,
        "psnr": float(10 * np.log10(width**2 / squared)) if squared > 0 else float("inf"),
    }


def _masked_ssim(real, synthetic, inside, clip_hu) -> float:
    """The mean of the SSIM map over the mask, both images set to the lower limit outside it.

    The map is needed on the mask only, so the work is done in its bounding box widened by the window's radius.
    """
    radius = SSIM_WINDOW // 2
    interior = np.zeros_like(inside)
    interior[radius:-radius, radius:-radius, radius:-radius] = inside[radius:-radius, radius:-radius, radius:-radius]
    if not interior.any():
        return float("nan")
    box = []
    for axis in range(3):
        used = np.flatnonzero(interior.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(used[0] - radius, used[-1] + radius + 1))
    box = tuple(box)
    return _mean_ssim(
        np.where(inside[box], real[box], clip_hu[0]),
        np.where(inside[box], synthetic[box], clip_hu[0]),
        interior[box],
        clip_hu,
    )


def _mean_ssim(real, synthetic, selected, clip_hu) -> float:
    """The mean of scikit-image's SSIM map over `selected` (None: all), the outer 3 voxels of the array left out.

    The map is made in slabs along z that overlap by the window, so that memory stays bounded; the values are those
    of the whole map.
    """
    from skimage.metrics import structural_similarity

    radius = SSIM_WINDOW // 2
    inner = slice(radius, -radius)
    depth = max(1, _SLAB_VOXELS // (real.shape[1] * real.shape[2]))
    total, count = 0.0, 0
    for start in range(radius, real.shape[0] - radius, depth):
        stop = min(start + depth, real.shape[0] - radius)
        slab = slice(start - radius, stop + radius)
        _, ssim_map = structural_similarity(
            real[slab] - clip_hu[0],
            synthetic[slab] - clip_hu[0],
            win_size=SSIM_WINDOW,
            data_range=clip_hu[1] - clip_hu[0],
            full=True,
        )
        values = ssim_map[inner, inner, inner]
        if selected is not None:
            values = values[selected[start:stop, inner, inner]]
        total += float(values.sum(dtype=np.float64))
        count += values.size
    return total / count
