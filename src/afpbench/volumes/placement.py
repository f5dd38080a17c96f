"""Whether a grid can stand for where a file's voxels lie: at right angles, and where every part of its header says."""

from typing import TYPE_CHECKING

import numpy as np

from .flaw import Flaw

if TYPE_CHECKING:
    import SimpleITK as sitk

PLACEMENT_SHARE = 0.1  # of the smallest voxel edge: how far the header's and the grid's corners may lie apart
RIGHT_ANGLES = "the axes of the grid at right angles"
SHEARED = (
    "what is left of a gantry tilt, or of an affine registration: resample the image onto a regular grid, or convert "
    "it again from DICOM with the tilt corrected"
)
TO_LPS = np.diag([-1.0, -1.0, 1.0])


def check_rectangular(image: "sitk.Image") -> None:
    """Refuse a grid (of any format) whose axes are not at right angles. Raises Flaw."""
    _check_shear(_affine(image), image.GetSize(), "the grid that its directions span")


def check_header(affines: dict[str, np.ndarray], sizes: tuple[int, ...]) -> None:
    """Refuse a NIfTI header with a sheared transform, which ITK leaves out or cannot read. Raises Flaw.

    affines: name of each transform that is set -> 3x4, index x, y, z, 1 to RAS mm. sizes: of the axes.
    """
    for name, affine in affines.items():
        _check_shear(affine, (*sizes, 1, 1, 1)[:3], f"its {name}")


def check_affines(affines: dict[str, np.ndarray], image: "sitk.Image") -> None:
    """Refuse an image whose grid is not where its NIfTI header says; `none` says only the voxel sizes. Raises Flaw."""
    grid = _corners(_affine(image), image.GetSize())
    for name, ras in affines.items():
        corners = _corners(TO_LPS @ ras, image.GetSize())
        apart = float(np.linalg.norm(corners - grid, axis=1).max())
        if name != "none" and apart > PLACEMENT_SHARE * min(image.GetSpacing()):
            other = "the voxel sizes (pixdim) place it" if len(affines) == 1 else "the rest of the header places it"
            raise Flaw(
                f"the {name} places a corner of the volume {apart:.3g} mm from where {other}",
                "one place in qform, sform and pixdim",
                "decide which one is right and write it to both (with nibabel: set_qform and set_sform)",
                title="its header contradicts itself",
            )


def _check_shear(affine: np.ndarray, size: tuple[int, ...], which: str) -> None:
    """How far the last voxel centre along each axis leans along the others."""
    lengths = np.linalg.norm(affine[:, :3], axis=0)
    if not (np.isfinite(affine).all() and lengths.all()):
        raise Flaw(
            f"{which} leaves out an axis of the volume, or holds what is no number", RIGHT_ANGLES, "correct the header"
        )
    units = affine[:, :3] / lengths
    leans = np.abs(units.T @ units - np.eye(3)) * lengths * (np.array(size[:3]) - 1)
    if leans.max() > PLACEMENT_SHARE * lengths.min():
        raise Flaw(
            f"{which} is sheared: the far end of the volume leans by {leans.max():.3g} mm",
            RIGHT_ANGLES,
            SHEARED,
            title="not on a regular grid",
        )


def _affine(image: "sitk.Image") -> np.ndarray:
    """Index x, y, z, 1 to LPS mm, 3x4."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return np.column_stack([direction * np.array(image.GetSpacing()), image.GetOrigin()])


def _corners(affine: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The centres of the eight corner voxels, (8, 3) mm."""
    index = np.array(np.meshgrid(*[(0, count - 1) for count in size[:3]], indexing="ij")).reshape(3, -1)
    return (affine @ np.vstack([index, np.ones(8)])).T
