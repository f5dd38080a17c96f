"""The patient as the MR shows him: where a synthetic CT has tissue, and around what it is centred."""

import numpy as np

from ..base.errors import DataError
from ..volumes.io import Volume
from ..volumes.morphology import dilated
from ..volumes.preprocessing import AIR_HU, MR_MARGIN_MM, body_mask_mr


def mr_body(mr: Volume, case: str) -> np.ndarray:
    """The body in an MR, boolean, z, y, x. Raises DataError where there is none."""
    body = body_mask_mr(mr)
    if not body.any():
        raise DataError(
            f"case {case}: the MR shows no body",
            found=f"no voxel over the threshold of air (values {mr.array.min():g} to {mr.array.max():g})",
            expected="a patient in the MR",
            hint="look at the case's resampled MR",
        )
    return body


def near_body(mr: Volume, case: str) -> np.ndarray:
    """Within 3 mm of the body in the MR, boolean, z, y, x: beyond it a synthetic CT is air (`air_beyond`).

    A network is taught nothing there: losses and patches look at the body. The MR's body, since a synthetic CT may not
    know the outline of the real one; the margin, since skin is dark in MR. Raises as `mr_body`.
    """
    return dilated(mr_body(mr, case), mr.spacing_mm, MR_MARGIN_MM)


def air_beyond(near: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """HU with air, -1024, where `near` is false."""
    return np.where(near, hu, AIR_HU)
