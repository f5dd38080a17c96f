"""Overlap and surface metrics of one structure, as the package surface-distance defines them.

Source: S. Nikolov et al., Deep learning to achieve clinically applicable segmentation of head and neck anatomy, 2018,
and its package `surface-distance`, which makes the metrics of the distances that `surfels` finds. This module handles
what the package does not: empty masks (docs/reference/metrics.md has the policy), shapes that differ, and the crop.
"""

import math
from collections.abc import Sequence

import numpy as np
import surface_distance

from ..base.errors import DataError
from .surfels import surface_distances

STATUSES = ("ok", "both_empty", "real_empty", "synthetic_empty")
KEYS = ("dice", "nsd", "hd95", "assd", "asd_real_to_synthetic", "asd_synthetic_to_real")


def structure_metrics(
    real_mask: np.ndarray,
    synthetic_mask: np.ndarray,
    spacing_mm: Sequence[float],
    tolerance_mm: float,
    what: str = "structure metrics",
) -> dict[str, float | str]:
    """Dice, NSD, HD95 and the average surface distances of two masks of one structure.

    real_mask, synthetic_mask: (z, y, x), non-zero is inside. spacing_mm: z, y, x. tolerance_mm: of NSD.
    what: how errors call the pair, with case and structure.
    Returns dice, nsd (ratios), hd95 (the larger of the two directed 95th percentiles), asd_real_to_synthetic,
    asd_synthetic_to_real, assd (the mean over both surfaces, by area), all in mm, and status: `ok`, `both_empty`
    (all NaN), `real_empty` or `synthetic_empty` (dice and nsd 0, distances NaN).
    Raises DataError for shapes that differ, and for spacings or a tolerance that cannot be.
    """
    _check(real_mask, synthetic_mask, spacing_mm, tolerance_mm, what)
    real, synthetic = real_mask != 0, synthetic_mask != 0
    status = _status(real.any(), synthetic.any())
    if status != "ok":
        overlap = math.nan if status == "both_empty" else 0.0
        return {**dict.fromkeys(KEYS, math.nan), "dice": overlap, "nsd": overlap, "status": status}
    box = bounding_box(real | synthetic)
    real, synthetic = np.ascontiguousarray(real[box]), np.ascontiguousarray(synthetic[box])
    distances = surface_distances(real, synthetic, spacing_mm)
    to_synthetic, to_real = surface_distance.compute_average_surface_distance(distances)
    real_area, synthetic_area = distances["surfel_areas_gt"].sum(), distances["surfel_areas_pred"].sum()
    return {
        "dice": _dice(real, synthetic),
        "nsd": float(surface_distance.compute_surface_dice_at_tolerance(distances, tolerance_mm)),
        "hd95": float(surface_distance.compute_robust_hausdorff(distances, 95)),
        "assd": float((to_synthetic * real_area + to_real * synthetic_area) / (real_area + synthetic_area)),
        "asd_real_to_synthetic": float(to_synthetic),
        "asd_synthetic_to_real": float(to_real),
        "status": "ok",
    }


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box of slices around the mask, which is not empty. surface-distance pads it by itself."""
    box = []
    for axis in range(mask.ndim):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(used[0]), int(used[-1]) + 1))
    return tuple(box)


def label_boxes(groups: Sequence[Sequence[int]], maps: Sequence[np.ndarray]) -> list[tuple[slice, ...]]:
    """For each group of labels (above 0) a box that holds it in all label maps (z, y, x); no label stands for any.

    Each map is passed once, whatever the number of groups. A group that is nowhere has a box of one voxel.
    """
    from scipy.ndimage import find_objects

    highest = max((label for group in groups for label in group), default=0)
    found: dict[int, list[tuple[slice, ...]]] = {}
    for label_map in maps if highest else ():
        whole = label_map if np.issubdtype(label_map.dtype, np.integer) else label_map.astype(np.int32)
        for label, box in enumerate(find_objects(whole, max_label=highest), start=1):
            found.setdefault(label, []).extend([] if box is None else [box])
    everywhere, nowhere = ((slice(None),) * 3,), ((slice(0, 1),) * 3,)
    boxes = []
    for group in groups:
        parts = [box for label in group for box in found.get(label, ())] if group else everywhere
        boxes.append(_joined(parts or nowhere))
    return boxes


def _joined(boxes: Sequence[tuple[slice, ...]]) -> tuple[slice, ...]:
    """The box around all boxes, of which there is at least one; a single one is returned as it is."""
    if len(boxes) == 1:
        return boxes[0]
    return tuple(slice(min(s.start for s in axis), max(s.stop for s in axis)) for axis in zip(*boxes, strict=True))


def _dice(real: np.ndarray, synthetic: np.ndarray) -> float:
    voxels = np.count_nonzero(real) + np.count_nonzero(synthetic)
    return 2 * np.count_nonzero(real & synthetic) / voxels


def _status(real: bool, synthetic: bool) -> str:
    if real and synthetic:
        return "ok"
    if not real and not synthetic:
        return "both_empty"
    return "synthetic_empty" if real else "real_empty"


def _check(real, synthetic, spacing_mm, tolerance_mm, what: str) -> None:
    if real.shape != synthetic.shape or real.ndim != 3:
        raise DataError(
            f"{what}: the masks' shapes differ or are not 3D",
            found=f"real {real.shape}, synthetic {synthetic.shape}",
            expected="one grid (z, y, x) for both",
        )
    if len(spacing_mm) != 3 or not all(math.isfinite(s) and s > 0 for s in spacing_mm):
        raise DataError(f"{what}: spacing_mm", found=tuple(spacing_mm), expected="three positive numbers, z, y, x")
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise DataError(f"{what}: tolerance_mm", found=tolerance_mm, expected="a finite number of at least 0")
