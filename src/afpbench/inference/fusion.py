"""A regular grid of patches over a volume, and their exact fusion with only the active slab in memory.

The borders of the patches cut each axis into intervals inside which the set of covering patches is constant;
the product of three intervals is a cell. A cell is fused as soon as its last patch is there, and the pieces of
the patches are dropped with it: what is held at any time is the part of the patches that unfinished cells need.
"""

from collections.abc import Callable
from itertools import product

import numpy as np

from ..errors import ConfigError

METHODS = ("median", "mean", "gaussian")
Starts = tuple[list[int], list[int], list[int]]


def patch_starts(size: int, patch: int, overlap: float) -> list[int]:
    """First voxels of the patches along one axis: evenly spread, the first at 0, the last at `size - patch`.

    Neighbours overlap by at least `overlap` (share of the patch). Needs size >= patch.
    """
    if not 0 <= overlap < 1:
        raise ConfigError("inference.overlap", found=overlap, expected="at least 0 and under 1")
    if size < patch:
        raise ValueError(f"a volume of {size} voxels is smaller than the patch ({patch}): pad it first")
    step = max(1, int(patch * (1 - overlap) + 1e-9))  # 10 * (1 - 0.8) is 1.9999999999999996
    count = -(-(size - patch) // step) + 1
    if count == 1:
        return [0]
    return [round(i * (size - patch) / (count - 1)) for i in range(count)]


def grid(shape, patch, overlap: float) -> Starts:
    """The patch starts of each axis (z, y, x)."""
    return tuple(patch_starts(s, p, overlap) for s, p in zip(shape, patch, strict=True))


def intervals(starts: list[int], patch: int, size: int) -> list[tuple[int, int, list[int]]]:
    """Cut an axis at every patch border: (begin, end, indices of the covering patches) from 0 to size."""
    cuts = sorted({0, size, *starts, *(s + patch for s in starts)})
    pieces = []
    for begin, end in zip(cuts[:-1], cuts[1:], strict=True):
        covering = [i for i, s in enumerate(starts) if s <= begin and end <= s + patch]
        pieces.append((begin, end, covering))
    return pieces


def fuse(
    predict: Callable[[tuple[int, int, int]], np.ndarray],
    shape: tuple[int, int, int],
    patch: tuple[int, int, int],
    overlap: float = 0.5,
    method: str = "median",
) -> np.ndarray:
    """Predict every patch of the grid once and fuse them: float32, shape (z, y, x).

    predict: start (z, y, x) -> the patch's values, shape `patch`. method: "median" (of all covering patches; the mean
    of the two middle values for even counts), "mean", or "gaussian" (mean weighted by a Gaussian of SD patch / 8
    around each patch's centre, as nnU-Net does).
    """
    if method not in METHODS:
        raise ConfigError("inference.fusion", found=method, expected=" | ".join(METHODS))
    starts = grid(shape, patch, overlap)
    z_cells = intervals(starts[0], patch[0], shape[0])
    y_cells = intervals(starts[1], patch[1], shape[1])
    x_cells = intervals(starts[2], patch[2], shape[2])
    weight = _gaussian(patch) if method == "gaussian" else None
    result = np.empty(shape, np.float32)
    pieces: dict[tuple[int, int, int], np.ndarray] = {}  # (z cell, y patch, x patch) of one row, or rows stacked
    waiting = list(enumerate(z_cells))
    for row, z_start in enumerate(starts[0]):
        for j, k in product(range(len(starts[1])), range(len(starts[2]))):
            values = np.asarray(predict((z_start, starts[1][j], starts[2][k])), np.float32)
            for index, (begin, end, covering) in waiting:
                if row in covering:
                    pieces[index, row, j, k] = values[begin - z_start : end - z_start].copy()
        while waiting and waiting[0][1][2][-1] <= row:
            index, (begin, end, covering) = waiting.pop(0)
            for y, x in product(y_cells, x_cells):
                blocks, weights = [], []
                for r, j, k in product(covering, y[2], x[2]):
                    window = _window(y, x, starts, j, k)
                    blocks.append(pieces[index, r, j, k][(slice(None), *window)])
                    if weight is not None:
                        offset = begin - starts[0][r]
                        weights.append(weight[(slice(offset, offset + end - begin), *window)])
                result[begin:end, y[0] : y[1], x[0] : x[1]] = _combine(blocks, weights, method)
            for r, j, k in product(covering, range(len(starts[1])), range(len(starts[2]))):
                del pieces[index, r, j, k]
    return result


def _window(y, x, starts: Starts, j: int, k: int) -> tuple[slice, slice]:
    y0, x0 = starts[1][j], starts[2][k]
    return slice(y[0] - y0, y[1] - y0), slice(x[0] - x0, x[1] - x0)


def _combine(blocks: list[np.ndarray], weights: list[np.ndarray], method: str) -> np.ndarray:
    if len(blocks) == 1:
        return blocks[0]
    if method == "median":
        return median(blocks)
    if method == "mean":
        return np.mean(blocks, axis=0, dtype=np.float64)
    return np.sum([b * w for b, w in zip(blocks, weights, strict=True)], axis=0) / np.sum(weights, axis=0)


def median(blocks: list[np.ndarray]) -> np.ndarray:
    """Element-wise median of equally shaped arrays, exactly numpy.median's value, by a sorting network.

    Whole arrays are compared at a time, which is several times faster than sorting along an axis.
    Batcher's odd-even merge sort (K. Batcher, 1968) for any count. NaN in any block gives NaN.
    """
    arrays = [np.array(block, np.float32) for block in blocks]
    for i, j in _comparators(len(arrays)):
        low = np.minimum(arrays[i], arrays[j])
        np.maximum(arrays[i], arrays[j], out=arrays[j])
        arrays[i] = low
    middle = len(arrays) // 2
    if len(arrays) % 2:
        return arrays[middle]
    return (arrays[middle - 1] + arrays[middle]) * np.float32(0.5)


def _comparators(n: int) -> list[tuple[int, int]]:
    pairs, p = [], 1
    while p < n:
        k = p
        while k >= 1:
            for j in range(k % p, n - k, 2 * k):
                for i in range(min(k, n - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p):
                        pairs.append((i + j, i + j + k))
            k //= 2
        p *= 2
    return pairs


def _gaussian(patch: tuple[int, int, int]) -> np.ndarray:
    """Separable Gaussian weights with SD patch / 8 per axis, at least 1e-3 of the maximum."""
    axes = [np.exp(-0.5 * ((np.arange(p) - (p - 1) / 2) / (p / 8)) ** 2) for p in patch]
    weights = axes[0][:, None, None] * axes[1][None, :, None] * axes[2][None, None, :]
    return np.maximum(weights, 1e-3).astype(np.float32)
