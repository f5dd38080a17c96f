"""A structure of a DICOM RTSTRUCT as a mask on the grid of the image in which it was drawn."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import DataError
from ..volumes.io import Volume
from . import dicom_files
from .contours import EXPORT_AGAIN, OTHER_IMAGE, fill
from .dicom_files import BrokenError, integer, opened, quiet, read_headers, text

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

UNION, XOR = "CLOSED_PLANAR", "CLOSEDPLANAR_XOR"
OPEN = ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR")
LEAST_CORNERS = 3


@dataclass(frozen=True)
class _Structure:
    """One structure. frame_uids: of the frames of reference it may be drawn in; contours: as in the file."""

    name: str
    frame_uids: frozenset[str]
    contours: list["Dataset"]

    @property
    def closed(self) -> bool:
        """Whether it may enclose anything: some contour is of no open type."""
        return any(text(contour, "ContourGeometricType") not in OPEN for contour in self.contours)


def is_rtstruct(path: Path) -> bool:
    """Whether a path is to be read as contours: a folder, or a file that is DICOM by its name or its content."""
    return path.is_dir() or path.suffix.lower() == ".dcm" or dicom_files.is_dicom(path)


def read_contours(path: Path, image: Volume, what: str, roi: str | None = None) -> Volume:
    """The mask of one structure, uint8, on the image's grid.

    path: the RTSTRUCT's file, or a folder that holds exactly one. image: as it was read, slices along z. roi: the
    structure's name, * for any text and nothing else special; None where there is one only. A voxel belongs to the
    structure if its centre lies inside; how contours of one slice are combined is told in `contours`.
    Raises DataError for no or several RTSTRUCTs, a damaged one, no or several fitting structures, and contours that
    belong to another frame of reference, lie off the image's slices, or leave open what they mean.
    """
    file = _file(path, what)
    try:
        structure = _choose(_structures(file), file, what, roi)
        _check_frame(structure, image)
        polygons, xor, findings = _polygons(structure)
        mask, more = fill(polygons, xor, image.geometry)
    except BrokenError as error:
        raise DataError(
            f"{what}: {error.problem if error.found else 'contours that cannot be read'}: {file}",
            found=error.found or error.problem,
            expected=error.expected or "a whole RTSTRUCT",
            hint=error.hint or EXPORT_AGAIN,
        ) from None
    return Volume(mask.astype(np.uint8), image.geometry, str(file), (*findings, *more))


def _file(path: Path, what: str) -> Path:
    """The one RTSTRUCT of a path."""
    headers = read_headers(path, what)
    found = [file for file, header in headers.items() if dicom_files.is_rtstruct(header)]
    if len(found) == 1:
        return found[0]
    raise DataError(
        f"{what}: {'several RTSTRUCTs' if found else 'no RTSTRUCT'}: {path}",
        found=", ".join(file.name for file in found) or f"{len(headers)} other DICOM files",
        expected="exactly one RTSTRUCT with contours",
        hint="name the file in the table instead of its folder, or give a mask as an image file",
    )


def _structures(file: Path) -> list[_Structure]:
    """Every structure of a file. Raises BrokenError for one that is cut off or damaged."""
    import pydicom

    quiet()
    try:
        with opened(file, to_the_end=True) as content:
            data = pydicom.dcmread(content)
        return _named(data)
    except BrokenError:
        raise
    except Exception as error:  # pydicom raises many kinds, whose text may quote the header
        raise BrokenError(f"a damaged file: {type(error).__name__}") from None


def _named(data: "Dataset") -> list[_Structure]:
    """The structures of a data set with the contours that refer to them by number."""
    for name in ("StructureSetROISequence", "ROIContourSequence"):
        if not data.get(name):
            raise BrokenError(f"no {name}")
    rois = {_number(item, "ROINumber"): item for item in data.StructureSetROISequence}
    contours = {_number(item, "ReferencedROINumber"): item for item in data.ROIContourSequence}
    for sequence, name in ((data.StructureSetROISequence, "ROINumber"),
                           (data.ROIContourSequence, "ReferencedROINumber")):  # fmt: skip
        number, count = Counter(_number(item, name) for item in sequence).most_common(1)[0]
        if count > 1:
            raise BrokenError(f"ROI number {number} stands twice")
    if unknown := set(contours) - set(rois):
        raise BrokenError(
            f"contours of a structure that StructureSetROISequence does not name (ROI number {min(unknown)})"
        )
    common = _frames(data)
    return [
        _Structure(
            text(item, "ROIName"),
            frozenset({uid} if (uid := text(item, "ReferencedFrameOfReferenceUID")) else common),
            list(contours[number].get("ContourSequence") or []) if number in contours else [],
        )
        for number, item in rois.items()
    ]


def _number(item: "Dataset", name: str) -> int:
    if name not in item:
        raise BrokenError(f"no {name}")
    return integer(item, name, -1)


def _frames(data: "Dataset") -> set[str]:
    """The frames of reference that a file names for all its structures."""
    items = [data, *(data.get("ReferencedFrameOfReferenceSequence") or [])]
    return {uid for item in items if (uid := text(item, "FrameOfReferenceUID"))}


def _choose(structures: list[_Structure], file: Path, what: str, roi: str | None) -> _Structure:
    pattern = ".*" if roi is None else ".*".join(re.escape(part) for part in roi.split("*"))
    closed = [item for item in structures if item.closed]
    fitting = [item for item in closed if re.fullmatch(pattern, item.name, re.DOTALL)]
    if len(fitting) == 1:
        return fitting[0]
    rest = [item.name for item in structures if not item.closed]
    same = len({item.name for item in fitting}) == 1
    raise DataError(
        f"{what}: {'several structures fit' if fitting else 'no structure fits'} in {file}",
        found=(", ".join(item.name for item in closed) or "no structure with closed contours")
        + (f"; without closed contours: {', '.join(rest)}" if rest else ""),
        expected=f"exactly one named {roi}" if roi else "exactly one",
        hint="several have the same name: give one of them another name in the program that drew them"
        if same
        else "name it by data.roi (* stands for any text)",
    )


def _check_frame(structure: _Structure, image: Volume) -> None:
    """The frame of reference is the image's, where both are known."""
    if image.frame_uid and structure.frame_uids and image.frame_uid not in structure.frame_uids:
        raise BrokenError(
            "contours drawn in another frame of reference",
            found="a FrameOfReferenceUID that is not the image's",
            expected="that of the image",
            hint=OTHER_IMAGE,
        )


def _polygons(structure: _Structure) -> tuple[list[np.ndarray], bool, list[str]]:
    """The closed contours, each n x 3 in LPS mm; whether they are combined by exclusive or; and what was found."""
    polygons, kinds = [], set()
    for number, contour in enumerate(structure.contours, start=1):
        try:
            kind, points = _kind(contour), _points(contour)
        except BrokenError as error:
            raise BrokenError(f"contour {number} of {structure.name}: {error}") from None
        if kind not in OPEN and len(points) >= LEAST_CORNERS:
            kinds.add(kind)
            polygons.append(points)
    if len(kinds) > 1:
        raise BrokenError(
            "contours of two kinds in one structure",
            found=f"{UNION} and {XOR} in {structure.name}",
            expected="one kind, since the two are combined differently",
            hint=EXPORT_AGAIN,
        )
    if not polygons:
        raise BrokenError(f"no contour of {structure.name} encloses anything")
    count = len(structure.contours)
    left = count - len(polygons)
    words = f"{left} of {count} contours enclosing nothing (points, lines), left out"
    return polygons, kinds == {XOR}, [words] * bool(left)


def _kind(contour: "Dataset") -> str:
    kind = text(contour, "ContourGeometricType")
    if not kind:
        raise BrokenError("no ContourGeometricType")
    if kind not in (UNION, XOR, *OPEN):
        raise BrokenError("a ContourGeometricType that DICOM does not know")
    return kind


def _points(contour: "Dataset") -> np.ndarray:
    """The points of a contour, n x 3, from the text in the file: pydicom's own objects would take 20 times as much."""
    value = contour.get_item("ContourData").value if "ContourData" in contour else None
    parts = value.strip(b"\0 ").split(b"\\") if isinstance(value, bytes) else list(value or [])
    if not parts or parts == [b""]:
        raise BrokenError("no ContourData")
    try:
        points = np.array([float(part) for part in parts])
    except (TypeError, ValueError):
        raise BrokenError("ContourData that are no numbers") from None
    if len(points) % 3:
        raise BrokenError(f"{len(points)} numbers, no triples")
    if not np.isfinite(points).all():
        raise BrokenError("numbers that are not finite")
    said = integer(contour, "NumberOfContourPoints", len(points) // 3)
    if said != len(points) // 3:
        raise BrokenError(f"{len(points) // 3} points where NumberOfContourPoints is {said}")
    return points.reshape(-1, 3)
