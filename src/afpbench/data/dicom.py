"""A DICOM series as a volume. The position of each slice decides the geometry, never its thickness."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..base.atomic import sha256_of
from ..base.errors import DataError
from ..volumes.io import Volume
from .dicom_files import BrokenError, broken_files, integer, is_dicom, is_image, numbers, read_headers, text
from .dicom_geometry import Slice, regular_stack
from .dicom_pixels import AIR_HU, Plane, read_plane

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

GREY = ("MONOCHROME1", "MONOCHROME2", "")
PLACE = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}


@dataclass(frozen=True)
class _Image:
    """What is known of one file of images; of `place` (position, orientation, spacing) what the header has."""

    path: Path
    series: str
    modality: str
    frame_uid: str
    place: dict[str, tuple[float, ...] | None]
    size: tuple[int, int]
    frames: int
    samples: int
    colours: str

    @property
    def placed(self) -> bool:
        return self.frames > 1 or None not in self.place.values()


def is_series(path: Path) -> bool:
    """Whether a path is to be read as DICOM: a folder, or a file that is DICOM by its content (a slice, no volume)."""
    return path.is_dir() or is_dicom(path)


def read_series(folder: Path, what: str, modality: str | None = None, series: str | None = None) -> Volume:
    """Read the one series of a folder (with its subfolders) that fits; HU or stored values by slope and intercept.

    what: for messages, with the case. modality: `CT`, `MR`, ...; series: a SeriesInstanceUID; None for any.
    Returns a float32 volume (z: along the slices' normal). Raises DataError for no or several fitting series, files
    that cannot be read, slices that do not make one regular grid (missing, doubled, unevenly spaced, sheared by
    gantry tilt, of different sizes), several frames or colours, unreadable pixels, and padding that looks like tissue.
    """
    chosen = _choose(_images(folder, what), folder, what, modality, series)
    _check_kind(chosen, folder, what)
    slices = [
        Slice(
            item.path,
            item.place["ImagePositionPatient"] or (),
            item.place["ImageOrientationPatient"] or (),
            item.place["PixelSpacing"] or (),
            item.size,
        )
        for item in chosen
    ]
    slices, geometry = regular_stack(slices, folder, what)
    array, findings = _voxels(slices, chosen[0].modality, folder, what)
    return Volume(array, geometry, str(folder), findings, chosen[0].frame_uid)


def any_file(folder: Path, what: str, modality: str | None = None, series: str | None = None) -> Path:
    """A file of the series that `read_series` reads. Raises as that does for no or several fitting series."""
    return _choose(_images(folder, what), folder, what, modality, series)[0].path


def digest(path: Path) -> str:
    """The sha256 of a file, or of the sorted sha256 of all files below a folder."""
    if path.is_file():
        return sha256_of(path)
    parts = sorted(sha256_of(file) for file in path.rglob("*") if file.is_file())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _images(folder: Path, what: str) -> list[_Image]:
    """The images below a folder. Raises DataError for headers whose values make no sense."""
    found: list[_Image] = []
    wrong: dict[Path, str] = {}
    for path, header in read_headers(folder, what).items():
        try:
            if is_image(header):
                found.append(_image(path, header))
        except BrokenError as error:
            wrong[path] = str(error)
    for name in ("series", "modality"):  # without them nobody can say that it is no slice of the series
        said = [item for item in found if getattr(item, name)]
        if said:
            wrong |= {item.path: f"no {name} in its header" for item in found if not getattr(item, name)}
    if wrong:
        raise broken_files(what, folder, wrong)
    return found


def _image(path: Path, header: "Dataset") -> _Image:
    return _Image(
        path,
        text(header, "SeriesInstanceUID"),
        text(header, "Modality"),
        text(header, "FrameOfReferenceUID"),
        {name: numbers(header, name, count) for name, count in PLACE.items()},
        (integer(header, "Rows", 0), integer(header, "Columns", 0)),
        integer(header, "NumberOfFrames", 1) or 1,
        integer(header, "SamplesPerPixel", 1),
        text(header, "PhotometricInterpretation"),
    )


def _choose(images: list[_Image], folder: Path, what: str, modality: str | None, series: str | None) -> list[_Image]:
    """The one series that fits. A series of which no image has a place (a report's pictures) is passed over where
    there is another."""
    groups: dict[str, list[_Image]] = {}
    for item in images:
        groups.setdefault(item.series, []).append(item)
    fitting = [
        group
        for uid, group in groups.items()
        if (modality is None or any(item.modality == modality for item in group)) and (series is None or uid == series)
    ]
    placed = [group for group in fitting if any(item.placed for item in group)]
    fitting = placed or fitting
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


def _words(group: list[_Image]) -> str:
    rows, columns = group[0].size
    modality = group[0].modality if group[0].modality.isalpha() else "?"
    return f"{modality}, {len(group)} files of {columns} x {rows}, such as {group[0].path.name}"


def _check_kind(images: list[_Image], folder: Path, what: str) -> None:
    """One frame and one grey value per voxel in each file, each with its place in one frame of reference."""
    for item in images:
        if item.frames != 1 or item.samples != 1 or item.colours not in GREY:
            raise DataError(
                f"{what}: files with several frames or colours in {folder}",
                found=f"{item.path.name}: {item.frames} frames, {item.samples} values per voxel, "
                f"{'grey' if item.colours in GREY else 'coloured'}",
                expected="one slice per file, one grey value per voxel",
                hint="convert the series to NIfTI with a tool that reads enhanced DICOM, such as dcm2niix",
            )
        if missing := [name for name, values in item.place.items() if values is None]:
            raise DataError(
                f"{what}: a slice without its place in the patient: {item.path}",
                found=f"no {' and no '.join(missing)} in its header",
                expected=f"{', '.join(PLACE)} in every slice",
                hint="export the series again from its archive; enhanced DICOM, which keeps them elsewhere, is to be "
                "converted with dcm2niix",
            )
    for kind, values in (
        ("modalities", {item.modality for item in images}),
        ("frames of reference", {item.frame_uid for item in images}),
    ):
        if len(values) > 1:
            raise DataError(
                f"{what}: slices of several {kind} in one series: {folder}",
                found=f"{len(values)} in {len(images)} slices",
                expected="one",
                hint="the series was put together from several: give the folder of one",
            )


def _voxels(slices: list[Slice], modality: str, folder: Path, what: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The values of all slices in one array, float32, and what was found in them."""
    array = np.empty((0, 0, 0), np.float32)
    planes: list[Plane] = []
    for index, item in enumerate(slices):
        values, plane = read_plane(item.path, item.size, modality, what)
        if index == 0:  # only now it is sure that a file has as many voxels as its header says
            array = np.empty((len(slices), *item.size), np.float32)
        array[index] = values
        planes.append(plane)
        if plane.rescaled != planes[0].rescaled:
            raise DataError(
                f"{what}: RescaleSlope and RescaleIntercept in some slices only: {folder}",
                found=f"{slices[0].path.name} and {item.path.name} differ in it",
                expected="in every slice, or in none",
                hint="export the series again from its archive",
            )
    return array, tuple(_findings(planes, modality))


def _findings(planes: list[Plane], modality: str) -> list[str]:
    findings = []
    if padded := [plane for plane in planes if plane.padded]:
        count = sum(plane.padded for plane in padded)
        value = f"{AIR_HU:.0f} HU" if modality == "CT" else "0"
        findings.append(f"{count} voxels of padding, stored as {padded[0].padding}, are taken as {value}")
    if any(plane.lossy for plane in planes):
        findings.append("its slices were compressed with loss once: the values are not those of the scanner")
    return findings
