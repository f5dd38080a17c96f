"""A regular grid of patches over a volume, and their exact fusion with only the active slab in memory.

The borders of the patches cut each axis into intervals inside which the set of covering patches is constant;
the product of three intervals is a cell. Patches come row by row. A row of cells is fused as soon as the last row of
patches that covers it is there, and the pieces of patches that no later cell needs are dropped with it: what is held
is less than one slab of patches.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import numpy as np

from ..base.errors import ConfigError

METHODS = ("median", "mean", "gaussian")
Starts = tuple[list[int], list[int], list[int]]
Cell = tuple[int, int, list[int]]  # begin, end, and the covering patches, along one axis
Pieces = dict[tuple[int, int, int, int], np.ndarray]  # (z cell, z patch, y patch, x patch) -> the patch in that z cell


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


def grid(shape, patch, overlap: float | Sequence[float]) -> Starts:
    """The patch starts of each axis (z, y, x). overlap: one for all axes, or one for each."""
    overlaps = [overlap] * 3 if isinstance(overlap, int | float) else overlap
    z, y, x = (patch_starts(s, p, o) for s, p, o in zip(shape, patch, overlaps, strict=True))
    return z, y, x


def intervals(starts: list[int], patch: int, size: int) -> list[Cell]:
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
    overlap: float | Sequence[float] = 0.5,
    method: str = "median",
) -> np.ndarray:
    """Predict every patch of the grid once and fuse them: float32, shape (z, y, x).

    predict: start (z, y, x) -> the patch's values, shape `patch`. overlap: one for all axes, or one for each. method:
    "median" (of all covering patches; the mean of the two middle values for even counts), "mean", or "gaussian" (mean
    weighted by a Gaussian of SD patch / 8 around each patch's centre, as nnU-Net does).
    """
    if method not in METHODS:
        raise ConfigError("inference.fusion", found=method, expected=" | ".join(METHODS))
    starts = grid(shape, patch, overlap)
    z_cells, y_cells, x_cells = (intervals(*axis) for axis in zip(starts, patch, shape, strict=True))
    weight = _gaussian(patch) if method == "gaussian" else None
    combine = partial(_combine_cell, starts=starts, weight=weight, method=method)
    last_use = [max(covering[-1] for _, _, covering in y_cells if j in covering) for j in range(len(starts[1]))]
    result = np.empty(shape, np.float32)
    pieces: Pieces = {}
    for row, z_start in enumerate(starts[0]):
        unfinished = [(i, cell) for i, cell in enumerate(z_cells) if row in cell[2]]
        ending = [(i, cell) for i, cell in unfinished if cell[2][-1] == row]
        for j, y_start in enumerate(starts[1]):
            for k, x_start in enumerate(starts[2]):
                values = np.asarray(predict((z_start, y_start, x_start)), np.float32)
                for i, (begin, end, _) in unfinished:
                    pieces[i, row, j, k] = values[begin - z_start : end - z_start].copy()
            for i, z in ending:
                for y, x in product([cell for cell in y_cells if cell[2][-1] == j], x_cells):
                    result[z[0] : z[1], y[0] : y[1], x[0] : x[1]] = combine(pieces, i, z, y, x)
                done = [used for used, last in enumerate(last_use) if last == j]
                for r, used, k in product(z[2], done, range(len(starts[2]))):
                    del pieces[i, r, used, k]
    return result


def _combine_cell(pieces: Pieces, i: int, z: Cell, y: Cell, x: Cell, *, starts: Starts, weight, method) -> np.ndarray:
    """The fused values of one cell: of the i-th interval in z, and of intervals in y and x."""
    blocks, weights = [], []
    for r, j, k in product(z[2], y[2], x[2]):
        window = _window(y, x, starts, j, k)
        blocks.append(pieces[i, r, j, k][(slice(None), *window)])
        if weight is not None:
            offset = z[0] - starts[0][r]
            weights.append(weight[(slice(offset, offset + z[1] - z[0]), *window)])
    return _combine(blocks, weights, method)


def _window(y: Cell, x: Cell, starts: Starts, j: int, k: int) -> tuple[slice, slice]:
    y0, x0 = starts[1][j], starts[2][k]
    return slice(y[0] - y0, y[1] - y0), slice(x[0] - x0, x[1] - x0)


def _combine(blocks: list[np.ndarray], weights: list[np.ndarray], method: str) -> np.ndarray:
    if len(blocks) == 1:
        return blocks[0]
    if method == "median":
        return median(blocks)
    if method == "mean":
        return np.asarray(np.mean(blocks, axis=0, dtype=np.float64))
    total: np.ndarray = np.sum([b * w for b, w in zip(blocks, weights, strict=True)], axis=0)
    return np.asarray(total / np.sum(weights, axis=0))


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
