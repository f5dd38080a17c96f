"""Where the edges of an image are: what the edge-driven metric compares, and what the overlap of edges is taken of."""

import numpy as np

from ..volumes.io import Volume

NOISE_QUANTILE = 0.5


def edge_strength(volume: Volume, smooth_mm: float, region: np.ndarray | None = None) -> Volume:
    """The normalised gradient magnitude g / sqrt(g^2 + e^2), 0 to 1, float32.

    g: magnitude of the gradient per mm of the image smoothed by a Gaussian of `smooth_mm` (SD). e: the median of g in
    `region` (all voxels where None), so that a faint border counts about as much as a strong one, whatever the
    contrast of the modality (Haber and Modersitzki, Intensity gradient based registration and fusion of multi-modal
    images, 2007).
    """
    magnitude = gradient_magnitude(volume, smooth_mm)
    inside = magnitude if region is None or not region.any() else magnitude[region]
    noise = max(float(np.quantile(inside, NOISE_QUANTILE)), 1e-12)
    return volume.with_array((magnitude / np.sqrt(magnitude**2 + noise**2)).astype(np.float32))


def gradient_magnitude(volume: Volume, smooth_mm: float) -> np.ndarray:
    """The length of the gradient, per mm, of the volume smoothed by a Gaussian of `smooth_mm` (SD); float32."""
    from scipy.ndimage import gaussian_filter

    sigma = smooth_mm / np.array(volume.spacing_mm)
    smooth = gaussian_filter(volume.array.astype(np.float32), sigma, mode="nearest")
    return np.sqrt(sum(part**2 for part in np.gradient(smooth, *volume.spacing_mm)))
