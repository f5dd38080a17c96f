"""SSIM and multi-scale SSIM of two volumes, by scikit-image's three-dimensional SSIM map.

Sources: Z. Wang et al., Image quality assessment: from error visibility to structural similarity, IEEE Trans. Image
Process. 13 (2004); Z. Wang, E. Simoncelli and A. Bovik, Multiscale structural similarity for image quality assessment,
Asilomar 2003, in the form that SynthRAD2025's public evaluation gives it.
"""

import numpy as np

WINDOW = 7
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST = 97  # what five scales need: 97, 49, 25, 13 and 7 voxels
_SLAB_VOXELS = 4_000_000


def ssim(real: np.ndarray, synthetic: np.ndarray, inside: np.ndarray | None, data_range: float) -> float:
    """The mean of the SSIM map over the mask `inside` (None: everywhere), without the outer 3 voxels of the volume.

    real, synthetic: (z, y, x) float64. NaN where no voxel of the mask is left.
    """
    return _mean_map(real, synthetic, inside, data_range, lambda values: values)


def ms_ssim(real: np.ndarray, synthetic: np.ndarray, inside: np.ndarray | None, data_range: float) -> float:
    """SynthRAD2025's MS-SSIM: the product over five scales of the mean of the scale's SSIM map to the scale's weight.

    The map is raised to the weight voxel by voxel, negative values taken as 0; this equals that evaluation's product of
    luminance, contrast and structure, each to the weight of the scale (in Wang's own definition luminance counts at the
    last scale only). Volumes are padded with their border's values to 97 voxels per axis. The next scale is the mean of
    2 x 2 x 2 voxels, of which the first along each axis lies before the volume and is 0; of a mask it is every second
    voxel. NaN where a scale has no voxel of the mask.
    """
    missing = [max(0, SMALLEST - size) for size in real.shape]
    pads = [(gap // 2, gap - gap // 2) for gap in missing]
    real, synthetic = (np.pad(image, pads, mode="edge") for image in (real, synthetic))
    inside = None if inside is None else np.pad(inside, pads, mode="edge")
    product = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            real, synthetic = _halve(real), _halve(synthetic)
            inside = None if inside is None else inside[::2, ::2, ::2]
        mean = _mean_map(real, synthetic, inside, data_range, lambda values, w=weight: np.maximum(values, 0) ** w)
        product *= float(np.minimum(mean, 1.0))
    return product


def _halve(image: np.ndarray) -> np.ndarray:
    """Every second voxel of the mean of each voxel and the one before it, along each axis; before the first is 0."""
    for axis in range(image.ndim):
        image = np.moveaxis(image, axis, 0)
        half = image[::2] / 2
        half[1:] += image[1::2][: len(half) - 1] / 2
        image = np.moveaxis(half, 0, axis)
    return image


def _mean_map(real, synthetic, inside, data_range: float, of_map) -> float:
    """The mean of `of_map` of the SSIM map. The work is done in the mask's bounding box, widened by the window."""
    if inside is None:
        return _mean_in_slabs(real, synthetic, None, data_range, of_map)
    radius = WINDOW // 2
    inner = (slice(radius, -radius),) * 3
    interior = np.zeros_like(inside)
    interior[inner] = inside[inner]
    if not interior.any():
        return float("nan")
    box = []
    for axis in range(3):
        used = np.flatnonzero(interior.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(used[0] - radius, used[-1] + radius + 1))
    box = tuple(box)
    return _mean_in_slabs(real[box], synthetic[box], interior[box], data_range, of_map)


def _mean_in_slabs(real, synthetic, selected, data_range: float, of_map) -> float:
    """The mean over `selected` (None: all) of the map, the outer 3 voxels of the array left out.

    The map is made in slabs along z that overlap by the window, so that memory stays bounded; the values are those
    of the whole map.
    """
    from skimage.metrics import structural_similarity

    radius = WINDOW // 2
    inner = slice(radius, -radius)
    depth = max(1, _SLAB_VOXELS // (real.shape[1] * real.shape[2]))
    total, count = 0.0, 0
    for start in range(radius, real.shape[0] - radius, depth):
        stop = min(start + depth, real.shape[0] - radius)
        slab = slice(start - radius, stop + radius)
        _, ssim_map = structural_similarity(
            real[slab], synthetic[slab], win_size=WINDOW, data_range=data_range, full=True
        )
        values = ssim_map[inner, inner, inner]
        if selected is not None:
            values = values[selected[start:stop, inner, inner]]
        total += float(of_map(values).sum(dtype=np.float64))
        count += values.size
    return total / count
