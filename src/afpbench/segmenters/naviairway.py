"""NaviAirway as a segmenter: its crops, its input scaling, the union of its checkpoints, and its post-processing
(Wang, Tam and Poon 2022; see features/naviairway.py)."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..base import hardware
from ..base.errors import DataError
from ..base.log import logger, tools
from ..study.kinds.segmenter import Segment
from ..volumes import io

CROP = (32, 128, 128)
STRIDE = (16, 64, 64)
SMALLEST_CROP = 8  # the network halves three times
CLIP_HU = (-1000.0, 600.0)
THRESHOLD = 0.5
SEARCH_VOXELS = 10
LOWERED_THRESHOLDS = (0.45, 0.4)


def open_naviairway(weights: Sequence[str | Path], device: str, threads: int) -> Segment:
    """Load every checkpoint; return a function from a CT volume (HU) to airways as 1 (z, y, x), uint8.

    The CT stays on its own grid: NaviAirway resamples nothing.
    """
    from ..features.naviairway import load_naviairway

    tools("torch", "scikit-image")
    hardware.set_threads(threads)
    chosen = hardware.device(device)
    networks = [hardware.fast_convolutions(load_naviairway(path).to(chosen)) for path in weights]

    def segment(ct: io.Volume) -> np.ndarray:
        maps = [probability(network, ct.array, chosen) for network in networks]
        found = np.any([one > THRESHOLD for one in maps], axis=0)
        logger.info("airways: %d voxels before post-processing", found.sum())
        return post_process(found, np.mean(maps, axis=0)).astype(np.uint8)

    return segment


def scale(array: np.ndarray) -> np.ndarray:
    """Clipped to CLIP_HU, minus the minimum, over the 99th percentile, times 255: float32."""
    clipped = np.clip(array.astype(np.float32), *CLIP_HU)
    clipped = clipped - clipped.min()
    high = np.percentile(clipped, 99)
    return (clipped / high * 255 if high > 0 else clipped).astype(np.float32)


def windows(shape: Sequence[int]) -> Iterator[tuple[slice, slice, slice]]:
    """NaviAirway's crops of a volume: CROP at every STRIDE, moved back inside at the end.

    Along an axis that is shorter than the crop, the crop is halved until it fits, and so is no longer overlapping.
    """
    starts, sizes = [], []
    for n, size, stride in zip(shape, CROP, STRIDE, strict=True):
        while size > n:
            size = stride = size // 2
        if size < SMALLEST_CROP:
            raise DataError(
                "NaviAirway: the CT is too small",
                found=f"{tuple(shape)} voxels",
                expected=f"at least {SMALLEST_CROP} along each axis",
                hint="use a finer spacing_mm for the task",
            )
        starts.append([min(start, n - size) for start in range(0, n, stride)])
        sizes.append(size)
    for corner in itertools.product(*starts):
        z, y, x = (slice(start, start + size) for start, size in zip(corner, sizes, strict=True))
        yield z, y, x


def probability(network, ct_hu: np.ndarray, device) -> np.ndarray:
    """The airway's probability at each voxel, float32.

    The volume is scaled, then each crop once more by itself. Where a crop meets earlier ones, the value becomes the
    mean of its own and of what was there, as in NaviAirway: later crops count more.
    """
    import torch

    scaled = scale(ct_hu)
    total, seen = np.zeros(ct_hu.shape, np.float32), np.zeros(ct_hu.shape, bool)
    for place in windows(ct_hu.shape):
        crop = torch.from_numpy(scale(scaled[place]))[None, None].to(device)
        with torch.inference_mode():
            found = network(crop)[0, 1].float().cpu().numpy()
        total[place] = np.where(seen[place], (total[place] + found) / 2, found)
        seen[place] = True
    return total


def post_process(airways: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The largest connected tree with its holes filled, and broken branches found again around its ends; bool."""
    tree = largest_tree(airways)
    return join_broken_branches(tree, probabilities) if tree.any() else tree


def largest_tree(airways: np.ndarray) -> np.ndarray:
    """The largest piece (voxels that share a face), with what it encloses; bool."""
    labels, count = ndimage.label(airways)
    if not count:
        return np.zeros(airways.shape, bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return ndimage.binary_fill_holes(labels == sizes.argmax())


def join_broken_branches(tree: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """What is likely airway around each end of the tree's centreline, beside the tree itself; bool.

    In a box of SEARCH_VOXELS to each side of an end, voxels outside the tree above the threshold are taken; where they
    are no more than the tree's own in the box, the threshold is lowered in steps.
    """
    from skimage.morphology import skeletonize

    joined = tree.copy()
    for end in np.argwhere(centreline_ends(skeletonize(tree) > 0)):
        place = tuple(slice(max(c - SEARCH_VOXELS, 0), c + SEARCH_VOXELS + 1) for c in end)
        own, values = tree[place], np.where(tree[place], 0, probabilities[place])
        for threshold in (THRESHOLD, *LOWERED_THRESHOLDS):
            candidates = values > threshold
            if candidates.sum() > own.sum():
                break
        joined[place] |= candidates
    return joined


def centreline_ends(centreline: np.ndarray) -> np.ndarray:
    """The voxels of a centreline that touch no more than one other; bool."""
    neighbours = ndimage.convolve(centreline.astype(np.uint8), np.ones((3, 3, 3), np.uint8), mode="constant") - 1
    return centreline & (neighbours <= 1)
