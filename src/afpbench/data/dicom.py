"""A DICOM series as a volume. The position of each slice decides the geometry, never its thickness.

Nothing of a header but what is technical (modality, size, spacing, number of slices) goes into logs, messages or
outputs: no name, no id, no date, and no UID either, since many scanners write the date into it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..base.atomic import sha256_of
from ..base.errors import DataError
from ..volumes.io import Geometry, Volume

TAGS = (
    "Modality", "SeriesInstanceUID", "ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "Rows",
    "Columns", "NumberOfFrames", "SamplesPerPixel",
)  # fmt: skip
SPACING_TOLERANCE = 0.02
SAME_POSITION_MM = 1e-3
TILT_MM = 0.05


@dataclass(frozen=True)
class Slice:
    """What places one file of a series. position_mm: LPS; orientation: directions of the row and of the column."""

    path: Path
    series: str
    modality: str
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]
    size: tuple[int, int]
    frames: int
    samples: int


def read_series(folder: Path, what: str, modality: str | None = None, series: str | None = None) -> Volume:
    """Read the one series of a folder (with its subfolders) that fits; HU or stored values by slope and intercept.

    what: for messages, with the case. modality: `CT`, `MR`, ...; series: a SeriesInstanceUID; None for any.
    Returns a float32 volume (z: along the slices' normal). Raises DataError for no or several fitting series,
    missing, doubled, unevenly spaced or sheared (gantry tilt) slices, several frames or colours, unreadable pixels.
    """
    found = _choose(list(_slices(folder)), folder, what, modality, series)
    _check_same(found, folder, what)
    row, column = np.array(found[0].orientation[:3]), np.array(found[0].orientation[3:])
    normal = np.cross(row, column)
    found.sort(key=lambda item: float(np.dot(item.position_mm, normal)))
    positions = np.array([item.position_mm for item in found])
    step_mm = _check_positions(positions, normal, folder, what)
    array = np.stack([_pixels(item, what) for item in found])
    down, across = found[0].spacing_mm
    direction = np.stack([row, column, normal], axis=1)
    geometry = Geometry(
        array.shape, (step_mm, down, across), tuple(positions[0].tolist()), tuple(direction.ravel().tolist())
    )
    return Volume(array, geometry, str(folder))


def digest(path: Path) -> str:
    """The sha256 of a file, or of the sorted sha256 of all files below a folder."""
    if path.is_file():
        return sha256_of(path)
    parts = sorted(sha256_of(file) for file in path.rglob("*") if file.is_file())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def quiet() -> None:
    """Keep pydicom from warning in this process: its warnings quote values of the header in the log."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE


def _slices(folder: Path) -> Iterator[Slice]:
    """The images below a folder; other files, and DICOM files without a place in the patient, are passed over."""
    import pydicom

    quiet()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
        except (pydicom.errors.InvalidDicomError, OSError, EOFError):
            continue
        position, orientation = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
        spacing = header.get("PixelSpacing")
        if header.get("Rows") is None or (position is None and int(header.get("NumberOfFrames") or 1) < 2):
            continue
        yield Slice(
            path,
            str(header.get("SeriesInstanceUID", "")),
            str(header.get("Modality", "")),
            tuple(float(value) for value in position or (0, 0, 0)),
            tuple(float(value) for value in orientation or (1, 0, 0, 0, 1, 0)),
            tuple(float(value) for value in spacing or (0, 0)),
            (int(header.Rows), int(header.Columns)),
            int(header.get("NumberOfFrames") or 1),
            int(header.get("SamplesPerPixel") or 1),
        )


def _choose(slices: list[Slice], folder: Path, what: str, modality: str | None, series: str | None) -> list[Slice]:
    groups: dict[str, list[Slice]] = {}
    for item in slices:
        groups.setdefault(item.series, []).append(item)
    fitting = [
        group
        for uid, group in groups.items()
        if (modality is None or group[0].modality == modality) and (series is None or uid == series)
    ]
    if len(fitting) == 1:
        return fitting[0]
    wanted = " and ".join(
        [f"modality {modality}"] * (modality is not None) + ["the given series UID"] * (series is not None)
    )
    shown = "; ".join(_words(group) for group in list(groups.values())[:6]) or "no DICOM image"
    raise DataError(
        f"{what}: {'several' if fitting else 'no'} DICOM series of {wanted or 'any kind'} in {folder}",
        found=shown,
        expected="exactly one",
        hint="give the folder of one series, or name the series by its SeriesInstanceUID in the table's column "
        "`mr_series` or `ct_series`",
    )


def _words(group: list[Slice]) -> str:
    rows, columns = group[0].size
    modality = group[0].modality if group[0].modality.isalpha() else "?"
    return f"{modality}, {len(group)} files of {columns} x {rows}, such as {group[0].path.name}"


def _check_same(slices: list[Slice], folder: Path, what: str) -> None:
    """One frame and one value per voxel in each file, and all files of one size, spacing and orientation."""
    first = slices[0]
    if any(item.frames > 1 or item.samples > 1 for item in slices):
        raise DataError(
            f"{what}: files with several frames or colours in {folder}",
            found=f"{first.frames} frames, {first.samples} values per voxel",
            expected="one slice per file, one value per voxel",
            hint="convert the series to NIfTI with a tool that reads enhanced DICOM, such as dcm2niix",
        )
    if len(slices) < 2 or min(first.spacing_mm) <= 0:
        raise DataError(
            f"{what}: not a volume: {folder}",
            found=f"{len(slices)} slices, spacing {first.spacing_mm} mm",
            expected="at least two slices with a spacing",
            hint="export the whole series again",
        )
    for item in slices:
        same = item.size == first.size and np.allclose(item.spacing_mm, first.spacing_mm, atol=1e-4)
        if not same or not np.allclose(item.orientation, first.orientation, atol=1e-4):
            raise DataError(
                f"{what}: slices of different size, spacing or orientation in one series: {folder}",
                found=f"{first.path.name} ({first.size[1]} x {first.size[0]}) and {item.path.name} "
                f"({item.size[1]} x {item.size[0]})",
                expected="one stack of equal slices",
                hint="a scout or another stack lies in the series: move its files elsewhere",
            )


def _check_positions(positions: np.ndarray, normal: np.ndarray, folder: Path, what: str) -> float:
    """The slices' distance in mm, if they make one even, straight stack."""
    along = positions @ normal
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
    wrong = np.abs(gaps - usual) > 0.01 + SPACING_TOLERANCE * usual
    if wrong.any():
        index = int(np.argmax(wrong))
        missing = gaps[index] > 1.5 * usual
        raise DataError(
            f"{what}: {'a slice is missing' if missing else 'slices are unevenly spaced'} in {folder}",
            found=f"{gaps[index]:.2f} mm between slices {index + 1} and {index + 2} of {len(along)}",
            expected=f"{usual:.2f} mm, as between the others",
            hint="export the whole series again" if missing else "resample the series to even spacing first",
        )
    shift = positions - positions[0] - np.outer(along - along[0], normal)
    per_slice = float(np.linalg.norm(shift[-1])) / (len(along) - 1)
    if per_slice > TILT_MM:
        raise DataError(
            f"{what}: the slices are sheared: a CT with gantry tilt: {folder}",
            found=f"each slice lies {per_slice:.2f} mm beside the one before, a tilt of "
            f"{np.degrees(np.arctan2(per_slice, usual)):.1f} degrees",
            expected="slices straight above one another",
            hint="undo the tilt by resampling (for example with dcm2niix), then give the result",
        )
    return float(along[-1] - along[0]) / (len(along) - 1)


def _pixels(item: Slice, what: str) -> np.ndarray:
    """The values of one slice, float32: stored value x slope + intercept."""
    import pydicom

    quiet()
    try:
        image = pydicom.dcmread(item.path)
        values = image.pixel_array
        slope, intercept = image.get("RescaleSlope"), image.get("RescaleIntercept")
    except Exception as error:  # pydicom and its decoders raise many kinds, whose text may quote the header
        raise DataError(
            f"{what}: cannot read the pixels of {item.path}",
            found=type(error).__name__,
            expected="a whole DICOM image",
            hint="the file may be truncated: export it again",
        ) from None
    slope = 1.0 if slope is None else float(slope)
    intercept = 0.0 if intercept is None else float(intercept)
    return (values * slope + intercept).astype(np.float32)
