"""The pelvis's bones and back muscles. `body` is the Pelvis they belong to."""

from itertools import product

import numpy as np

from .canvas import sigmoid, spline
from .labels import LABELS
from .spine import draw_autochthon, draw_cord, draw_discs, draw_vertebra

HIPS = [LABELS["hip_left"], LABELS["hip_right"]]
SIDES = (("left", 1), ("right", -1))
SOFT_TISSUE = [
    "inner_fat",
    "other_muscle",
    "autochthon_left",
    "autochthon_right",
    "intervertebral_disc",
    "spinal_cord",
    "gluteus_maximus_left",
    "gluteus_maximus_right",
    "subcutaneous_fat",
]


def draw_hips(body) -> None:
    """Both hip bones: wing, socket, pubic and ischial rami."""
    c, p = body.canvas, body.p
    for side, sign in SIDES:
        name = f"hip_{side}"
        box = body.wing_box(sign)
        out, along, height = body.wing_frame(*c.coordinates(box), sign)
        crest = 82 - 0.014 * along**2
        half = (
            3.8
            + 2.4 * sigmoid((height - crest + 10) / 3)
            + 5.5 * sigmoid(-(height + 2) / 6)
            + 4 * sigmoid(-(along + 42) / 5)
        )
        low = -14 + 0.72 * np.maximum(np.abs(along + 2) - 22, 0)
        wing = (np.abs(out) < half) & (height < crest) & (height > low) & (along > -66) & (along < 54)
        c.paint(box, wing, name, "cortical_bone")
        centre, r = body.head_centre(sign), p["head_radius"]
        box, level = c.ellipsoid(centre, np.full(3, r + 11))
        x, y, z = c.coordinates(box)
        opening = (sign * (x - centre[0]) * 0.72 - (y - centre[1]) * 0.38 - (z - centre[2]) * 0.58) / r
        c.paint(box, (level < 1) & (opening < 0.28), name, "cortical_bone")
        upper = [[54, -22, -30], [34, -42, -36], [6, -52, -46]]
        lower = [[7, -50, -56], [24, -24, -76], [42, 8, -86]]
        back = [[60, 18, -30], [56, 28, -52], [47, 24, -76], [44, 12, -88]]
        c.tube(spline(body.at_side(upper, sign), 9), 8.2, name, "cortical_bone", 1.15)
        c.tube(spline(body.at_side(lower, sign), 9), 6.4, name, "cortical_bone")
        c.tube(
            spline(body.at_side(back, sign), 10), [13, 12.5, 12, 11, 11, 12, 13, 13.5, 13, 12], name, "cortical_bone"
        )
        c.tube(body.at_side([[6, -52, -45], [6, -51, -57]], sign), 8.5, name, "cortical_bone")
    low, high = body.place([-2.2, -64, -66]), body.place([2.2, -40, -36])
    box = c.box(low, high)
    x, y, z = c.coordinates(box)
    cleft = (np.abs(x) < 2.2) & np.isin(c.labels[box], HIPS) & (y < 0)
    c.paint(box, cleft, "inner_fat", "cartilage")


def draw_femurs(body) -> None:
    """Head, neck, trochanters and shaft, with the joint's cartilage around the head."""
    c, p = body.canvas, body.p
    for (side, sign), (out, back) in zip(SIDES, p["knee"], strict=True):
        name, r = f"femur_{side}", p["head_radius"]
        centre = body.head_centre(sign)
        box, level = c.ellipsoid(centre, np.full(3, r + 2.0))
        c.paint(box, level < 1, "inner_fat", "cartilage")
        tip = body.at_side([104, 6, -46 + 0.5 * p["neck_angle"]], sign)
        knee = centre + np.array([sign * (22 + out), 8 + back, -132]) * body.s  # legs lie on the table, however tilted
        c.tube([centre, (centre + tip) / 2, tip], [14.5, 14, 15], name, "cortical_bone")
        c.tube([tip + [0, 3, 6], tip + [0, 2, -14]], 14, name, "cortical_bone")
        c.tube([tip + [-sign * 6, 2, -18], body.at_side([88, 10, -74], sign)], 11, name, "cortical_bone")
        c.tube(
            spline([tip + [-sign * 2, 0, -10], (tip + knee) / 2 + [sign * 2, -4, 0], knee], 9),
            [16, 16, 15, 13.5, 13, 12.5, 12.5, 12.5, 12.5],
            name,
            "cortical_bone",
        )
        c.tube([knee, knee + (knee - tip) / 2], 12.5, name, "cortical_bone")
        box, level = c.ellipsoid(centre, np.full(3, r))
        c.paint(box, level < 1, name, "cortical_bone")


def sacrum_frame(body, z):
    """y of the sacrum's middle, its half width and half thickness (mm, size 1) at height z (size 1)."""
    t = np.clip((62 - z) / 104, 0, 1)
    y = 34 + body.p["sacrum_bend"] * (62 * t - 48 * t**2.4) * 0.9
    return y, 52 * (1 - t) ** 0.75 + 7, 19 * (1 - t) + 6.5


def draw_spine(body) -> None:
    """Back muscles, L4, L5, discs, sacrum with its foramina, and the gap to the hip bones."""
    c, p, s = body.canvas, body.p, body.s
    step = 31 * s

    axis_z = np.arange(-60.0, 260.0, 5.0)
    axis = body.place([[0, 22 + 0.0016 * np.clip(110 - z, 0, 60) ** 2 - 0.12 * max(z - 75, 0), z] for z in axis_z])

    def centre_of(z):
        return np.array([0.0, np.interp(z, axis[:, 2], axis[:, 1])])

    heights = np.arange(-20, 215, 6.0)
    draw_autochthon(c, centre_of, heights[heights > 12 + p["lift"]], (25 * s, 42 * s), (23 * s, 15 * s))
    first = body.place([0, 22, 80])[2]
    draw_discs(c, centre_of, np.arange(first - 20 * s, 215, 6.0), 24 * s, 16.5 * s)
    for index, name in enumerate(["L5", "L4", "L3", "L2", "L1"]):
        z = first + index * step
        size = {
            "half_width": 24.5 * s,
            "half_depth": 17 * s,
            "height": step - 8 * s,
            "canal": 9,
            "transverse": 40 * s,
            "spinous": 18 * s,
            "drop": 5,
        }
        draw_vertebra(c, np.array([*centre_of(z), z]), size, f"vertebrae_{name}")
    draw_cord(c, centre_of, np.arange(first - 14, 215, 6.0), 17 * s + 9, 7)
    corners = body.place(list(product((-62, 62), (20, 92), (-46, 64))))
    box = c.box(corners.min(axis=0), corners.max(axis=0))
    x, y, z = body.skeleton(*c.coordinates(box))
    middle, half_width, half_depth = sacrum_frame(body, z)
    depth = y - middle - 0.004 * x**2
    shape = (np.abs(x) / half_width) ** 3 + np.abs(depth / half_depth) ** 2.5
    body = (z < 63 - 0.32 * np.abs(x)) & (z > -42)
    gap = body & (shape < (1 + 2.2 / half_width) ** 3) & np.isin(c.labels[box], HIPS)
    c.paint(box, gap, "inner_fat", "cartilage")
    bone = body & (shape < 1)
    c.paint(box, bone, "sacrum", "cortical_bone", over=SOFT_TISSUE)
    holes = ((np.abs(x) - 17 - 0.06 * z) / 4) ** 2 + (((z - 8) % 19 - 9.5) / 4.2) ** 2 < 1
    c.paint(box, bone & holes & (z > -10) & (z < 46), "inner_fat", "inner_fat", over=["sacrum"])
    canal = bone & ((x / 9) ** 2 + ((depth - 6) / 5) ** 2 < 1) & (z > 0)
    c.paint(box, canal, "spinal_cord", "fluid", over=["sacrum"])
