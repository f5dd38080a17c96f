"""A volume on another grid through a field of displacements."""

import numpy as np

from ..volumes import io
from ..volumes.io import Geometry, Volume


def warp(volume: Volume, grid: Geometry, field: np.ndarray, kind: str, outside: float) -> np.ndarray:
    """A volume in MR space: its value at p + field(p) for every voxel centre p of the grid.

    field: (z, y, x, 3), LPS mm. kind: `cubic` or `nearest` for images; `labels` for label maps: around the point the
    label with the largest sum of weights, which leaves smoother borders than the nearest. The weights are linear, over
    eight voxels; those of a map finer than the grid are Gaussian and reach further, as an image's voxel averages what
    lies in it.
    """
    import SimpleITK as sitk

    vectors = io.to_sitk(Volume(field.astype(np.float64), grid))
    transform = sitk.DisplacementFieldTransform(vectors)
    reference = io.to_sitk(Volume(np.zeros(grid.shape, np.uint8), grid))
    finer = any(own < 0.75 * step for own, step in zip(volume.spacing_mm, grid.spacing_mm, strict=True))
    vote = sitk.sitkLabelGaussian if finer else sitk.sitkLabelLinear
    kinds = {"cubic": sitk.sitkBSpline3, "nearest": sitk.sitkNearestNeighbor, "labels": vote}
    image = io.to_sitk(volume)
    return sitk.GetArrayFromImage(sitk.Resample(image, reference, transform, kinds[kind], float(outside)))
