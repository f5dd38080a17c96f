"""The thorax's bones and back muscles. `body` is the Thorax they belong to."""

import numpy as np

from .canvas import spline
from .spine import draw_autochthon, draw_cord, draw_discs, draw_vertebra


def rib_path(body, level: int, sign: int) -> np.ndarray:
    """Points (n, 3) along a rib, from its vertebra round to the front."""
    p = body.p
    z0 = p["first_vertebra"] - (level - 1) * p["vertebra_step"] + 4
    reach = {1: 0.80, 2: 0.80, 11: 0.50, 12: 0.36}.get(level, 0.80 - 0.012 * max(level - 6, 0))
    angle = np.linspace(0.11, reach, 26) * np.pi
    drop = p["rib_slope"] * {1: 0.45, 2: 0.7, 3: 0.85}.get(level, 1.0)
    z = z0 - drop * (1 - np.cos(angle)) / 1.75 + 5 * np.exp(-((angle / 0.5) ** 2))
    width, depth = body.cage_half_axes(z)
    rim = p["rib_radius"] + 0.8
    sine, cosine = np.sin(angle), np.cos(angle)
    rho = (np.abs(sine) ** 2.3 + np.abs(cosine) ** 2.3) ** (1 / 2.3)
    x = sign * (width + rim) * sine / rho + body.spine_centre(z0)[0] * np.exp(-angle)
    y = body.centre_y + (depth + rim) * cosine / rho
    head = np.array([[body.spine_centre(z0)[0] + sign * 17, body.spine_centre(z0)[1] + 9, z0 + 3]])
    return np.vstack([head, np.column_stack([x, y, z])])


def draw_ribs(body) -> None:
    """Twelve ribs a side, with cartilages from the first ten to the sternum."""
    c, p = body.canvas, body.p
    top, bottom = 72.0, -38.0
    for side, sign in (("left", 1), ("right", -1)):
        for level in range(1, 13):
            path = rib_path(body, level, sign)
            if level <= 10:
                end = path[-1]
                front = -p["chest_half_depth"] - 7
                goal_z = np.clip(end[2] + (6 if level > 4 else 0), bottom - 8, top - 4)
                goal = np.array([sign * 10, front, goal_z])
                c.tube(
                    spline([end, (end + goal) / 2 + [sign * 5, -5, -4], goal], 8),
                    4.2,
                    "costal_cartilages",
                    "cartilage",
                    1.2,
                )
            c.tube(path, p["rib_radius"], f"rib_{side}_{level}", "cortical_bone", 1.35)
    y = -p["chest_half_depth"] - 6.5
    for low, high, half in ((bottom, 45, 11), (45, top, 18)):
        box = c.box((-half - 2, y - 8, low), (half + 2, y + 20, high))
        x, yy, z = c.coordinates(box)
        lean = 0.06 * (z - bottom) - 4
        width = half - 3.5 * np.cos((z - low) / (high - low) * 2 * np.pi)
        shape = (np.abs(x) < width) & (np.abs(yy - y - lean) < 5) & (z > low) & (z < high - 1)
        c.paint(box, shape, "sternum", "cortical_bone")


def draw_shoulder(body) -> None:
    """Scapulae with their spines, clavicles."""
    c = body.canvas
    shift = -body.p["scapula_lift"]
    for side, sign in (("left", 1), ("right", -1)):
        box = c.box((min(sign * 40, sign * 122), 20, -30), (max(sign * 40, sign * 122), 95, 100))
        x, y, z = c.coordinates(box)
        x, z = sign * x, z + shift
        inner, outer = 58 + 0.10 * (z - 20), 62 + 0.42 * (z + 24)
        blade = (x > inner) & (x < np.minimum(outer, 116)) & (z > -22) & (z < 84)
        middle = 17.5 + 1.5 * np.sin(z / 16)
        thick = 2.6 + 2.2 * (np.abs(x - inner) < 4) + 2.6 * (np.abs(outer - x) < 6)
        blade &= np.abs(body.depth[box] - middle) < thick
        c.paint(box, blade, f"scapula_{side}", "cortical_bone")
        ridge = np.array([[sign * 64, 74, 52], [sign * 88, 62, 62], [sign * 110, 34, 78]]) - [0, 0, shift]
        c.tube(spline(ridge, 8), 4.2, f"scapula_{side}", "cortical_bone")
        front = -body.p["chest_half_depth"]
        collar = [
            [sign * 19, front + 10, 74],
            [sign * 50, front + 12, 86],
            [sign * 88, front + 42, 96],
            [sign * 112, 16, 98],
        ]
        c.tube(spline(collar, 14), 5.6, f"clavicula_{side}", "cortical_bone")


def draw_spine(body) -> None:
    """Back muscles, discs, vertebrae, cord."""
    c, p = body.canvas, body.p
    heights = np.arange(-198, 199, 6.0)
    half_width, half_depth = 15.5 * p["size"], 12 * p["size"]
    draw_autochthon(c, body.spine_centre, heights, (20, 29), (19, 13))
    draw_discs(c, body.spine_centre, heights, half_width, half_depth)
    names = ["C4", "C5", "C6", "C7"] + [f"T{level}" for level in range(1, 13)] + ["L1", "L2", "L3"]
    for index, name in enumerate(names, start=-2):
        z = p["first_vertebra"] - (index - 2) * p["vertebra_step"]
        size = {
            "half_width": half_width * (0.86 + 0.02 * index),
            "half_depth": half_depth * (0.86 + 0.02 * index),
            "height": p["vertebra_step"] - 4.6,
            "canal": 8.0,
            "transverse": 27,
            "spinous": 20,
            "drop": 12,
        }
        draw_vertebra(c, np.array([*body.spine_centre(z), z]), size, f"vertebrae_{name}")
    draw_cord(c, body.spine_centre, heights, half_depth + 8, 6.6)
