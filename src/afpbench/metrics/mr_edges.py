"""Whether a synthetic CT has its borders where the MR has them."""

import math
from collections.abc import Sequence

import numpy as np

from ..registration.quality import edge_overlap
from ..volumes.io import Geometry, Volume


def mr_edge_dice(mr: np.ndarray, synthetic_hu: np.ndarray, mask: np.ndarray, spacing_mm: Sequence[float]) -> float:
    """Dice of the edges of MR and synthetic CT, as registration.quality takes them of MR and registered CT.

    mr: (z, y, x), any scale. synthetic_hu: HU. mask: bool, where edges count, but for two voxels at its border.
    spacing_mm: z, y, x. NaN where the mask is thinner than that. By chance a tenth.
    """
    z, y, x = (float(size) for size in spacing_mm)
    grid = Geometry.of(mr.shape, (z, y, x), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    overlap = edge_overlap(Volume(mr, grid), Volume(synthetic_hu, grid), mask)
    return math.nan if overlap is None else overlap
