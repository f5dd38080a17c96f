"""How much of a branching structure (airways, vessels) is found: length and branches of its centreline, and leakage.

Sources: P. Lo et al., Extraction of airways from CT (EXACT'09), IEEE Trans. Med. Imaging 31 (2012); M. Zhang et al.,
Multi-site, multi-domain airway tree modeling (ATM'22), Med. Image Anal. 90 (2023). Centreline: T.-C. Lee et al., CVGIP
56 (1994), by scikit-image. docs/reference/metrics.md says where this differs from the challenges.
"""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy import ndimage

KEYS = ("tree_length", "branches", "branch_count", "leakage")
DETECTED_SHARE = 0.8  # of a branch's centreline, as ATM'22 asks for
_AROUND = np.ones((3, 3, 3), bool)


def tree_metrics(real: np.ndarray, synthetic: np.ndarray, spacing_mm: Sequence[float]) -> dict[str, float]:
    """Tree length detected, branches detected (ratios), their number, and leakage (a ratio).

    real, synthetic: (z, y, x) bool; the centreline is the real structure's. spacing_mm: z, y, x.
    What cannot be computed is NaN: everything but leakage where the real structure is empty, leakage where the
    synthetic one is.
    """
    leakage = float((synthetic & ~real).sum() / synthetic.sum()) if synthetic.any() else math.nan
    if not real.any():
        return dict.fromkeys(KEYS, math.nan) | {"leakage": leakage}
    line = centreline(real)
    length = step_lengths_mm(line, spacing_mm)
    branches, count = branches_of(line)
    found, total = (np.bincount(branches[where], minlength=count + 1)[1:] for where in (line & synthetic, line))
    detected = int((found >= DETECTED_SHARE * total).sum())
    return {
        "tree_length": float(length[line & synthetic].sum() / length[line].sum()),
        "branches": detected / count,
        "branch_count": float(detected),
        "leakage": leakage,
    }


def centreline(mask: np.ndarray) -> np.ndarray:
    """The centreline (z, y, x bool) of a mask that is not empty; a mask that thins to nothing is its own."""
    from skimage.morphology import skeletonize

    line = skeletonize(np.pad(mask, 1))[1:-1, 1:-1, 1:-1] != 0
    return line if line.any() else mask


def step_lengths_mm(line: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """The length that each voxel of a centreline stands for: the mean distance to its neighbours on the line.

    A voxel without neighbours stands for the mean spacing.
    """
    padded = np.pad(line, 1)
    inner = (slice(1, -1),) * 3
    total, count = np.zeros(line.shape), np.zeros(line.shape, int)
    for offset in product((-1, 0, 1), repeat=3):
        if any(offset):
            neighbour = np.roll(padded, offset, axis=(0, 1, 2))[inner] & line
            total[neighbour] += math.hypot(*(o * s for o, s in zip(offset, spacing_mm, strict=True)))
            count[neighbour] += 1
    alone = float(np.mean(spacing_mm))
    return np.where(line, np.where(count > 0, total / np.maximum(count, 1), alone), 0.0)


def branches_of(line: np.ndarray) -> tuple[np.ndarray, int]:
    """The branches of a centreline, numbered from 1 (0 elsewhere), and how many there are.

    Voxels with more than two neighbours are branching points; the pieces between them are branches. A piece of one
    voxel beside others is a spur of the thinning, not a branch.
    """
    neighbours = ndimage.convolve(line.astype(np.uint8), _AROUND.astype(np.uint8), mode="constant") - 1
    labels, count = ndimage.label(line & (neighbours <= 2), _AROUND)
    if count == 0:  # branching points only: one lump
        return line.astype(np.int32), 1
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    kept = np.flatnonzero(sizes >= min(2, sizes.max())) + 1
    renumbered = np.zeros(count + 1, np.int32)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    return renumbered[labels], len(kept)
