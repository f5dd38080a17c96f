"""How good a registration is: mutual information, topology, overlap of contours, error against a known deformation."""

from pathlib import Path

import numpy as np

from ..volumes import io
from ..volumes.io import Geometry, Volume
from ..volumes.morphology import dilated
from ..volumes.preprocessing import AIR_HU
from .edges import gradient_magnitude
from .intensity import clipped_mr, gray
from .warp import warp

BINS = 64
NEAR_MM = 10.0
SOFT_HU = (-20.0, 150.0)
EDGE_SHARE = 0.1
EDGE_SMOOTH_MM = 2.0
NO_DATA_HU = int(np.iinfo(np.int16).min)  # where the CT before registration has no voxel


def assess(mr: Volume, warped: dict, field: np.ndarray | None, truth: np.ndarray | None) -> dict:
    """The part of registration.json that comes from the images and the field.

    warped: "ct" and "ct_before" (HU on the MR's grid), "covered", "body" (boolean). field, truth: (z, y, x, 3), LPS mm;
    field: None where the CT was registered elsewhere and nobody knows how.
    Mutual information is in nats, inside the body where both the CT before and the CT after have data. Errors are
    |field - truth| inside the body, where the CT has data; "before" is the error of doing nothing, |truth|.
    """
    before = warped["ct_before"]
    region = warped["body"] & warped["covered"]
    both = region & (before > NO_DATA_HU)
    inside = region if region.any() else np.ones_like(region)
    record = {
        "mutual_information_before": mutual_information(mr.array[both], before[both]),
        "mutual_information_after": mutual_information(mr.array[both], warped["ct"][both]),
        "edge_dice_before": edge_overlap(mr, mr.with_array(np.maximum(before, AIR_HU)), both),
        "edge_dice_after": edge_overlap(mr, mr.with_array(warped["ct"]), both),
        "covered_share": float(warped["covered"].mean()),
    }
    if field is not None:
        record |= topology(field, mr.geometry, inside)
    if truth is not None:
        record |= error_mm("error_before", truth[inside])
        if field is not None:
            record |= error_mm("error_after", (field - truth)[inside])
    return record


def topology(field: np.ndarray, grid: Geometry, inside: np.ndarray) -> dict:
    """What the transform does to space: the Jacobian determinant and the length of the displacement (mm).

    The smallest determinant and the share where it is 0 or less are those of the whole grid, the other figures those
    of `inside`. A determinant of 0.5 halves a volume, 2 doubles it, 0 and less folds it.
    """
    determinant = jacobian_determinant(field, grid)
    length = np.linalg.norm(field, axis=-1)[inside]
    low, middle, high = np.percentile(determinant[inside], (1, 50, 99))
    return {
        "jacobian_min": float(determinant.min()),
        "jacobian_p1": float(low),
        "jacobian_median": float(middle),
        "jacobian_p99": float(high),
        "jacobian_max": float(determinant[inside].max()),
        "folded_share": float((determinant <= 0).mean()),
        "displacement_mean_mm": float(length.mean()),
        "displacement_max_mm": float(length.max()),
    }


def edge_overlap(mr: Volume, ct: Volume, region: np.ndarray) -> float | None:
    """Dice of the edges of MR and CT (HU), on one grid: of each the 10 % of the region's voxels with the steepest
    gradient, smoothed by 2 mm, two voxels and more from the region's border. None where no voxel is left."""
    from scipy.ndimage import binary_erosion

    core = binary_erosion(region, iterations=2)
    if not core.any():
        return None
    steep = []
    for volume in (clipped_mr(mr), ct.with_array(gray(ct.array))):
        magnitude = gradient_magnitude(volume, EDGE_SMOOTH_MM)[core]
        steep.append(magnitude > np.quantile(magnitude, 1 - EDGE_SHARE))
    return dice(*steep)


def error_mm(name: str, vectors: np.ndarray) -> dict:
    """Mean and 95th percentile of the lengths of vectors (n, 3), in mm."""
    length = np.linalg.norm(vectors.astype(np.float64), axis=-1)
    return {f"{name}_mean_mm": float(length.mean()), f"{name}_p95_mm": float(np.percentile(length, 95))}


def mutual_information(first: np.ndarray, second: np.ndarray) -> float | None:
    """Mutual information in nats of two lists of values, from a joint histogram of 64 x 64 bins of equal counts.

    Bins of equal counts (quantiles) make it the same under any rising change of either intensity. None without values.
    """
    if first.size < BINS:
        return None
    codes = [np.searchsorted(np.unique(np.quantile(v, np.linspace(0, 1, BINS + 1)[1:-1])), v) for v in (first, second)]
    joint = np.bincount(codes[0] * BINS + codes[1], minlength=BINS * BINS).reshape(BINS, BINS) / first.size
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / product[filled])).sum())


def jacobian_determinant(field: np.ndarray, grid: Geometry) -> np.ndarray:
    """det(dT/dp) of T(p) = p + field(p) at every voxel, by central differences (one-sided at the border).

    field: (z, y, x, 3), components x, y, z in LPS mm. 1 means no change of volume, 0 or less that space folds.
    """
    direction = np.array(grid.direction, dtype=np.float32).reshape(3, 3)
    rows = []
    for component in range(3):
        along_index = np.gradient(field[..., component], *grid.spacing_mm)[::-1]  # d/d(x, y, z index axis), per mm
        in_space = [sum(direction[axis, k] * along_index[k] for k in range(3)) for axis in range(3)]
        in_space[component] = in_space[component] + 1
        rows.append(in_space)
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def body_overlap(mr_body: np.ndarray, warped: dict, spacing_mm) -> dict:
    """Dice of the patient as the MR shows it and as the CT shows it, before and after, within 10 mm of the former:
    independent of any contour, and blind to another limb that only the CT holds."""
    near = dilated(mr_body, spacing_mm, NEAR_MM)
    return {
        "body_dice_before": dice(mr_body, warped["body_before"] & near),
        "body_dice_after": dice(mr_body, warped["body"] & near),
    }


def contour_overlap(imported: Path, resampled: Path, registered: Path) -> dict:
    """Dice of the contour of the MR and that of the CT, on the case's grid, before and after; {} without contours."""
    fixed, moving = resampled / "mr_contour.nii.gz", imported / "ct_contour.nii.gz"
    if not (fixed.is_file() and moving.is_file() and (registered / "ct_contour.nii.gz").is_file()):
        return {}
    mr_mask = io.read(fixed)
    zero = np.zeros((*mr_mask.geometry.shape, 3), np.float32)
    before = warp(io.read(moving), mr_mask.geometry, zero, "labels", 0)
    after = io.read(registered / "ct_contour.nii.gz").array
    return {
        "contour_dice_before": dice(mr_mask.array > 0, before > 0),
        "contour_dice_after": dice(mr_mask.array > 0, after > 0),
    }


def contour_soft(resampled: Path, warped: dict) -> dict:
    """The share of the MR's contour (a tumour's) that is soft tissue in the CT, -20 to 150 HU, before and after: it
    needs no contour of the CT. Fat, air and bone in it say that the tumour lies elsewhere. {} without a contour.

    warped: "ct_before" and "ct", HU on the MR's grid.
    """
    path = resampled / "mr_contour.nii.gz"
    if not path.is_file() or not (inside := io.read(path).array > 0).any():
        return {}
    low, high = SOFT_HU
    shares = [float(((hu[inside] >= low) & (hu[inside] <= high)).mean()) for hu in (warped["ct_before"], warped["ct"])]
    return dict(zip(("contour_soft_before", "contour_soft_after"), shares, strict=True))


def dice(first: np.ndarray, second: np.ndarray) -> float | None:
    """2 |A and B| / (|A| + |B|); None for two empty masks."""
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else None


def in_words(record: dict) -> str:
    """One line for the log."""
    parts = [f"{record['method']}, {record['seconds']:.1f} s"]
    if "jacobian_min" in record:
        parts.append(f"Jacobian at least {record['jacobian_min']:.2f}")
    pairs = (
        ("error", "_mean_mm", "mean error", " mm"),
        ("edge_dice", "", "edge Dice", ""),
        ("body_dice", "", "body Dice", ""),
        ("contour_dice", "", "contour Dice", ""),
        ("contour_soft", "", "soft tissue in the contour", ""),
        ("mutual_information", "", "mutual information (optimised)", ""),
    )
    for name, suffix, word, unit in pairs:
        before, after = record.get(f"{name}_before{suffix}"), record.get(f"{name}_after{suffix}")
        if before is not None and after is not None:
            parts.append(f"{word} {before:.3f} -> {after:.3f}{unit}")
    return ", ".join(parts)
