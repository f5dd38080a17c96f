"""HD95 of voxels, as MONAI defines it, and SynthRAD2025's Dice and HD95 of a case, which are means over classes.

Sources: MONAI's `HausdorffDistanceMetric(percentile=95)` and `DiceMetric`, whose values these are to the precision of
its 32-bit floats; SynthRAD2025's public repositories for what is scored (docs/reference/metrics.md).
"""

import math
from collections.abc import Sequence

import numpy as np

from .surface import KEYS, bounding_box, label_boxes, structure_metrics
from .surfels import margins, nearest_mm

_TRUNK = (2, 3, 5, 6, *range(10, 15), *range(26, 51), 51, 79, *range(92, 117))
_HEAD_AND_NECK = (15, 16, 17, *range(26, 51), 79, 90, 91)
CLASSES = {"abdomen": _TRUNK, "thorax": _TRUNK, "head_and_neck": _HEAD_AND_NECK}  # values of TotalSegmentator's `total`


def edge_metrics(
    real_mask: np.ndarray,
    synthetic_mask: np.ndarray,
    spacing_mm: Sequence[float],
    tolerance_mm: float,
    what: str = "structure metrics",
) -> dict[str, float | str]:
    """`surface.structure_metrics`, with SynthRAD2025's policy of empty masks and MONAI's HD95 in place of its own.

    A structure that is absent in the real CT is skipped: nothing of it has a value.
    """
    values = structure_metrics(real_mask, synthetic_mask, spacing_mm, tolerance_mm, what)
    if values["status"] == "ok":
        values["hd95"] = hd95_of_edges(real_mask != 0, synthetic_mask != 0, spacing_mm)
    if values["status"] == "real_empty":
        values |= dict.fromkeys(KEYS, math.nan)
    return values


def hd95_of_edges(real: np.ndarray, synthetic: np.ndarray, spacing_mm: Sequence[float]) -> float:
    """The larger of the directed 95th percentiles of the distances in mm between the masks' outermost voxels.

    real, synthetic: (z, y, x) bool. Each voxel that has a face without a neighbour of its mask counts once, whatever
    its area; percentiles are interpolated linearly. NaN where a mask is empty (MONAI interpolates between infinities).
    """
    if not (real.any() and synthetic.any()):
        return math.nan
    box = bounding_box(real | synthetic)
    z, y, x = (float(size) for size in spacing_mm)
    edges = [_edges(mask[box], margins((z, y, x))) for mask in (real, synthetic)]
    voxels = [np.flatnonzero(edge) for edge in edges]
    return max(
        float(np.percentile(nearest_mm(voxels[first], edges[second], voxels[second], (z, y, x)), 95))
        for first, second in ((0, 1), (1, 0))
    )


def synthrad2025_scores(
    real_labels: np.ndarray, synthetic_labels: np.ndarray, spacing_mm: Sequence[float], region: str
) -> dict[str, float]:
    """SynthRAD2025's `dice` and `hd95` (mm) of a case: the means over the region's classes that the real CT has.

    real_labels, synthetic_labels: (z, y, x), of TotalSegmentator's task `total`. region: a key of CLASSES. A class that
    the synthetic CT lacks has a Dice of 0 and no HD95, so that it is missing in HD95's mean. A mean of nothing is NaN
    (the challenge's code then says 0).
    """
    classes, scores = CLASSES[region], []
    boxes = label_boxes([[label] for label in classes], [real_labels, synthetic_labels])
    for label, box in zip(classes, boxes, strict=True):
        real, synthetic = real_labels[box] == label, synthetic_labels[box] == label
        if real.any():
            voxels = np.count_nonzero(real) + np.count_nonzero(synthetic)
            overlap = 2 * np.count_nonzero(real & synthetic) / voxels
            scores.append((overlap, hd95_of_edges(real, synthetic, spacing_mm)))
    means = []
    for values in np.reshape(scores, (-1, 2)).T:
        there = values[~np.isnan(values)]
        means.append(float(there.mean()) if there.size else math.nan)
    return dict(zip(("dice", "hd95"), means, strict=True))


def _edges(mask: np.ndarray, margins: Sequence[int]) -> np.ndarray:
    """Voxels of the mask with a face beside the background, outside which the mask ends; in a grid with margins."""
    padded = np.pad(mask, [(margin + 1, margin + 1) for margin in margins])
    middle = (slice(1, -1),) * 3
    inner = padded[middle].copy()
    for axis in range(3):
        for shift in (slice(None, -2), slice(2, None)):
            inner &= padded[(*middle[:axis], shift, *middle[axis + 1 :])]
    return padded[middle] & ~inner
