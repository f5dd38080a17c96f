"""Morphology of masks in millimetres. Masks are bool (z, y, x)."""

import numpy as np


def opened(mask: np.ndarray, spacing_mm, radius_mm: float) -> np.ndarray:
    """Morphological opening with a ball of `radius_mm`; what lies outside the volume counts as part of the mask."""
    return dilated(eroded(mask, spacing_mm, radius_mm), spacing_mm, radius_mm) & mask


def closed(mask: np.ndarray, spacing_mm, radius_mm: float) -> np.ndarray:
    """Morphological closing with a ball of `radius_mm`; what lies outside the volume counts as empty."""
    border = [(int(np.ceil(radius_mm / step)) + 1,) * 2 for step in spacing_mm]
    wide = dilated(np.pad(mask, border), spacing_mm, radius_mm)
    inner = tuple(slice(low, -high) for low, high in border)
    return eroded(wide, spacing_mm, radius_mm)[inner] | mask


def eroded(mask: np.ndarray, spacing_mm, radius_mm: float) -> np.ndarray:
    """The voxels of a mask further than `radius_mm` from the nearest voxel that is not in it."""
    from scipy.ndimage import distance_transform_edt

    if mask.all():
        return mask.copy()
    return distance_transform_edt(mask, sampling=spacing_mm) > radius_mm


def dilated(mask: np.ndarray, spacing_mm, radius_mm: float) -> np.ndarray:
    """The voxels within `radius_mm` of a mask."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return mask.copy()
    return distance_transform_edt(~mask, sampling=spacing_mm) <= radius_mm


def large_components(mask: np.ndarray, smallest_voxels: float = 0, share_of_largest: float = 0.0) -> np.ndarray:
    """The 26-connected components with at least so many voxels and at least that share of the largest one's."""
    from scipy.ndimage import label

    labelled, count = label(mask, structure=np.ones((3, 3, 3)))
    if count == 0:
        return mask.copy()
    sizes = np.bincount(labelled.ravel())
    sizes[0] = 0
    keep = (sizes >= smallest_voxels) & (sizes >= share_of_largest * sizes.max())
    keep[0] = False
    return keep[labelled]


def filled_slices(mask: np.ndarray) -> np.ndarray:
    """A mask with the holes of each slice along z filled."""
    from scipy.ndimage import binary_fill_holes

    return np.stack([binary_fill_holes(plane) for plane in mask])
