"""One reader and one rule for every mask: two values, of which the higher is inside."""

from pathlib import Path

import numpy as np

from ..base.errors import DataError
from . import io
from .images import check_image
from .io import Volume

RESIDUE = 1e-3  # of the distance between the two values: what rounding and interpolation of a flat region leave


def read_mask(path: str | Path, what: str) -> Volume:
    """A file as a mask (uint8, 1 inside), see `as_mask`. what: with the case. Raises DataError."""
    return as_mask(io.read(path, what), what)


def as_mask(volume: Volume, what: str) -> Volume:
    """The volume as a mask: uint8, z, y, x, 1 inside and 0 outside.

    Inside is the higher of its two values, which must be above 0; the lower (outside) must be 0 or below it. Voxels
    within 1e-3 of the way between the two count as that value. A volume of one value above 0 is inside everywhere.
    Raises DataError, with the file, for other values, NaN, no voxel inside, or several values per voxel.
    """
    array = check_image(volume, what).array
    low, high = float(array.min()), float(array.max())
    if high <= RESIDUE:
        raise DataError(
            f"{what}: it is empty: {volume.source}",
            found=f"no voxel over {RESIDUE:g} (values {low:g} to {high:g})",
            expected="at least one voxel inside, of a value over 0",
            hint="export the contour again, or leave the case out",
        )
    if low == high:
        return volume.with_array(np.ones(array.shape, np.uint8))
    near = RESIDUE * (high - low)
    inside = array >= high - near
    between = ~inside & (array > low + near)
    if between.any() or low > near:
        raise _not_binary(volume, what, array, between)
    return volume.with_array(inside.astype(np.uint8))


def _not_binary(volume: Volume, what: str, array: np.ndarray, between: np.ndarray) -> DataError:
    low, high = array.min(), array.max()
    found = f"values from {low!s} to {high!s}"
    if between.any():
        found += f", and {int(between.sum())} of {array.size} voxels between the two, such as {array[between][0]!s}"
    hint = "an interpolated mask: threshold it at 0.5, and resample masks by nearest neighbour"
    if not between.any():
        hint = "say which of the two values is outside: set it to 0"
    elif low < -100:
        hint = "this looks like an image such as a CT: give the mask"
    elif np.array_equal(array, np.rint(array)):
        hint = "a label map with several labels? Set those that count to 1 and the others to 0"
    return DataError(
        f"{what}: not a mask of two values: {volume.source}",
        found=found,
        expected="one value inside (over 0) and one outside (0, or below)",
        hint=hint,
    )
