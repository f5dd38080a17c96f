"""From painted anatomy to images: the CT in HU and the MR in its own position, field of view and contrast."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from ..volumes.io import Geometry, Volume, save_hu
from .canvas import Canvas
from .deformation import Deformation
from .fields import random_field
from .sampling import block_mean, block_vote
from .tissues import TISSUE, Look

MR_FACTOR = 3  # samples per MR voxel and axis


def draw_texture(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """Correlated noise of mean 0 and SD 1 (float32): fine grain with slow variation under it."""
    grain = gaussian_filter(rng.standard_normal(shape, np.float32), 0.8)
    slow = gaussian_filter(rng.standard_normal([size // 4 + 2 for size in shape], np.float32), 1.2)
    slow = slow.repeat(4, 0).repeat(4, 1).repeat(4, 2)[: shape[0], : shape[1], : shape[2]]
    mixed = grain / grain.std() + 0.8 * gaussian_filter(slow, 2) / slow.std()
    return mixed / mixed.std()


def lung_gradient(canvas: Canvas) -> np.ndarray:
    """How much denser than average lung is (in units of 1) at the canvas's y: more so at the back, by gravity."""
    return (canvas.y / 70).clip(-1, 1).astype(np.float32)


def render_ct(canvas: Canvas, texture: np.ndarray, look: Look, rng: np.random.Generator, kernel: dict) -> np.ndarray:
    """HU (int16) on a grid half as fine as the canvas: tissue values with texture, their partial volume, noise, a
    sharp kernel.

    texture: (z, y, x) on the coarse grid. kernel: noise_hu (SD before sharpening), sharpening, dependent_hu.
    """
    tissue = canvas.tissue
    hu = look.hu[tissue]
    grain = texture.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    hu += look.texture_hu[tissue] * grain
    lung = (tissue == TISSUE["lung"]).astype(np.float32)
    lung *= np.float32(kernel["dependent_hu"]) * lung_gradient(canvas)[:, None]
    hu += lung
    hu = block_mean(hu, 2)
    hu += np.float32(kernel["noise_hu"]) * rng.standard_normal(hu.shape, np.float32)
    hu += np.float32(kernel["sharpening"]) * (hu - gaussian_filter(hu, 0.9))
    return save_hu(hu)


def mr_grid(rng: np.random.Generator, ct: Geometry) -> Geometry:
    """The MR's grid: voxels 5/3 the size of the CT's, another field of view with another centre."""
    spacing = np.array(ct.spacing_mm) * 5 / 3
    extent = np.array(ct.shape) * np.array(ct.spacing_mm)
    wanted = extent + np.array([rng.uniform(-22, 10), rng.uniform(-6, 22), rng.uniform(-10, 22)])
    shape = np.maximum(np.rint(wanted / spacing), 4).astype(int)
    centre = np.array(ct.origin_mm)[::-1] + (extent - np.array(ct.spacing_mm)) / 2
    centre = centre + rng.uniform(-5, 5, 3)
    origin = centre - (shape - 1) * spacing / 2
    return Geometry.of(shape, spacing, [round(float(o), 3) for o in origin[::-1]])


def grid_axes(geometry: Geometry, factor: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (mm) along z, y, x of a grid's voxels, or of `factor` samples in each of them."""
    axes = []
    for axis in range(3):
        step, origin = geometry.spacing_mm[axis], geometry.origin_mm[2 - axis]
        axes.append(origin + step * ((np.arange(geometry.shape[axis] * factor) + 0.5) / factor - 0.5))
    z, y, x = axes
    return z, y, x


def sample_indices(canvas: Canvas, deformation: Deformation, geometry: Geometry) -> tuple[np.ndarray, ...]:
    """For every sample of the MR's voxels, the canvas voxel whose tissue lies there in the MR's position."""
    axes = grid_axes(geometry, MR_FACTOR)
    moved = deformation.on_axes(*axes)
    indices = []
    for axis in range(3):
        shape = [1, 1, 1]
        shape[axis] = -1
        position = moved[..., 2 - axis]
        position += axes[axis].reshape(shape).astype(np.float32)
        position -= np.float32(canvas.origin_mm[2 - axis])
        position /= np.float32(canvas.spacing_mm[axis])
        indices.append(np.clip(np.rint(position), 0, canvas.shape[axis] - 1).astype(np.int16))
    return tuple(indices)


def render_mr(
    canvas: Canvas, texture: np.ndarray, look: Look, rng: np.random.Generator, indices: tuple, geometry: Geometry
) -> tuple[np.ndarray, dict]:
    """MR magnitudes (float32, arbitrary units) on the MR's grid, and the record of how they came about.

    texture: as for `render_ct`, but another: what varies within a tissue's signal is not what varies in its density.
    Signal per tissue, times texture, averaged over the voxel, blurred a little, times the bias field, with Rician
    noise. Denser lung gives more signal, as it does in ultrashort-echo MR.
    """
    tissue = canvas.tissue[indices]
    signal = look.signal[tissue]
    coarse = tuple(np.minimum(index >> 1, size - 1) for index, size in zip(indices, texture.shape, strict=True))
    signal *= 1 + np.float32(0.07) * texture[coarse]
    gradient = lung_gradient(canvas)[indices[1]]
    signal += (tissue == TISSUE["lung"]) * (np.float32(0.03) * gradient)
    signal = gaussian_filter(block_mean(signal.astype(np.float32), MR_FACTOR), 0.35)
    strength, noise, gain = rng.uniform(0.15, 0.30), rng.uniform(0.022, 0.038), rng.uniform(250, 900)
    bias = random_field(rng, 1.0, (350, 800), waves=6).on_axes(*grid_axes(geometry))[..., 0]
    signal *= np.exp(np.float32(strength) * bias)
    real = signal + np.float32(noise) * rng.standard_normal(signal.shape, np.float32)
    imaginary = np.float32(noise) * rng.standard_normal(signal.shape, np.float32)
    magnitude = np.float32(gain) * np.hypot(real, imaginary)
    record = {"bias_strength": round(strength, 4), "noise": round(noise, 4), "gain": round(gain, 2)}
    return magnitude.astype(np.float32), record


def mr_labels(canvas: Canvas, indices: tuple, geometry: Geometry) -> Volume:
    """The true labels in the MR's position on the MR's grid."""
    return Volume(block_vote(canvas.labels[indices], MR_FACTOR), geometry)
