"""The known deformation between the MR's and the CT's position of the body.

For a point p (LPS mm) in MR space, the CT shows the same tissue at p + displacement(p)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .canvas import sigmoid
from .fields import SmoothField, random_field

SMALLEST_JACOBIAN = 0.35

Deform = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Deformation:
    """Translation + strength * (motion of the organs + smooth random field); all in mm, components x, y, z.

    motion: (z axis, y axis, x axis) -> (z, y, x, 3).
    """

    translation_mm: np.ndarray
    motion: Deform
    random: SmoothField
    strength: float = 1.0

    def on_axes(self, z_mm: np.ndarray, y_mm: np.ndarray, x_mm: np.ndarray) -> np.ndarray:
        """Displacements on a grid given by its axes: float32 (z, y, x, 3)."""
        moved = self.random.on_axes(z_mm, y_mm, x_mm)
        moved += self.motion(z_mm, y_mm, x_mm)
        moved *= np.float32(self.strength)
        moved += self.translation_mm.astype(np.float32)
        return moved


def jacobian_determinant(displacement: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """The determinant of the Jacobian of p -> p + displacement(p), by central differences.

    displacement: (z, y, x, 3) with components x, y, z in mm; spacing_mm: z, y, x. Returns float (z, y, x).
    """
    jacobian = np.empty((*displacement.shape, 3))
    for component in range(3):
        gradients = np.gradient(displacement[..., component].astype(float), *spacing_mm)
        for axis in range(3):
            jacobian[..., component, axis] = gradients[2 - axis] + (component == axis)
    return np.linalg.det(jacobian)


def breathing(rng: np.random.Generator) -> tuple[Deform, dict]:
    """Motion between two breath-hold positions: the diaphragm moves by 5 to 12 mm in z, the front wall by up to 3 mm
    in y; apex, spine and back rest. In four cases of five the MR is the more inspired one."""
    rise = rng.uniform(5, 12) * (1 if rng.random() < 0.8 else -1)
    front = rise * rng.uniform(0.1, 0.25)
    level, spine = rng.uniform(-45, -25), 48.0

    def motion(z, y, x):
        down = sigmoid((level - z) / 26).astype(np.float32)[:, None, None]
        free = sigmoid((spine - 12 - y) / 13).astype(np.float32)[None, :, None]
        inner = np.exp(-((np.abs(x) / 115) ** 4)).astype(np.float32)[None, None, :]
        ahead = sigmoid((-20 - y) / 22).astype(np.float32)[None, :, None]
        middle = np.exp(-(((z + 10) / 80) ** 2)).astype(np.float32)[:, None, None]
        result = np.zeros((len(z), len(y), len(x), 3), np.float32)
        result[..., 2] = rise * down * free * inner
        result[..., 1] = front * ahead * middle * inner
        return result

    return motion, {"kind": "breathing", "diaphragm_mm": round(rise, 3), "front_mm": round(front, 3)}


def bladder_filling(rng: np.random.Generator, bladder_mm: np.ndarray) -> tuple[Deform, dict]:
    """The bladder, fuller or emptier in the MR than in the CT, pushes its neighbours outwards or lets them in."""
    swelling = float(rng.uniform(0.10, 0.24) * rng.choice([-1, 1]))
    reach = rng.uniform(34, 44)

    def motion(z, y, x):
        offsets = [(axis - centre).astype(np.float32) for axis, centre in zip((x, y, z), bladder_mm, strict=True)]
        falls = [np.exp(-(offset**2) / (2 * reach**2)) for offset in offsets]
        fall = falls[2][:, None, None] * falls[1][None, :, None] * falls[0][None, None, :] * np.float32(-swelling)
        shapes = [(1, 1, -1), (1, -1, 1), (-1, 1, 1)]
        return np.stack([fall * offset.reshape(shape) for offset, shape in zip(offsets, shapes, strict=True)], axis=-1)

    most = float(abs(swelling) * reach * np.exp(-0.5))
    return motion, {"kind": "bladder filling", "swelling": round(swelling, 4), "bladder_wall_mm": round(most, 3)}


def draw_deformation(rng: np.random.Generator, region: str, drawn: dict) -> tuple[Deformation, dict]:
    """A case's deformation and its record. drawn: the anatomy's record (the pelvis's holds the bladder's centre)."""
    translation = rng.uniform(-6, 6, 3)
    if region == "thorax":
        motion, record = breathing(rng)
        random = random_field(rng, 3.5, (150, 320))
    else:
        motion, record = bladder_filling(rng, np.asarray(drawn["bladder_centre_mm"]))
        random = random_field(rng, 4.0, (150, 320))
    record["translation_mm"] = np.round(translation, 3).tolist()
    return Deformation(translation, motion, random), record


def displacement_on(
    deformation: Deformation, axes_mm: tuple[np.ndarray, np.ndarray, np.ndarray], spacing_mm: tuple[float, float, float]
) -> tuple[Deformation, np.ndarray, dict]:
    """The displacement on a grid, with the deformation weakened until its Jacobian determinant is nowhere small.

    axes_mm, spacing_mm: z, y, x. Returns the deformation used, displacements (z, y, x, 3) in mm, and figures.
    """
    while True:
        displacement = deformation.on_axes(*axes_mm)
        determinant = jacobian_determinant(displacement, spacing_mm)
        if determinant.min() >= SMALLEST_JACOBIAN:
            break
        deformation = Deformation(
            deformation.translation_mm, deformation.motion, deformation.random, deformation.strength * 0.85
        )
    length = np.linalg.norm(displacement, axis=-1)
    figures = {
        "mean_mm": round(float(length.mean()), 3),
        "max_mm": round(float(length.max()), 3),
        "jacobian_min": round(float(determinant.min()), 4),
        "jacobian_max": round(float(determinant.max()), 4),
        "strength": round(deformation.strength, 4),
    }
    return deformation, displacement, figures
