"""The spine: vertebrae with arch and processes, discs, cord, the muscle beside it; and the shell of all bones."""

import numpy as np

from .canvas import Canvas
from .labels import LABELS
from .tissues import TISSUE


def draw_vertebra(canvas: Canvas, centre_mm: np.ndarray, size_mm: dict, label: str) -> None:
    """One vertebra, its body centred at `centre_mm` (x, y, z).

    size_mm: half_width, half_depth, height of the body, canal (radius), transverse, spinous (lengths), drop (of the
    spinous process's tip).
    """
    cx, cy, cz = (np.float32(value) for value in centre_mm)
    width, depth, height = size_mm["half_width"], size_mm["half_depth"], size_mm["height"]
    canal = size_mm["canal"]
    back = depth + canal  # from the body's centre to the canal's
    reach = np.array([size_mm["transverse"] + 3, depth, height / 2])
    high = np.array([reach[0], back + canal + size_mm["spinous"], height / 2])
    low_drop = np.array([0, 0, size_mm["drop"] + 4])
    box = canvas.box(centre_mm - reach - low_drop, centre_mm + high)
    x, y, z = canvas.coordinates(box)
    x, y, z = x - cx, y - cy, z - cz
    waist = 1 - 0.10 * (1 - (2 * z / height) ** 2).clip(0, 1)
    body = ((x / (width * waist)) ** 2 + (y / (depth * waist)) ** 2 < 1) & (np.abs(z) < height / 2)
    ring = np.sqrt(x**2 + (y - back) ** 2)
    arch = (ring < canal + 5) & (np.abs(z + 0.1 * height) < 0.34 * height)
    behind = y - back - canal
    process = (np.abs(x) < 3.2) & (behind > 0) & (behind < size_mm["spinous"])
    process &= np.abs(z + 2 + size_mm["drop"] * behind / size_mm["spinous"]) < 5.5
    wing = (np.abs(x) < size_mm["transverse"]) & (np.abs(y - back - 0.25 * np.abs(x)) < 4.5) & (np.abs(z) < 5)
    bone = (body | arch | process | wing) & ((ring > canal) | body)
    canvas.paint(box, bone, label, "cortical_bone")


def draw_cord(canvas: Canvas, centre_of, z_mm: np.ndarray, back_mm: float, canal_mm: float) -> None:
    """The canal's content along the spine. centre_of: z -> (x, y) of the vertebral body's centre."""
    points = np.array([[*(centre_of(z) + np.array([0, back_mm])), z] for z in z_mm])
    canvas.tube(points, canal_mm, "spinal_cord", "fluid")
    canvas.tube(points, 0.62 * canal_mm, "spinal_cord", "cord")


def draw_discs(canvas: Canvas, centre_of, z_mm: np.ndarray, half_width: float, half_depth: float) -> None:
    """The column of discs that the vertebral bodies are later painted into."""
    for low, high in zip(z_mm[:-1], z_mm[1:], strict=True):
        x0, y0 = centre_of((low + high) / 2)
        box = canvas.box((x0 - half_width, y0 - half_depth, low), (x0 + half_width, y0 + half_depth, high))
        x, y, z = canvas.coordinates(box)
        disc = ((x - x0) / half_width) ** 2 + ((y - y0) / half_depth) ** 2 < 1
        canvas.paint(box, disc & (z >= low) & (z <= high), "intervertebral_disc", "disc")


def draw_autochthon(canvas: Canvas, centre_of, z_mm: np.ndarray, offset_mm: tuple, radii_mm: tuple) -> None:
    """The back muscles on both sides of the spinous processes, with streaks of fat.

    offset_mm: (sideways, backwards) from the vertebral body's centre; radii_mm: the cross-section's half axes x, y.
    """
    for side, sign in (("left", 1), ("right", -1)):
        for low, high in zip(z_mm[:-1], z_mm[1:], strict=True):
            x0, y0 = centre_of((low + high) / 2) + np.array([sign * offset_mm[0], offset_mm[1]])
            box = canvas.box((x0 - radii_mm[0], y0 - radii_mm[1], low), (x0 + radii_mm[0], y0 + radii_mm[1], high))
            x, y, z = canvas.coordinates(box)
            # lateral parts lie further to the front
            dx = x - x0
            level = (np.abs(dx) / radii_mm[0]) ** 2.5 + (np.abs(y - y0 + 0.25 * sign * dx) / radii_mm[1]) ** 2.5
            inside = (level < 1) & (z >= low) & (z <= high)
            canvas.paint(box, inside, f"autochthon_{side}", "muscle")
            streak = inside & (np.abs(np.sin(0.35 * dx + 0.15 * y)) < 0.07)
            canvas.paint(box, streak, f"autochthon_{side}", "fat")


def bone_ids() -> list[int]:
    """Labels of everything that has a cortex and marrow."""
    stems = ("vertebrae", "rib", "sternum", "scapula", "clavicula", "hip", "femur", "sacrum")
    return [value for name, value in LABELS.items() if name.startswith(stems)]


def fill_marrow(canvas: Canvas, layers: dict[str, int]) -> None:
    """Turn bone that is deeper than its cortex into trabecular bone.

    layers: thickness of the cortex in voxels, by the stem of the label's name; 1 for the others.
    """
    table = np.zeros(256, bool)
    table[bone_ids()] = True
    core = _eroded(table[canvas.labels])
    canvas.tissue[core] = TISSUE["trabecular_bone"]
    for stem, count in layers.items():
        table[:] = False
        table[[value for name, value in LABELS.items() if name.startswith(stem)]] = True
        solid = table[canvas.labels]
        core = solid
        for _ in range(count):
            core = _eroded(core)
        canvas.tissue[solid & ~core] = TISSUE["cortical_bone"]


def _eroded(mask: np.ndarray) -> np.ndarray:
    """Erosion by one voxel over the six faces; the border of the grid counts as inside."""
    result = mask.copy()
    for axis in range(3):
        ahead = [slice(None)] * 3
        behind = [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        result[tuple(ahead)] &= mask[tuple(behind)]
        result[tuple(behind)] &= mask[tuple(ahead)]
    return result
