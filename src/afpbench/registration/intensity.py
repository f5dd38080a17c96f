"""The intensities that the metric and the pictures see, in place of HU and of the MR's arbitrary units."""

import numpy as np

from ..volumes.io import Volume

# HU -> gray: most of the histogram's bins go to soft tissue, air and lung stay apart, bone is held.
GRAY_CURVE = ((-1024, -300, 200, 1500), (0.0, 0.25, 0.75, 1.0))
MR_TOP_PERCENTILE = 99.5


def gray(hu: np.ndarray) -> np.ndarray:
    """HU on a rising curve to 0..1 that gives half of the range to -300..200 HU; float32."""
    return np.interp(hu, *GRAY_CURVE).astype(np.float32)


def clipped_mr(mr: Volume) -> Volume:
    """The MR without its few brightest voxels, which would take most of a histogram; float32."""
    limits = np.percentile(mr.array, (0, MR_TOP_PERCENTILE))
    return mr.with_array(np.clip(mr.array, *limits).astype(np.float32))
