"""How pelves differ."""

import numpy as np


def draw_build(rng: np.random.Generator) -> dict:
    """A case's build, lengths in mm.

    size scales skeleton and organs, skeleton its bones along x, y, z; tilt: of the pelvis about x, degrees (SD 6.1 in
    300 adults: Vialle et al. 2005, doi:10.2106/JBJS.D.02043); knee: how far each goes out and back from its mean.
    """
    size = rng.uniform(0.90, 1.02)
    return {
        "size": size,
        "half_width": 115 * size + rng.uniform(-2, 12),
        "half_depth": 82 * size + rng.uniform(-2, 8),
        "belly": rng.uniform(0, 16),
        "fat": rng.uniform(6, 19),
        "muscle": rng.uniform(0.75, 1.15),
        "skeleton": rng.uniform([0.90, 0.92, 0.90], [1.05, 1.05, 1.07]),
        "tilt": 6.1 * np.clip(rng.standard_normal(), -2, 2),
        "lift": rng.uniform(-10, 10),
        "wing_flare": rng.uniform(0.20, 0.46),
        "wing_turn": rng.uniform(-10, 10),
        "wing_bow": rng.uniform(0.0010, 0.0046),
        "head_radius": rng.uniform(19, 23) * size,
        "neck_angle": rng.uniform(-12, 12),
        "knee": rng.uniform([-14, -10], [8, 16], (2, 2)),
        "sacrum_bend": rng.uniform(0.6, 1.3),
        "bladder": np.array([rng.uniform(22, 38), rng.uniform(19, 30), rng.uniform(15, 32)]) * size,
        "bladder_shift": rng.uniform(-8, 8, 2),
        "prostate": rng.uniform(14, 23) * size,
        "rectum_radius": rng.uniform(9, 15),
        "rectum_gas": rng.uniform(0.1, 0.9),
        "colon_gas": rng.uniform(0.35, 0.8),
        "colon_radius": rng.uniform(12, 17),
    }


def half_body(p: dict) -> np.ndarray:
    """Half of the body's width and depth (x, y), mm."""
    return np.array([p["half_width"] + p["fat"], p["half_depth"] + p["fat"] - 12 + max(p["belly"], 12)])
