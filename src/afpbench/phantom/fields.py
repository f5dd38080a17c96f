"""Smooth random vector fields in closed form: sums of separable cosine waves."""

from dataclasses import dataclass

import numpy as np

ROUNDING_DIGITS = 4  # of mm


@dataclass(frozen=True)
class SmoothField:
    """A vector field in x, y, z (mm) of positions in x, y, z (mm).

    frequency, phase: (waves, 3) in radians per mm and radians, per axis x, y, z.
    amplitude_mm: (waves, 3), per vector component x, y, z.
    """

    frequency: np.ndarray
    phase: np.ndarray
    amplitude_mm: np.ndarray

    def on_axes(self, z_mm: np.ndarray, y_mm: np.ndarray, x_mm: np.ndarray) -> np.ndarray:
        """The field on a grid given by its three axes: float32 (z, y, x, 3), rounded to 1e-4 mm.

        Summed in float64 and rounded, since the order of a sum and the last digit of a cosine are the processor's.
        """
        waves = [
            np.cos(np.outer(self.frequency[:, axis], values) + self.phase[:, axis, None])
            for axis, values in enumerate((x_mm, y_mm, z_mm))
        ]
        planes = np.einsum("kz,ky->zyk", waves[2], waves[1]).reshape(-1, len(self.frequency))
        result = np.empty((len(z_mm), len(y_mm), len(x_mm), 3), np.float32)
        for component in range(3):
            lines = self.amplitude_mm[:, component, None] * waves[0]
            result[..., component] = np.round(planes @ lines, ROUNDING_DIGITS).reshape(result.shape[:3])
        return result

    def at(self, points_mm: np.ndarray) -> np.ndarray:
        """The field at points (n, 3) in x, y, z: (n, 3)."""
        waves = np.cos(points_mm[:, None, :] * self.frequency + self.phase).prod(axis=2)
        return waves @ self.amplitude_mm


def random_field(
    rng: np.random.Generator, amplitude_mm: float, wavelength_mm: tuple[float, float], waves: int = 10
) -> SmoothField:
    """A field whose components have a root mean square of about a third of `amplitude_mm` and seldom exceed it.

    wavelength_mm: the range the wave lengths along each axis are drawn from.
    """
    frequency = 2 * np.pi / rng.uniform(*wavelength_mm, size=(waves, 3))
    phase = rng.uniform(0, 2 * np.pi, size=(waves, 3))
    amplitude = rng.standard_normal((waves, 3))
    amplitude *= amplitude_mm / np.sqrt((amplitude**2).sum(axis=0))
    return SmoothField(frequency, phase, amplitude)
