"""The slow shading of an MR by its coils, found and divided out (N4: Tustison et al., IEEE TMI 2010; 29: 1310)."""

import numpy as np

from ..base.log import logger
from . import io
from .io import Volume

SHRINK = 4
ITERATIONS = (50, 50, 30)


def n4_corrected(mr: Volume, body: np.ndarray, what: str) -> Volume:
    """The MR (float32) without its bias field.

    body: where the patient is, a boolean array of the MR's shape. what: for the log, with the case. The field is found
    inside the body at a quarter of the resolution (axes of less than 32 voxels stay whole), from values shifted so that
    the smallest is 1, and divided out everywhere; the mean inside the body is kept.
    """
    import SimpleITK as sitk

    if not body.any():
        return mr.with_array(mr.array.astype(np.float32))
    lowest = float(mr.array.min())
    image = io.to_sitk(mr.with_array(mr.array.astype(np.float32) - lowest + 1.0))
    shrink = [SHRINK if size >= 8 * SHRINK else 1 for size in image.GetSize()]
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(ITERATIONS)
    mask = io.to_sitk(mr.with_array(body.astype(np.uint8)))
    corrector.Execute(sitk.Shrink(image, shrink), sitk.Shrink(mask, shrink))
    field = np.exp(sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image)))
    corrected = (mr.array.astype(np.float32) - lowest) / field
    corrected *= (mr.array[body] - lowest).mean() / max(float(corrected[body].mean()), 1e-6)
    logger.info("%s: bias field %.2f to %.2f inside the body", what, field[body].min(), field[body].max())
    return mr.with_array((corrected + lowest).astype(np.float32))
