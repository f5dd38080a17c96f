"""One reader for every image with one value per voxel (MR, CT, synthetic CT), and what an MR or a CT must be."""

from pathlib import Path

import numpy as np

from ..base.errors import DataError
from . import io
from .io import Volume

AIR_FOUND_HU = -500.0
PADDING_HU = -1100.0  # below: not air, but what a scanner or a tool writes outside the field of view
BODY_MEDIAN_HU = (-300.0, 500.0)


def read_image(path: str | Path, what: str) -> Volume:
    """A file as a volume of real, finite values. what: with the case. Raises DataError."""
    return check_image(io.read(path, what), what)


def check_image(volume: Volume, what: str) -> Volume:
    """The volume itself, where it holds one real and finite value per voxel. Raises DataError."""
    array = volume.array
    if np.issubdtype(array.dtype, np.complexfloating) or array.ndim != 3:
        raise DataError(
            f"{what}: not one real value per voxel: {volume.source}",
            found=f"{array.dtype}, shape {array.shape}",
            expected="a scalar 3D volume",
            hint="split a colour, vector or complex image into scalar volumes first",
        )
    if not np.issubdtype(array.dtype, np.floating):
        return volume
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        where = tuple(int(index) for index in np.unravel_index(np.argmin(np.isfinite(array)), array.shape))
        raise DataError(
            f"{what}: NaN or infinite voxels: {volume.source}",
            found=f"{bad} of {array.size} voxels, the first at (z, y, x) = {where}",
            expected="finite numbers only",
            hint="replace them in the source (air is -1024 HU in a CT, 0 in an MR), or leave the case out",
        )
    return volume


def check_values(volume: Volume, what: str) -> None:
    """Finite values, more than one of them. what: for the message, with the case ("case p01: MR")."""
    array = check_image(volume, what).array
    if array.min() == array.max():
        raise DataError(
            f"{what}: the image is constant: {volume.source}",
            found=f"every voxel is {array.flat[0]}",
            expected="an image with contrast",
            hint="the export or the conversion lost the content: convert it again, or leave the case out",
        )


def check_hu(ct: Volume, what: str) -> None:
    """Values that can be Hounsfield units: air is there, and soft tissue lies near 0."""
    array = ct.array
    array = array[array > PADDING_HU] if (array > PADDING_HU).any() else array
    low, high = float(array.min()), float(array.max())
    if low <= AIR_FOUND_HU and high > 0:
        body = array[array > AIR_FOUND_HU]
        median = float(np.median(body)) if body.size else low
        if BODY_MEDIAN_HU[0] <= median <= BODY_MEDIAN_HU[1]:
            return
    else:
        median = float(np.median(array))
    hint = "convert to HU with the DICOM rescale slope and intercept"
    if low >= -50 and high > 900:
        hint = (
            "this looks like HU + 1024 stored without sign (subtract 1024, or apply the DICOM rescale intercept), "
            "or like an MR given as the CT"
        )
    elif median > BODY_MEDIAN_HU[1]:
        hint = "soft tissue is about 1024 too high: the rescale intercept was not applied outside the padding"
    raise DataError(
        f"{what}: the values are not plausible as HU: {ct.source}",
        found=f"minimum {low:.0f}, maximum {high:.0f}, median {median:.0f} (padding below {PADDING_HU:.0f} left out)",
        expected=f"air below {AIR_FOUND_HU:.0f} HU, and the median of the rest between "
        f"{BODY_MEDIAN_HU[0]:.0f} and {BODY_MEDIAN_HU[1]:.0f} HU",
        hint=hint,
    )


def is_hu(volume: Volume) -> bool:
    """Whether an image has what a CT has: air far below 0, and most of the rest near 0."""
    try:
        check_hu(volume, "")
    except DataError:
        return False
    return True
