"""Distances between the surfaces of two masks, as surface-distance finds them but many times faster.

A mask's surface elements (surfels) lie on the corners of voxels whose eight neighbours are not all alike. Surfels,
areas and distances are those of S. Nikolov et al.'s package `surface-distance`, whose table of areas is used. It makes
a distance transform of the whole box; most surfels of two alike masks lie on or beside one another, so here the corners
around each surfel are looked up from the nearest to the farthest, and only the surfels that are left are searched for.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

Spacing: TypeAlias = tuple[float, float, float]
_REACH = 2.9  # of the corners looked up, in mean voxel sizes: about a hundred
_MOST_VOXELS = 8  # and along the shortest side of a voxel
_LEAF = 64
_VOXELS_PER_SEARCH = 40  # one search in a tree takes about as long as the distance transform of so many voxels


def surface_distances(real: np.ndarray, synthetic: np.ndarray, spacing_mm: Sequence[float]) -> dict[str, np.ndarray]:
    """What `surface_distance.compute_surface_distances(real, synthetic, spacing_mm)` returns.

    real, synthetic: (z, y, x) bool of one shape, cropped to the structure, neither of them empty. spacing_mm: z, y, x.
    Returns distances_gt_to_pred and surfel_areas_gt (of the real surface), distances_pred_to_gt and surfel_areas_pred,
    in mm and mm2, each pair sorted by distance and then by area. Equal distances may differ in their last bit, where
    several corners are equally near.
    """
    z, y, x = (float(size) for size in spacing_mm)
    spacing = (z, y, x)
    codes = [_neighbour_codes(mask, margins(spacing)) for mask in (real, synthetic)]
    surfaces = [code - np.uint8(1) < 254 for code in codes]  # neither 0 nor 255: the first wraps around
    corners = [np.flatnonzero(surface) for surface in surfaces]
    found: dict[str, np.ndarray] = {}
    for first, second, towards, of in ((0, 1, "gt_to_pred", "gt"), (1, 0, "pred_to_gt", "pred")):
        distances = nearest_mm(corners[first], surfaces[second], corners[second], spacing)
        areas = _areas(spacing)[codes[first].ravel()[corners[first]]]
        order = np.lexsort((areas, distances))
        found |= {f"distances_{towards}": distances[order], f"surfel_areas_{of}": areas[order]}
    return found


def margins(spacing_mm: Spacing) -> tuple[int, ...]:
    """How far the look-up of corners goes along each axis: so much of a grid must be empty around a surface."""
    return _neighbourhood(spacing_mm)[0]


def _neighbour_codes(mask: np.ndarray, margins: Sequence[int]) -> np.ndarray:
    """The code (z, y, x uint8) of the eight voxels around each corner, as the table of areas counts them.

    The grid has a corner more than the mask has voxels along each axis, and the margins on both sides.
    """
    padded = np.zeros([size + 2 * margin + 2 for size, margin in zip(mask.shape, margins, strict=True)], np.uint8)
    padded[tuple(slice(m + 1, m + 1 + size) for size, m in zip(mask.shape, margins, strict=True))] = mask
    code = 2 * padded[:, :, :-1] + padded[:, :, 1:]
    code = 4 * code[:, :-1] + code[:, 1:]
    return 16 * code[:-1] + code[1:]


@lru_cache(maxsize=16)
def _areas(spacing_mm: Spacing) -> np.ndarray:
    """The area of the surface at a corner, in mm2, by its code."""
    from surface_distance.lookup_tables import create_table_neighbour_code_to_surface_area

    return create_table_neighbour_code_to_surface_area(list(spacing_mm))


@lru_cache(maxsize=16)
def _neighbourhood(spacing_mm: Spacing) -> tuple[tuple[int, ...], list[tuple[float, np.ndarray]]]:
    """How far it goes along each axis, and every step to a corner within reach: (distance in mm, steps (n, 3)), sorted.

    No corner that is nearer than the last is missing, so that the first that is found is the nearest.
    """
    reach = min(_REACH * float(np.prod(spacing_mm)) ** (1 / 3), _MOST_VOXELS * min(spacing_mm))
    margins = tuple(int(reach / size) for size in spacing_mm)
    grid = np.meshgrid(*[np.arange(-most, most + 1) for most in margins], indexing="ij")
    steps = np.stack([axis.ravel() for axis in grid], axis=1)
    lengths = _lengths(steps, spacing_mm)
    inside = np.flatnonzero((lengths > 0) & (lengths <= reach))
    inside = inside[np.argsort(lengths[inside], kind="stable")]
    cuts = np.flatnonzero(np.diff(lengths[inside])) + 1
    return margins, [(float(lengths[group[0]]), steps[group]) for group in np.split(inside, cuts) if group.size]


def _lengths(steps: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Lengths in mm of steps (n, 3) on the grid; sums run as SciPy's distance transform has them, to the last bit."""
    z, y, x = (np.square(steps[:, axis] * spacing_mm[axis]) for axis in range(3))
    return np.sqrt(z + y + x)


def nearest_mm(corners: np.ndarray, surface: np.ndarray, others: np.ndarray, spacing_mm: Spacing) -> np.ndarray:
    """The distance in mm of each corner (index into the grid) to the nearest one of the surface (z, y, x bool).

    Neither the corners nor the surface lie in the margins of the grid. others: the corners of that surface, at least
    one.
    """
    flat, strides = surface.ravel(), np.array([surface[0].size, surface.shape[2], 1])
    distances = np.zeros(len(corners))
    left = np.flatnonzero(~flat[corners])
    for length, steps in _neighbourhood(spacing_mm)[1]:
        if not left.size:
            return distances
        at = corners[left]
        hit = np.zeros(len(left), bool)
        for step in steps @ strides:
            hit |= flat[at + step]
        distances[left[hit]] = length
        left = left[~hit]
    if left.size:
        distances[left] = _far_distances(corners[left], surface, others, spacing_mm)
    return distances


def _far_distances(corners: np.ndarray, surface: np.ndarray, others: np.ndarray, spacing_mm: Spacing) -> np.ndarray:
    """The same of corners that no look-up reaches: by a k-d tree, or where they are many by a distance transform."""
    if surface.size < _VOXELS_PER_SEARCH * len(corners):
        from scipy.ndimage import distance_transform_edt

        return distance_transform_edt(~surface, sampling=spacing_mm).ravel()[corners]
    from scipy.spatial import cKDTree

    def places(indices: np.ndarray) -> np.ndarray:
        return np.stack(np.unravel_index(indices, surface.shape), axis=1)

    tree = cKDTree(places(others) * spacing_mm, leafsize=_LEAF, compact_nodes=False, balanced_tree=False)
    nearest = tree.query(places(corners) * spacing_mm)[1]
    return _lengths(places(corners) - places(others[nearest]), spacing_mm)
