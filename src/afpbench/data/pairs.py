"""How MR and CT of a case fit together where they lie, before any registration: on a coarse common grid."""

from dataclasses import dataclass

import numpy as np

from ..registration.quality import mutual_information
from ..volumes import io
from ..volumes.io import Geometry, Volume
from ..volumes.preprocessing import body_mask_ct, body_mask_mr

COARSE_MM = 5.0
NOWHERE = -1.0e30
PATIENT_AXES = ("left and right", "front and back", "head and feet")  # of x, y, z in LPS


@dataclass(frozen=True)
class Agreement:
    """body_share: of the MR's volume that is body in the CT. body_dice: of the bodies where both have data.

    mutual_information: in nats, and with one of the two flipped along the axis that helps most (`flip`).
    """

    body_share: float
    body_dice: float
    mutual_information: float
    flip: str
    flipped_information: float


def agreement(mr: Volume, ct: Volume, coarse_mm: float = COARSE_MM) -> Agreement:
    """Compare an MR and a CT (HU), both on canonical axes, on a grid of `coarse_mm` over the MR's field of view."""
    grid = _coarse(mr.geometry, coarse_mm)
    mr_array, _ = linear(mr, grid, 0.0)
    ct_array, covered = linear(ct, grid, -1024.0)
    ct_body = body_mask_ct(Volume(ct_array, grid)) & covered
    mr_body = body_mask_mr(Volume(mr_array, grid)) & covered
    both = int(ct_body.sum() + mr_body.sum())
    region = (ct_body | mr_body) & covered
    information = {
        name: mutual_information(mr_array[region], np.flip(ct_array, axis)[region]) or 0.0 for name, axis in _flips()
    }
    flip = max(information, key=information.__getitem__)
    return Agreement(
        body_share=float(ct_body.mean()),
        body_dice=2 * float((ct_body & mr_body).sum()) / both if both else 0.0,
        mutual_information=mutual_information(mr_array[region], ct_array[region]) or 0.0,
        flip=flip,
        flipped_information=information[flip],
    )


def _coarse(geometry: Geometry, coarse_mm: float) -> Geometry:
    extent = np.array(geometry.shape) * np.array(geometry.spacing_mm)
    shape = np.maximum(np.ceil(extent / coarse_mm), 4)
    return Geometry.of(shape, (coarse_mm,) * 3, geometry.origin_mm, geometry.direction)


def _flips() -> list[tuple[str, int]]:
    """Names of the patient's axes with the array axis (z, y, x) that runs along each, on canonical axes."""
    return [(name, 2 - axis) for axis, name in enumerate(PATIENT_AXES)]


def linear(volume: Volume, grid: Geometry, outside: float) -> tuple[np.ndarray, np.ndarray]:
    """A volume on another grid (float32), linearly interpolated, and where it has data; `outside` elsewhere."""
    import SimpleITK as sitk

    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(io.to_sitk(Volume(np.zeros(grid.shape, np.uint8), grid)))
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetDefaultPixelValue(outside)
    image = io.to_sitk(volume.with_array(volume.array.astype(np.float32)))
    values = sitk.GetArrayFromImage(resampler.Execute(image))
    resampler.SetDefaultPixelValue(NOWHERE)
    return values, sitk.GetArrayFromImage(resampler.Execute(image)) != np.float32(NOWHERE)
