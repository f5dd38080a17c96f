"""How a body lies in the scanner and how large it is: the straight part of the way from model to voxel."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

AIR_MM = 14.0  # kept between the body and the sides of the field of view; the warp takes some of it
ANGLE_SD_DEGREES = (3.0, 3.0, 6.0)  # about x, y, z: what is left after a patient has been positioned
# Relative SD of a body's size, and of each axis beside it (x, y, z). Stature of men and women together varies by 5 %,
# breadths of chest and hips by 7 %, depths by 10 % (ANSUR II, Gordon et al. 2014).
SIZE_SD, AXIS_SD = 0.06, (0.05, 0.08, 0.04)
MEAN_SIZE = 0.92  # a small patient, for a field of view that is small
OFF_CENTRE_MM = 5.0  # largest shift of the body on the table, along x and y


@dataclass(frozen=True)
class Pose:
    """Model = matrix @ (real - shift), in x, y, z (mm); angles and scale are what the matrix was made of.

    angles_degrees: about x, y, z; scale: real over model, along the model's x, y, z.
    """

    angles_degrees: np.ndarray
    scale: np.ndarray
    shift_mm: np.ndarray

    @cached_property
    def to_real(self) -> np.ndarray:
        """The matrix of model vectors to real ones."""
        from scipy.spatial.transform import Rotation

        return Rotation.from_euler("xyz", self.angles_degrees, degrees=True).as_matrix() * self.scale

    @cached_property
    def to_model(self) -> np.ndarray:
        """The matrix of real vectors to model ones."""
        return np.linalg.inv(self.to_real)

    @property
    def mean_scale(self) -> float:
        """Real over model of a length, in the mean over directions."""
        return float(np.prod(self.scale) ** (1 / 3))

    def record(self) -> dict:
        """The pose in figures, for the case's record."""
        figures = {"angles_degrees": self.angles_degrees, "scale": self.scale, "shift_mm": self.shift_mm}
        return {name: np.round(value, 3).tolist() for name, value in figures.items()}


UPRIGHT = Pose(np.zeros(3), np.ones(3), np.zeros(3))


def draw_pose(
    rng: np.random.Generator, half_body_mm: np.ndarray, half_view_mm: np.ndarray, range_shift_mm: float
) -> Pose:
    """A case's pose: normal and cut off at twice the SD, the shift uniform.

    half_body_mm: half of the body's width and depth (x, y); half_view_mm: half of the field of view (x, y, z);
    range_shift_mm: largest shift along z. A body that would leave the field of view on its sides is
    drawn smaller along that axis.
    """
    angles = np.array(ANGLE_SD_DEGREES) * _cut_normal(rng, 3)
    scale = MEAN_SIZE * (1 + SIZE_SD * _cut_normal(rng, 1)) * (1 + np.array(AXIS_SD) * _cut_normal(rng, 3))
    shift = rng.uniform(-1, 1, 3) * (OFF_CENTRE_MM, OFF_CENTRE_MM, range_shift_mm)
    about_x, about_y, about_z = np.abs(np.sin(np.deg2rad(angles)))
    leaning = half_view_mm[2] * np.array([about_y, about_x])
    turned = half_body_mm + 0.6 * about_z * half_body_mm[::-1]
    room = half_view_mm[:2] - AIR_MM - np.abs(shift[:2]) - leaning
    scale[:2] = np.minimum(scale[:2], room / turned)
    return Pose(angles, scale, shift)


def _cut_normal(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.clip(rng.standard_normal(count), -2, 2)
