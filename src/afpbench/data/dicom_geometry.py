"""Where the slices of a DICOM series lie: on one regular grid, or why not.

Every slice is held against the grid over the whole stack, since what is small from slice to slice adds up.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.errors import DataError
from ..volumes.io import WITHIN_VOXEL, Geometry

SAME_POSITION_MM = 1e-3
MISSING_GAP = 1.5  # of the usual gap: a slice is missing
ROUNDED = 1e-2  # of a direction's length, or of a right angle: more is no rounding


@dataclass(frozen=True)
class Slice:
    """What places one file of a series. position_mm: LPS; orientation: directions of the row and of the column;
    spacing_mm: from row to row, and within a row; size: rows, columns."""

    path: Path
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    size: tuple[int, int]


def regular_stack(slices: list[Slice], folder: Path, what: str) -> tuple[list[Slice], Geometry]:
    """The slices in the order of their positions, and the grid that they make.

    what: for messages, with the case. The grid runs along the slices' normal from the first to the last.
    Raises DataError for slices of different sizes, orientations or spacings, doubled, missing or unevenly spaced
    ones, and a stack that is sheared (gantry tilt).
    """
    _check_sizes(slices, folder, what)
    direction = _direction(slices[0], what)
    normal = direction[:, 2]
    slices = sorted(slices, key=lambda item: float(np.dot(item.position_mm, normal)))
    positions = np.array([item.position_mm for item in slices])
    along = positions @ normal
    _check_gaps(along, folder, what)
    step_mm = float(along[-1] - along[0]) / (len(along) - 1)
    _check_places(slices, direction, step_mm, folder, what)
    first = slices[0]
    return slices, Geometry(
        (len(slices), *first.size),
        (step_mm, first.spacing_mm[0], first.spacing_mm[1]),
        (float(positions[0, 0]), float(positions[0, 1]), float(positions[0, 2])),
        tuple(direction.ravel().tolist()),
    )


def _check_sizes(slices: list[Slice], folder: Path, what: str) -> None:
    first = slices[0]
    if len(slices) < 2 or min(first.spacing_mm) <= 0 or min(first.size) < 2:
        raise DataError(
            f"{what}: not a volume: {folder}",
            found=f"{len(slices)} slices such as {first.path.name}, {first.size[1]} x {first.size[0]}, "
            f"PixelSpacing {first.spacing_mm} mm",
            expected="at least two slices with a spacing",
            hint="export the whole series again",
        )
    for item in slices:
        if item.size != first.size:
            raise _unlike(first, item, folder, what)


def _unlike(first: Slice, item: Slice, folder: Path, what: str) -> DataError:
    return DataError(
        f"{what}: slices of different size, spacing or orientation in one series: {folder}",
        found=f"{first.path.name} ({_words(first)}) and {item.path.name} ({_words(item)})",
        expected="one stack of equal slices",
        hint="a scout or another stack lies in the series: move its files elsewhere",
    )


def _words(item: Slice) -> str:
    spacing = " x ".join(f"{value:g}" for value in item.spacing_mm)
    return f"{item.size[1]} x {item.size[0]}, {spacing} mm, {' '.join(f'{value:.4g}' for value in item.orientation)}"


def _direction(item: Slice, what: str) -> np.ndarray:
    """The directions of row, column and normal as columns; rounding of the header is taken out."""
    row, column = np.array(item.orientation[:3]), np.array(item.orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > ROUNDED or abs(float(row @ column)) > ROUNDED:
        raise DataError(
            f"{what}: an orientation that makes no sense: {item.path}",
            found=" ".join(f"{value:.4g}" for value in item.orientation),
            expected="two directions of length 1 at right angles (ImageOrientationPatient)",
            hint="export the series again from its archive",
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def _check_gaps(along: np.ndarray, folder: Path, what: str) -> None:
    """No slice twice at one place, none missing. along: places along the normal in mm, ascending."""
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    if (gaps < SAME_POSITION_MM).any():
        index = int(np.argmin(gaps))
        raise DataError(
            f"{what}: two slices at one position in {folder}",
            found=f"slices {index + 1} and {index + 2} of {len(along)}, both at {along[index]:.2f} mm",
            expected="one slice per position",
            hint="the series holds several echoes, phases or copies: keep the files of one",
        )
    if gaps.max() > MISSING_GAP * usual:
        index = int(np.argmax(gaps))
        raise DataError(
            f"{what}: a slice is missing in {folder}",
            found=f"{gaps[index]:.2f} mm between slices {index + 1} and {index + 2} of {len(along)}",
            expected=f"{usual:.2f} mm, as between the others",
            hint="export the whole series again",
        )


def _check_places(slices: list[Slice], direction: np.ndarray, step_mm: float, folder: Path, what: str) -> None:
    """Every corner of every slice within a fraction of the in-plane voxel of its place on the grid."""
    normal = direction[:, 2]
    positions = np.array([item.position_mm for item in slices])
    off = positions - positions[0] - np.outer(np.arange(len(slices)) * step_mm, normal)
    along = off @ normal
    beside = np.linalg.norm(off - np.outer(along, normal), axis=1)
    grid = _corners(slices[0], direction[:, :2].T)
    turned = np.array([_corners(item, np.array(item.orientation).reshape(2, 3)) - grid for item in slices])
    off_mm = np.linalg.norm(off[:, None] + turned, axis=2).max(axis=1)
    limit_mm = WITHIN_VOXEL * min(slices[0].spacing_mm)
    if off_mm.max() <= limit_mm:
        return
    turns = np.linalg.norm(turned, axis=2).max(axis=1)
    if turns.max() >= max(np.abs(along).max(), beside.max()):
        raise _unlike(slices[0], slices[int(np.argmax(turns))], folder, what)
    if beside.max() > np.abs(along).max():
        raise _tilted(beside, step_mm, limit_mm, folder, what)
    raise _uneven(np.diff(positions @ normal), off_mm, limit_mm, folder, what)


def _tilted(beside: np.ndarray, step_mm: float, limit_mm: float, folder: Path, what: str) -> DataError:
    """beside: how far each slice lies from the straight stack, in mm."""
    per_slice = float(beside[-1]) / (len(beside) - 1)
    degrees = np.degrees(np.arctan2(per_slice, step_mm))
    return DataError(
        f"{what}: the slices are sheared: a CT with gantry tilt: {folder}",
        found=f"each slice lies {per_slice:.2f} mm beside the one before, a tilt of {degrees:.1f} degrees: "
        f"{beside.max():.1f} mm over {len(beside)} slices",
        expected=_expected(limit_mm),
        hint="undo the tilt by resampling (for example with dcm2niix), then give the result",
    )


def _uneven(gaps: np.ndarray, off_mm: np.ndarray, limit_mm: float, folder: Path, what: str) -> DataError:
    """off_mm: how far each slice lies from its place on the grid."""
    return DataError(
        f"{what}: slices are unevenly spaced in {folder}",
        found=f"gaps of {gaps.min():.2f} to {gaps.max():.2f} mm; slice {int(np.argmax(off_mm)) + 1} of {len(off_mm)} "
        f"lies {off_mm.max():.2f} mm from its place",
        expected=_expected(limit_mm),
        hint="resample the series to even spacing first (for example with dcm2niix), then give the result",
    )


def _expected(limit_mm: float) -> str:
    return f"every slice within {limit_mm:.2f} mm ({WITHIN_VOXEL:g} of an in-plane voxel) of an even, straight stack"


def _corners(item: Slice, directions: np.ndarray) -> np.ndarray:
    """The four corner voxels relative to the first, in mm. directions: of row and column, 2 x 3."""
    down, across = item.spacing_mm[0] * (item.size[0] - 1), item.spacing_mm[1] * (item.size[1] - 1)
    row, column = directions
    return np.array([0 * row, across * row, down * column, across * row + down * column])
