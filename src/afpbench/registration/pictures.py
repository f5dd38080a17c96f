"""Small pictures of a pair, for the eye: MR and CT in turn, as on a checkerboard, before and after registration."""

from pathlib import Path

import numpy as np

from ..base.atomic import atomic_path
from ..volumes.io import Volume
from .intensity import clipped_mr, gray

TILES = 7  # along the longer side of a plane
HEIGHT = 176  # pixels
NAMES = ("checkerboard_before.png", "checkerboard_after.png")


def write_pictures(mr: Volume, mr_body: np.ndarray, warped: dict, out: Path) -> None:
    """Write checkerboard_before.png and checkerboard_after.png into `out`: three planes through the body's middle.

    warped: "ct_before" and "ct", HU on the MR's grid. Tiles of the MR and of the CT take turns, so that a border that
    runs on across a tile's edge says that the two agree there. Axial, coronal (head up) and sagittal, side by side.
    """
    mr_gray = clipped_mr(mr).array
    mr_gray = (mr_gray - mr_gray.min()) / max(float(np.ptp(mr_gray)), 1e-6)
    centre = _middle(mr_body)
    for name, hu in zip(NAMES, (warped["ct_before"], warped["ct"]), strict=True):
        planes = [_plane(mr_gray, gray(hu), mr.spacing_mm, axis, centre[axis]) for axis in range(3)]
        _write_png(np.concatenate(planes, axis=1), out / name)


def checkerboard(first: np.ndarray, second: np.ndarray, tiles: int = TILES) -> np.ndarray:
    """Tiles of the first image and of the second in turn; `tiles` of them along the longer side; the first in front."""
    side = max(1, -(-max(first.shape) // tiles))
    row, column = np.indices(first.shape) // side
    return np.where((row + column) % 2 == 0, first, second)


def _middle(body: np.ndarray) -> list[int]:
    if not body.any():
        return [size // 2 for size in body.shape]
    return [int(round(float(places.mean()))) for places in np.nonzero(body)]


def _plane(mr_gray: np.ndarray, ct_gray: np.ndarray, spacing_mm, axis: int, index: int) -> np.ndarray:
    """One plane of the checkerboard, uint8, HEIGHT pixels high, square pixels."""
    from scipy.ndimage import zoom

    rows, columns = (step for number, step in enumerate(spacing_mm) if number != axis)
    images = [np.take(image, index, axis=axis) for image in (mr_gray, ct_gray)]
    scale = HEIGHT / images[0].shape[0]
    factors = (scale, scale * columns / rows)
    images = [zoom(image.astype(np.float32), factors, order=1) for image in images]
    plane = np.rint(255 * np.clip(checkerboard(*images), 0, 1)).astype(np.uint8)
    return plane if axis == 0 else plane[::-1]


def _write_png(pixels: np.ndarray, path: Path) -> None:
    import SimpleITK as sitk

    with atomic_path(path) as temporary:
        sitk.WriteImage(sitk.GetImageFromArray(np.ascontiguousarray(pixels)), str(temporary), useCompression=True)
