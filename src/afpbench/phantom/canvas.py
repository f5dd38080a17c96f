"""The grid that anatomy is painted on, and the shapes that are painted.

Anatomy is described in model coordinates (mm, LPS: x to the left, y to the back, z to the head). A case's pose turns,
scales and shifts them, and its smooth warp bends them: the voxel at p shows the model at pose(p) + warp(p). Every shape
is evaluated in its own bounding box."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .fields import SmoothField
from .labels import LABELS
from .pose import UPRIGHT, Pose
from .tissues import TISSUE

Box = tuple[slice, slice, slice]
Positions = Sequence[float] | np.ndarray  # one number per axis

BETWEEN_MM = 40.0  # points that carry a box from the model to the grid, and how far the warp may
BULGE_MM = 4.0  # bend it out between them


class Canvas:
    """Two uint8 volumes (z, y, x), labels and tissues, with the voxels' model coordinates X, Y, Z (float32)."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing_mm: Positions,
        origin_mm: Positions,
        warp: SmoothField,
        pose: Pose = UPRIGHT,
    ):
        """shape, spacing_mm: z, y, x; origin_mm: the centre of voxel (0, 0, 0) in x, y, z."""
        self.shape, self.spacing_mm, self.origin_mm = shape, tuple(spacing_mm), tuple(origin_mm)
        self.z, self.y, self.x = (
            np.asarray(origin_mm[2 - axis] + np.arange(shape[axis]) * spacing_mm[axis], np.float32) for axis in range(3)
        )
        self.warp, self.pose = warp, pose
        bend = warp.on_axes(self.z, self.y, self.x)
        self.reach_mm = float(np.abs(bend).max())
        self.X, self.Y, self.Z = (self._straight(axis) + bend[..., axis] for axis in range(3))
        self.labels = np.zeros(shape, np.uint8)
        self.tissue = np.zeros(shape, np.uint8)

    def _straight(self, axis: int) -> np.ndarray:
        """Model coordinate x, y or z (axis 0, 1, 2) of every voxel before the warp: float32 (z, y, x)."""
        dx, dy, dz = self.pose.to_model[axis].astype(np.float32)
        x, y, z = (v - np.float32(s) for v, s in zip((self.x, self.y, self.z), self.pose.shift_mm, strict=True))
        return (dz * z)[:, None, None] + (dy * y)[:, None] + dx * x

    def box(self, low_mm: Positions, high_mm: Positions) -> Box:
        """The slices z, y, x around what lies between the model's corners low and high (x, y, z)."""
        axes = [
            np.linspace(low, high, 2 + int((high - low) / BETWEEN_MM))
            for low, high in zip(low_mm, high_mm, strict=True)
        ]
        real = self.to_real(np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3))
        margin = min(self.reach_mm, BULGE_MM)
        return self.real_box(real.min(axis=0) - margin, real.max(axis=0) + margin)

    def real_box(self, low_mm: Positions, high_mm: Positions) -> Box:
        """The slices z, y, x around real corners low and high (x, y, z)."""
        slices = []
        for axis in range(3):
            origin, step = float(self.origin_mm[2 - axis]), float(self.spacing_mm[axis])
            start = min(max(math.floor((float(low_mm[2 - axis]) - origin) / step), 0), self.shape[axis])
            stop = max(math.ceil((float(high_mm[2 - axis]) - origin) / step) + 1, start)
            slices.append(slice(start, min(stop, self.shape[axis])))
        z, y, x = slices
        return z, y, x

    def coordinates(self, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Model coordinates x, y, z of a box's voxels."""
        return self.X[box], self.Y[box], self.Z[box]

    def to_real(self, points_mm: np.ndarray) -> np.ndarray:
        """Where model points (n, 3) come to lie on the grid: solves pose(p) + warp(p) = q to within 0.02 mm."""
        points = np.asarray(points_mm, float)
        real = points @ self.pose.to_real.T + self.pose.shift_mm
        for _ in range(25):
            before, real = real, (points - self.warp.at(real)) @ self.pose.to_real.T + self.pose.shift_mm
            if np.abs(real - before).max() < 0.008:
                break
        return real

    def paint(self, box: Box, mask: np.ndarray, label: str, tissue: str, over: Sequence[str] = ()) -> None:
        """Give the mask's voxels a label and a tissue; `over`: only where one of these labels is now."""
        labels = self.labels[box]
        if over:
            allowed = np.zeros(256, bool)
            allowed[[LABELS[name] for name in over]] = True
            mask = mask & allowed[labels]
        labels[mask] = LABELS[label]
        self.tissue[box][mask] = TISSUE[tissue]

    def fill(self, mask: np.ndarray, label: str, tissue: str) -> None:
        """Paint a mask of the whole grid."""
        self.labels[mask] = LABELS[label]
        self.tissue[mask] = TISSUE[tissue]

    def ellipsoid(
        self, centre_mm: ArrayLike, radii_mm: ArrayLike, turn: np.ndarray | None = None, power: float = 2.0
    ) -> tuple[Box, np.ndarray]:
        """A box and in it the ellipsoid's level: below 1 inside (to the power `power`; 2 is the plain ellipsoid).

        turn: 3x3, rows are the axes of the ellipsoid in x, y, z.
        """
        centre, radii = np.asarray(centre_mm, float), np.asarray(radii_mm, float)
        half = radii if turn is None else np.sqrt(((np.asarray(turn) * radii[:, None]) ** 2).sum(axis=0)) * 1.3
        box = self.box(centre - half, centre + half)
        offsets = [axis - c for axis, c in zip(self.coordinates(box), centre.astype(np.float32), strict=True)]
        if turn is not None:
            offsets = [sum(np.float32(row[i]) * offsets[i] for i in range(3)) for row in turn]
        if power == 2.0:
            return box, sum((offset / np.float32(r)) ** 2 for offset, r in zip(offsets, radii, strict=True))
        return box, sum(np.abs(offset / np.float32(r)) ** power for offset, r in zip(offsets, radii, strict=True))

    def segment(self, a: np.ndarray, b: np.ndarray, reach_mm: float, stretch_z: float = 1.0):
        """A box around the segment from a to b (real x, y, z) and the distances (mm) of its voxels to it.

        stretch_z: above 1 makes what is closer than a radius taller in z by this factor.
        """
        reach = np.array([reach_mm, reach_mm, reach_mm * stretch_z])
        box = self.real_box(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
        scale = np.array([1, 1, 1 / stretch_z])
        a, along = a * scale, (b - a) * scale
        x = (self.x[box[2]] - np.float32(a[0]))[None, None, :]
        y = (self.y[box[1]] - np.float32(a[1]))[None, :, None]
        z = (self.z[box[0]] * np.float32(scale[2]) - np.float32(a[2]))[:, None, None]
        dx, dy, dz = (np.float32(value) for value in along)
        length2 = max(float(along @ along), 1e-6)
        t = (x * dx + y * dy + z * dz) * np.float32(1 / length2)
        np.maximum(np.minimum(t, 1, out=t), 0, out=t)
        return box, np.sqrt((x - t * dx) ** 2 + (y - t * dy) ** 2 + (z - t * dz) ** 2)

    def tube(
        self,
        points_mm: ArrayLike,
        radii_mm: ArrayLike,
        label: str,
        tissue: str,
        stretch_z: float = 1.0,
        over: Sequence[str] = (),
    ) -> None:
        """Paint a chain of capsules through model points (n, 3); radii (of the model): one, or one a point."""
        points = self.to_real(np.asarray(points_mm, float))
        radii = np.broadcast_to(np.asarray(radii_mm, float) * self.pose.mean_scale, (len(points),))
        for a, b, r in zip(points[:-1], points[1:], (radii[:-1] + radii[1:]) / 2, strict=True):
            box, distance = self.segment(a, b, r, stretch_z)
            self.paint(box, distance < r, label, tissue, over)


def spline(points: ArrayLike, count: int) -> np.ndarray:
    """A smooth curve (count, 3) through the control points (n >= 2, 3)."""
    from scipy.interpolate import CubicSpline, PchipInterpolator

    control = np.asarray(points, float)
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(control, axis=0), axis=1))])
    curve = CubicSpline if len(control) > 3 else PchipInterpolator
    return curve(steps, control)(np.linspace(0, steps[-1], count))


def rotation(degrees_x: float, degrees_y: float, degrees_z: float) -> np.ndarray:
    """A rotation matrix about x, then y, then z."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", [degrees_x, degrees_y, degrees_z], degrees=True).as_matrix()


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-values)), safe for large arguments."""
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))
