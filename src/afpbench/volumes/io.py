"""Volumes on disk and in memory. Arrays are z, y, x; this is the one module that turns them to and from
SimpleITK's x, y, z. SimpleITK is imported inside the functions, so that training needs none of it."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

from ..base.atomic import atomic_path
from ..base.errors import DataError
from ..base.formats import is_nifti
from .flaw import Flaw

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
WITHIN_VOXEL = 0.25  # of a voxel: what may add up over a grid before it is another one


@dataclass(frozen=True)
class Geometry:
    """Where a grid lies in the patient.

    shape, spacing_mm: in z, y, x. origin_mm: the centre of voxel (0, 0, 0), in LPS x, y, z.
    direction: 3x3, columns are the directions of the x, y and z index axes in LPS.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = IDENTITY

    @classmethod
    def of(
        cls,
        shape: Iterable[int],
        spacing_mm: Iterable[float],
        origin_mm: Iterable[float] = (0.0, 0.0, 0.0),
        direction: tuple[float, ...] = IDENTITY,
    ) -> "Geometry":
        """The geometry of any three numbers each, as plain integers and floats."""
        (nz, ny, nx), (dz, dy, dx), (ox, oy, oz) = map(int, shape), map(float, spacing_mm), map(float, origin_mm)
        return cls((nz, ny, nx), (dz, dy, dx), (ox, oy, oz), direction)

    def matches(self, other: "Geometry", tolerance_mm: float = 1e-3) -> bool:
        """Whether two grids are the same: origin and spacing to within `tolerance_mm`, directions to 1e-4, and, since
        what is small for one voxel adds up, every corner to within a fraction of the smallest voxel."""
        return (
            self.shape == other.shape
            and np.allclose(self.spacing_mm, other.spacing_mm, atol=tolerance_mm)
            and np.allclose(self.origin_mm, other.origin_mm, atol=tolerance_mm)
            and np.allclose(self.direction, other.direction, atol=1e-4)
            and float(np.abs(self.corners_mm() - other.corners_mm()).max()) <= WITHIN_VOXEL * min(self.spacing_mm)
        )

    def corners_mm(self) -> np.ndarray:
        """The centres of the eight corner voxels, 8 x 3, in LPS x, y, z."""
        last = np.array(self.shape[::-1]) - 1
        index = np.array(list(product((0, 1), repeat=3))) * last
        return index * np.array(self.spacing_mm[::-1]) @ np.array(self.direction).reshape(3, 3).T + self.origin_mm


@dataclass(frozen=True)
class Volume:
    """An image with its geometry. array: z, y, x (a vector image has a last axis of components).

    findings: what its reader changed, or what looks wrong with its file, in words. frame_uid: of the frame of reference
    that DICOM positions are given in, '' where it is not known; never to be shown.
    """

    array: np.ndarray
    geometry: Geometry
    source: str = field(default="", compare=False)
    findings: tuple[str, ...] = field(default=(), compare=False)
    frame_uid: str = field(default="", compare=False, repr=False)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        return self.geometry.spacing_mm

    def with_array(self, array: np.ndarray) -> "Volume":
        """The same grid with other values."""
        return replace(self, array=array)


def to_sitk(volume: Volume):
    """A SimpleITK image of the volume."""
    import SimpleITK as sitk

    array = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = sitk.GetImageFromArray(array, isVector=array.ndim == 4)
    geometry = volume.geometry
    image.SetSpacing(tuple(float(s) for s in reversed(geometry.spacing_mm)))
    image.SetOrigin(tuple(float(o) for o in geometry.origin_mm))
    image.SetDirection(tuple(float(d) for d in geometry.direction))
    return image


def from_sitk(image, source: str = "") -> Volume:
    """The volume of a SimpleITK image."""
    import SimpleITK as sitk

    return Volume(sitk.GetArrayFromImage(image), geometry_of(image), source)


def geometry_of(image) -> Geometry:
    """The geometry of a SimpleITK image."""
    return Geometry(
        shape=tuple(reversed(image.GetSize())),
        spacing_mm=tuple(reversed(image.GetSpacing())),
        origin_mm=tuple(image.GetOrigin()),
        direction=tuple(image.GetDirection()),
    )


def read(path: str | Path, what: str = "volume") -> Volume:
    """Read a 3D image file, whatever its voxels are (see images, masks and labels for what they must be).

    what: how errors call it, with the case ("case p01: MR").
    Raises DataError for a missing, unreadable, truncated, contradictory, sheared, non-3D or empty file, and for NaN or
    infinity in NIfTI (ITK would fill up a truncated NIfTI file with zeros, and turn NaN into 0).
    """
    from .files import read_image

    try:
        return from_sitk(read_image(Path(path)), str(path))
    except Flaw as flaw:
        raise flaw.error(what, path) from flaw


def write(volume: Volume, path: str | Path, like: Path | None = None) -> None:
    """Write a volume atomically; the format follows the extension.

    like: a NIfTI file on the same grid, whose geometry a NIfTI file takes over to the last bit.
    Raises DataError where it cannot be written whole. ITK says nothing of a NIfTI file that a full disk cut off, so
    such a file is read through before it gets its name.
    """
    import SimpleITK as sitk

    from .nifti import copy_grid, read_through

    path = Path(path)
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(to_sitk(volume), str(temporary), useCompression=True)
            if like is not None and is_nifti(path):
                copy_grid(like, temporary)
            problem = read_through(temporary) if is_nifti(path) else None
        except RuntimeError as error:
            problem = str(error).strip().splitlines()[-1]
        if problem:
            raise DataError(
                f"cannot write {path}",
                found=f"{problem}; {shutil.disk_usage(path.parent).free / 1e6:.1f} MB free on the disk",
                expected="a whole image file",
                hint="make room on the disk and run again: what is finished is kept",
            )


def save_hu(array: np.ndarray) -> np.ndarray:
    """HU as stored: rounded, clipped to int16's CT range [-1024, 3071]."""
    return np.clip(np.rint(array), -1024, 3071).astype(np.int16)
