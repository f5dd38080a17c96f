"""One reader and one rule for every label map: whole numbers from 0 on."""

from pathlib import Path

import numpy as np

from ..base.errors import DataError
from . import io
from .images import check_image
from .io import Volume

ROUNDING = 1e-3  # how far from a whole number a value may lie that was stored with a slope, or as floating point
MOST_LABELS = 1000
LARGEST = 2**31 - 1


def read_labels(path: str | Path, what: str) -> Volume:
    """A file as a label map of whole numbers, see `as_labels`. what: with the case. Raises DataError."""
    return as_labels(io.read(path, what), what)


def as_labels(volume: Volume, what: str) -> Volume:
    """The volume as a label map: z, y, x, the smallest unsigned type that holds its values.

    Values within 1e-3 of a whole number are taken as that number. Raises DataError, with the file, for other values,
    negative ones, NaN, several values per voxel, and for more than 1000 different ones (an image).
    """
    array = check_image(volume, what).array
    found: set[int] = set()
    for plane in array:  # one at a time: copies of a whole volume in floating point are large
        values = np.unique(plane)
        if _off(values).any():
            raise _not_whole(volume, what)
        found.update(int(value) for value in _whole(values))
    if min(found) < 0 or max(found) > LARGEST:
        raise DataError(
            f"{what}: values that are no labels: {volume.source}",
            found=f"values from {min(found)} to {max(found)}",
            expected="whole numbers from 0 (background) on",
            hint="this looks like an image such as a CT: give the label map"
            if min(found) < -100 or max(found) > LARGEST
            else "set what is to be left out to 0",
        )
    if len(found) > MOST_LABELS:
        raise DataError(
            f"{what}: not a label map: {volume.source}",
            found=f"{len(found)} different values",
            expected=f"at most {MOST_LABELS} labels",
            hint="this looks like an image: give its label map",
        )
    labels = np.empty(array.shape, np.min_scalar_type(max(found)))
    for plane, target in zip(array, labels, strict=True):
        target[...] = _whole(plane)
    return volume.with_array(labels)


def as_bytes(labels: Volume, what: str) -> Volume:
    """A label map (z, y, x) as uint8, the type of those that a study writes. Raises DataError for labels over 255."""
    largest = int(labels.array.max())
    if largest > 255:
        raise DataError(f"{what}: label out of range: {labels.source}", found=largest, expected="0 to 255")
    return labels.with_array(labels.array.astype(np.uint8))


def check_labels(labels: Volume, classes: dict[str, int], what: str) -> np.ndarray:
    """A label map as uint8: something in it, and each value 0 or that of a class (class name -> value)."""
    values = np.unique(labels.array)
    foreign = [value for value in values.tolist() if value not in {0, *classes.values()}]
    if foreign:
        raise DataError(
            f"{what}: values that belong to no class: {labels.source}",
            found=", ".join(map(str, foreign[:8])) + (", ..." if len(foreign) > 8 else ""),
            expected="0 and " + ", ".join(f"{value} ({name})" for name, value in classes.items()),
            hint="name the values under data.labels.classes, or set them to 0 in the file",
        )
    if not values.any():
        raise DataError(
            f"{what}: it is empty: {labels.source}",
            found="no voxel over 0",
            expected="at least one labelled voxel",
            hint="check data.labels, or leave the case out",
        )
    return labels.array.astype(np.uint8)


def _whole(values: np.ndarray) -> np.ndarray:
    return np.rint(values) if np.issubdtype(values.dtype, np.floating) else values


def _off(values: np.ndarray) -> np.ndarray:
    """Which values are not whole numbers."""
    whole = _whole(values)
    return np.zeros(values.shape, bool) if whole is values else np.abs(values - whole) > ROUNDING


def _not_whole(volume: Volume, what: str) -> DataError:
    array = volume.array
    count = sum(int(np.count_nonzero(_off(plane))) for plane in array)
    first = next(plane[_off(plane)][0] for plane in array if _off(plane).any())
    probabilities = array.min() >= 0 and array.max() <= 1 + ROUNDING
    return DataError(
        f"{what}: labels that are not whole numbers: {volume.source}",
        found=f"{count} of {array.size} voxels, such as {first!s}",
        expected=f"whole numbers, to within {ROUNDING:g}",
        hint="a probability map? Threshold it, or take the most probable class of each voxel"
        if probabilities
        else "an interpolated label map? Resample label maps by nearest neighbour",
    )
