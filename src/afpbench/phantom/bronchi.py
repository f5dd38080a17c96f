"""The airway tree of a thorax: main and lobar bronchi, grown into the lobes, with vessels and lesions."""

import numpy as np

from . import airways
from .canvas import Canvas
from .labels import LABELS

LOBES = [
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
]


def draw_tree(body) -> dict:
    """Airways and vessels in the lobes; returns the tree's figures."""
    c, p, rng = body.canvas, body.p, body.rng
    carina = p["carina"]
    clouds = {lobe: lobe_points(c, rng, lobe) for lobe in LOBES}
    start = np.array([[2.0, 6.0, 190.0], carina])
    neck, carina = c.to_real(start)
    trachea = airways.Branch(np.array([neck, (neck + carina) / 2 + [0, 2, 0], carina]), p["trachea_radius"], 0)
    trachea.wall_mm = airways.wall_thickness(trachea.radius_mm)
    trunks = main_bronchi(rng, trachea, clouds, c.pose.to_real * p["bronchi"])
    allowed = [*LOBES, "inner_fat"]
    for lobe, trunk in trunks.items():
        airways.grow(rng, trunk, clouds[lobe], lobe, airways.obstacles(c, [*allowed, "pulmonary_vessel"]))
    lesions = airways.add_lesions(rng, trunks)
    for lobe, trunk in trunks.items():
        airways.draw_veins(c, rng, trunk.points[0] + np.array([0, -8, -14]), clouds[lobe], lobe, allowed)
        airways.draw_arteries(c, rng, trunk, allowed)
    airways.draw_airways(c, trachea)
    return airways.summarize(trachea, lesions)


def lobe_points(canvas: Canvas, rng: np.random.Generator, lobe: str, count: int = 2500) -> np.ndarray:
    """Random real points (n, 3) in x, y, z that fill a lobe."""
    thin = canvas.labels[::2, ::2, ::2] == LABELS[lobe]
    found = np.argwhere(thin)
    chosen = found[rng.integers(len(found), size=count)] * 2.0
    spacing = np.asarray(canvas.spacing_mm)[::-1]
    return chosen[:, ::-1] * spacing + np.asarray(canvas.origin_mm)


def main_bronchi(rng, trachea: airways.Branch, clouds: dict, stretch: np.ndarray) -> dict[str, airways.Branch]:
    """The main bronchi and the bronchus of each lobe, joined to the trachea; returns the lobar bronchi.

    stretch: 3x3, from the model's steps (x, y, z) to the case's: its scale along an axis sets lengths and angles.
    """
    carina, r = trachea.points[-1], trachea.radius_mm

    def jitter(*step):
        return stretch @ (np.asarray(step, float) + rng.normal(0, 1.5, 3))

    right = airways.make_branch(rng, carina, carina + jitter(-21, 2, -16), 0.80 * r, 1, bend=0.05)
    left = airways.make_branch(rng, carina, carina + jitter(33, 11, -19), 0.74 * r, 1, bend=0.05)
    lower = airways.make_branch(rng, right.points[-1], right.points[-1] + jitter(-8, 2, -18), 0.66 * r, 2, bend=0.05)
    trachea.children = [right, left]
    right.children = [lower]
    plan = {
        "lung_upper_lobe_right": (right, 0.58, 18),
        "lung_middle_lobe_right": (lower, 0.46, 18),
        "lung_lower_lobe_right": (lower, 0.56, 16),
        "lung_upper_lobe_left": (left, 0.56, 16),
        "lung_lower_lobe_left": (left, 0.58, 18),
    }
    trunks = {}
    for lobe, (parent, share, length) in plan.items():
        goal = clouds[lobe].mean(axis=0) + np.array([0, 16 if "lower" in lobe else 0, 0])
        end = _entry(parent.points[-1], goal, clouds[lobe], length)
        trunks[lobe] = airways.make_branch(rng, parent.points[-1], end, share * r, parent.generation + 1, lobe, 0.05)
        parent.children.append(trunks[lobe])
    return trunks


def _entry(start: np.ndarray, goal: np.ndarray, cloud: np.ndarray, length_mm: float) -> np.ndarray:
    """Where a lobar bronchus ends: on the way to the goal, at least `length_mm` on and well inside the lobe's cloud."""
    heading = (goal - start) / np.linalg.norm(goal - start)
    for distance in np.arange(length_mm, np.linalg.norm(goal - start), 2.0):
        end = start + heading * distance
        if np.quantile(np.linalg.norm(cloud - end, axis=1), 0.01) < 15:
            return end
    return goal
