"""Contours of a DICOM RTSTRUCT as a mask on the grid of the image in which they were drawn."""

import fnmatch
from pathlib import Path

import numpy as np

from ..base.errors import DataError
from ..volumes.io import Volume
from .dicom import quiet

OFF_SLICE = 0.25  # of the slice spacing: contours further from a slice were drawn in another image


def is_rtstruct(path: Path) -> bool:
    """Whether a path is to be read as contours: a file ending in .dcm, or a folder."""
    return path.is_dir() or path.suffix.lower() == ".dcm"


def read_contours(path: Path, image: Volume, what: str, roi: str | None = None) -> Volume:
    """The mask of one structure, uint8, on the image's grid.

    path: the RTSTRUCT's file, or a folder that holds one. image: as it was read, slices along z. roi: the structure's
    name, * for any text; None where there is one only. A voxel belongs to the structure if its centre lies inside the
    polygon; where polygons of a slice overlap they cut holes into one another (even-odd rule), as DICOM has it.
    Raises DataError for no readable RTSTRUCT, no or several fitting structures, and contours off the image's slices.
    """
    points = _polygons(path, what, roi)
    geometry = image.geometry
    turn = np.linalg.inv(np.array(geometry.direction).reshape(3, 3))
    spacing = np.array(geometry.spacing_mm[::-1])
    mask = np.zeros(geometry.shape, bool)
    for polygon in points:
        index = (polygon - np.array(geometry.origin_mm)) @ turn.T / spacing
        number = _slice_of(index[:, 2], geometry.shape[0], path, what)
        mask[number] ^= _filled(index[:, 1::-1], geometry.shape[1:])
    return Volume(mask.astype(np.uint8), geometry, str(path))


def _filled(corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie inside a polygon. corners: n x 2, in y, x."""
    from skimage.draw import polygon2mask

    return polygon2mask(shape, corners)


def _slice_of(z: np.ndarray, count: int, path: Path, what: str) -> int:
    number = int(np.rint(z.mean()))
    if np.abs(z - number).max() > OFF_SLICE or not 0 <= number < count:
        raise DataError(
            f"{what}: a contour that does not lie on a slice of the image: {path}",
            found=f"at slice {z.min():.2f} to {z.max():.2f}, counted from 0",
            expected=f"on one of {count} slices",
            hint="give the RTSTRUCT that was drawn in this image, or a mask as an image file",
        )
    return number


def _polygons(path: Path, what: str, roi: str | None) -> list[np.ndarray]:
    """The closed planar contours of the structure, each n x 3 in LPS mm."""
    quiet()
    structures = _structures(path, what)
    fitting = {name: polygons for name, polygons in structures.items() if roi is None or fnmatch.fnmatch(name, roi)}
    if len(fitting) != 1:
        raise DataError(
            f"{what}: {'several structures fit' if fitting else 'no structure fits'} in {path}",
            found=", ".join(structures) or "no structure with closed contours",
            expected=f"exactly one named {roi}" if roi else "exactly one",
            hint="name it by data.roi (* stands for any text)",
        )
    return next(iter(fitting.values()))


def _structures(path: Path, what: str) -> dict[str, list[np.ndarray]]:
    """Name -> polygons of every structure that has any."""
    import pydicom

    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        try:
            data = pydicom.dcmread(file)
            names = {int(item.ROINumber): str(item.ROIName) for item in data.StructureSetROISequence}
            contours = list(data.ROIContourSequence)
        except (pydicom.errors.InvalidDicomError, OSError, EOFError, AttributeError):
            continue
        found: dict[str, list[np.ndarray]] = {}
        for item in contours:
            for contour in item.get("ContourSequence") or []:
                points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
                if contour.ContourGeometricType.startswith("CLOSED_PLANAR") and len(points) > 2:
                    found.setdefault(names[int(item.ReferencedROINumber)], []).append(points)
        return found
    raise DataError(
        f"{what}: no readable RTSTRUCT: {path}",
        found=f"{len(files)} files" if path.is_dir() else "another kind of file, or a damaged one",
        expected="a DICOM RTSTRUCT with contours",
        hint="check the path in the table, or give a mask as an image file",
    )
