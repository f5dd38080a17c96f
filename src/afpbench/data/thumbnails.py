"""A small picture of a pair: the middle slice of the MR, the CT at the same place, and both as a checkerboard."""

import io as bytes_io
from collections.abc import Sequence

import numpy as np

from ..volumes.io import Geometry, Volume
from .pairs import linear

LARGEST_PX = 140
WINDOW_HU = (-250.0, 350.0)
SQUARES = 6


def thumbnail(mr: Sequence[Volume], ct: Volume) -> bytes:
    """A PNG of MR, CT and checkerboard side by side, each up to 140 pixels wide. All on canonical axes; CT in HU.

    mr: its channels, each shown; the first is in the checkerboard.
    """
    from PIL import Image

    grid = _slice_grid(mr[0].geometry)
    planes = [_gray(plane, *np.percentile(plane, (1, 99))) for plane in (linear(one, grid, 0.0)[0][0] for one in mr)]
    planes.append(_gray(linear(ct, grid, -1024.0)[0][0], *WINDOW_HU))
    row, column = np.indices(planes[0].shape) * SQUARES // np.array(planes[0].shape)[:, None, None]
    planes.append(np.where((row + column) % 2, planes[0], planes[-1]))
    gap = np.full((planes[0].shape[0], 2), 255, np.uint8)
    picture = np.concatenate([part for plane in planes for part in (plane, gap)][:-1], axis=1)
    target = bytes_io.BytesIO()
    Image.fromarray(picture).save(target, format="PNG")
    return target.getvalue()


def _slice_grid(geometry: Geometry) -> Geometry:
    """The middle slice along z, with square pixels."""
    depth, height, width = geometry.shape
    step_z, step_y, step_x = geometry.spacing_mm
    pixel = max(height * step_y, width * step_x) / LARGEST_PX
    direction = np.array(geometry.direction).reshape(3, 3)
    origin = np.array(geometry.origin_mm) + direction @ np.array([0.0, 0.0, depth // 2 * step_z])
    shape = (1, max(1, round(height * step_y / pixel)), max(1, round(width * step_x / pixel)))
    return Geometry(shape, (step_z, pixel, pixel), tuple(origin.tolist()), geometry.direction)


def _gray(plane: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip(255 * (plane - low) / max(high - low, 1e-6), 0, 255).astype(np.uint8)
