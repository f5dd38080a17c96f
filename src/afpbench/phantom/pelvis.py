"""The male pelvis: from the body wall inwards. Model coordinates in mm, LPS (left +x, back +y, head +z)."""

from itertools import product

import numpy as np

from .canvas import Canvas, rotation, sigmoid, spline
from .labels import LABELS
from .pelvis_bones import SIDES, draw_femurs, draw_hips, draw_spine
from .pelvis_build import draw_build, half_body
from .spine import fill_marrow

__all__ = ["draw", "draw_build", "half_body"]

MIDDLE = np.array([0, 10, 10], np.float32)  # of the skeleton: it tilts about this point


class Pelvis:
    """Draws one pelvis."""

    def __init__(self, canvas: Canvas, p: dict, rng: np.random.Generator):
        self.canvas, self.p, self.rng = canvas, p, rng
        self.s = p["size"]
        self.frame = rotation(p["tilt"], 0, 0) * p["skeleton"] * p["size"]
        self.inverse = np.linalg.inv(self.frame).astype(np.float32)

    def place(self, points) -> np.ndarray:
        """Skeleton coordinates (upright, of size 1) to model coordinates."""
        return (np.asarray(points, float) - MIDDLE) @ self.frame.T + MIDDLE * self.s + np.array([0, 0, self.p["lift"]])

    def skeleton(self, x, y, z) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Model coordinates to those of the skeleton: the inverse of `place`."""
        origin = MIDDLE * self.s + np.array([0, 0, self.p["lift"]])
        offsets = [axis - np.float32(o) for axis, o in zip((x, y, z), origin, strict=True)]
        x, y, z = (sum(row[i] * offsets[i] for i in range(3)) + m for row, m in zip(self.inverse, MIDDLE, strict=True))
        return x, y, z

    def at_side(self, points, sign: int) -> np.ndarray:
        """As `place`, for points given for the left side."""
        return self.place(points) * np.array([sign, 1, 1])

    def head_centre(self, sign: int) -> np.ndarray:
        """The centre of a femoral head."""
        return self.at_side([75, -6, -28], sign)

    def body_wall(self) -> None:
        """Skin, subcutaneous fat, muscle wall and thighs, and the cavity's fat."""
        c, p = self.canvas, self.p
        x, y, z = c.X, c.Y, c.Z - p["lift"]
        width = p["half_width"] + p["fat"] - 5 * np.exp(-(((z - 82) / 28) ** 2)) - 5 * sigmoid(-(z + 90) / 10)
        depth = p["half_depth"] + p["fat"] - 12
        front = depth + 4 - 9 * sigmoid(-(z + 40) / 16) + (p["belly"] - 4) * sigmoid((z - 5) / 22)
        back = depth + 6 + 6 * np.exp(-(((z + 20) / 48) ** 2)) - 12 * sigmoid(-(z + 92) / 9)
        rho = ((np.abs(x) / width) ** 2.4 + np.where(y < 0, -y / front, y / back) ** 2.4) ** np.float32(1 / 2.4)
        inside_mm = np.sqrt(x**2 + y**2) * (1 / np.maximum(rho, 0.05) - 1)
        # between the thighs, and between the buttocks
        gap = np.maximum(-(z + 92), 0) * (0.10 + 0.0016 * np.abs(y)) - 1
        cleft = np.maximum(y - back + 15, 0) * 0.32 * sigmoid(-(z - 18) / 9) * sigmoid((z + 120) / 5)
        opening = np.maximum(gap, cleft)
        inside_mm = np.where(opening > 0.2, np.minimum(inside_mm, np.abs(x) - opening), inside_mm)
        c.fill(inside_mm > 0, "skin", "skin")
        c.fill(inside_mm > 2.2, "subcutaneous_fat", "fat")
        cover = p["fat"] * (1 + 0.28 * (y / 80) + 0.15 * np.cos(x / 35)) + 2.2
        deep = (inside_mm > cover) & ((z < 20) | (inside_mm < cover + 17 * p["muscle"]) | (y > 20))
        c.fill(inside_mm > cover, "inner_fat", "inner_fat")
        c.fill(deep, "other_muscle", "muscle")
        # septa of fat between the muscles around the femur
        femur = [float(value) for value in self.at_side([97, 2, 0], 1)]
        angle = np.arctan2(y - femur[1], np.abs(x) - femur[0]) + 0.006 * z
        distance = np.hypot(y - femur[1], np.abs(x) - femur[0])
        septum = np.abs(np.sin(2.5 * angle + 0.012 * distance)) * distance / 2.5 < 1.1
        c.fill((c.labels == LABELS["other_muscle"]) & septum & (z < -34) & (distance > 17), "inner_fat", "inner_fat")
        cavity = (np.abs(x) / (58 + 12 * sigmoid((z - 20) / 10))) ** 2.6 + (
            np.abs(y + 6) / (57 - 6 * sigmoid((z - 40) / 9))
        ) ** 2.6
        c.fill((cavity < 1) & (z > -62 - 0.12 * y) & (inside_mm > cover + 9), "inner_fat", "inner_fat")
        groin = ((np.abs(x) - 52) / 22) ** 2 + ((y + 64) / 15) ** 2 + ((z + 42) / 34) ** 2 < 1
        c.fill(groin & (c.labels == LABELS["other_muscle"]), "inner_fat", "inner_fat")

    def wing_frame(self, x, y, z, sign: int):
        """Coordinates of the iliac wing: distance outwards from its sheet, position along it (to the front), height."""
        s, p = self.s, self.p
        x, y, z = self.skeleton(x, y, z)
        x = sign * x
        turn = np.deg2rad(54 + p["wing_turn"])
        forward = np.array([np.cos(turn), -np.sin(turn)], np.float32)
        dx, dy = x - 66, y - 8
        along = dx * forward[0] + dy * forward[1]
        outward = dx * -forward[1] + dy * forward[0]
        bow = p["wing_bow"] * along**2 - 3.5 * np.sin(along / 19)
        return (outward - p["wing_flare"] * (z - 5) + bow - 0.001 * (z - 10) ** 2) * s, along, z

    def wing_box(self, sign: int):
        """A box that holds the wing and the muscles on both of its faces."""
        corners = self.at_side(list(product((0, 140), (-90, 100), (-75, 110))), sign)
        return self.canvas.box(corners.min(axis=0), corners.max(axis=0))

    def gluteal_muscles(self) -> None:
        """Gluteus maximus behind, medius and minimus on the wing's outer face; iliacus on its inner one."""
        c, p = self.canvas, self.p
        soft = ["other_muscle", "inner_fat"]
        m = p["muscle"]
        for side, sign in SIDES:
            centre, turn = self.at_side([62, 54, -20], sign), rotation(0, 0, -33 * sign) @ rotation(0, 24 * sign, 0)
            box, level = c.ellipsoid(centre, np.array([62, 25 * m, 66]) * self.s, turn, power=2.6)
            c.paint(box, level < 1, f"gluteus_maximus_{side}", "muscle", over=[*soft, "subcutaneous_fat"])
            x, y, z = c.coordinates(box)
            streaks = (level < 0.93) & (np.abs(np.sin(0.16 * (sign * x - y) + 0.12 * z)) < 0.06)
            c.paint(box, streaks, f"gluteus_maximus_{side}", "fat", over=[f"gluteus_maximus_{side}"])
            box = self.wing_box(sign)
            out, along, height = self.wing_frame(*c.coordinates(box), sign)
            top = 78 - 0.012 * along**2
            medius = (
                (out > 4)
                & (out < (35 - 0.006 * along**2 - 0.16 * np.maximum(height - 30, 0)) * m)
                & (along > -44)
                & (along < 50)
            )
            medius &= (height > -34 - 0.2 * along) & (height < top) & (height > -46 + 0.55 * np.abs(along - 4))
            c.paint(
                box,
                medius,
                f"gluteus_medius_{side}",
                "muscle",
                over=[*soft, "subcutaneous_fat", f"gluteus_maximus_{side}"],
            )
            minimus = (out > 3) & (out < 15 * m) & (height > -26) & (height < 40 - 0.012 * along**2)
            minimus &= (along > -26) & (along < 40)
            c.paint(box, minimus, f"gluteus_minimus_{side}", "muscle", over=[*soft, f"gluteus_medius_{side}"])
            seam = (np.abs(out - 15 * m) < 0.9) & (height < 42) & (along > -28) & (along < 42)
            c.paint(box, seam, "inner_fat", "inner_fat", over=[f"gluteus_medius_{side}", f"gluteus_minimus_{side}"])
            iliacus = (out < -2) & (out > -15 * m) & (along > -30) & (along < 52) & (height > -12) & (height < top - 8)
            c.paint(box, iliacus, f"iliopsoas_{side}", "muscle", over=soft)

    def deep_muscles(self) -> None:
        """Psoas down to the lesser trochanter, piriformis, obturator internus, the thighs' muscles, pelvic floor."""
        c, m = self.canvas, self.p["muscle"]
        for side, sign in SIDES:
            psoas = [
                [33, 22, 165],
                [36, 14, 105],
                [44, -4, 55],
                [57, -28, 15],
                [68, -37, -18],
                [80, -26, -50],
                [88, 0, -72],
            ]
            radii = np.interp(np.linspace(0, 1, 22), [0, 0.3, 0.6, 0.85, 1], np.array([17, 18, 15, 13, 8]) * m)
            c.tube(
                spline(self.at_side(psoas, sign), 22),
                radii,
                f"iliopsoas_{side}",
                "muscle",
                over=["other_muscle", "inner_fat"],
            )
            wall = self.at_side([[46, -24, -36], [50, 4, -36], [46, 26, -38]], sign)
            c.tube(wall, 8.5 * m, "other_muscle", "muscle", 2.2, over=["inner_fat"])
            c.tube(
                self.at_side([[22, 50, 8], [55, 42, -6], [96, 14, -30]], sign),
                8 * m,
                "other_muscle",
                "muscle",
                over=["inner_fat", "subcutaneous_fat"],
            )
            c.tube(
                self.at_side([[36, -78, 60], [22, -74, 0], [12, -66, -36]], sign),
                7,
                "other_muscle",
                "muscle",
                over=["inner_fat"],
            )
            floor = self.at_side([[8, 36, -62], [24, 20, -54], [34, 0, -46]], sign)
            c.tube(floor, 4, "other_muscle", "muscle", over=["inner_fat"])

    def vessels(self) -> None:
        """Iliac arteries and veins, down into the groins."""
        c = self.canvas
        for side, sign in SIDES:
            artery = [
                [2, 2, 165],
                [6, 0, 92],
                [30, 2, 62],
                [46, -14, 20],
                [54, -46, -12],
                [56, -56, -50],
                [63, -52, -200],
            ]
            vein = [
                [-6 if sign > 0 else 9, 8, 165],
                [4, 10, 84],
                [30, 14, 58],
                [47, 0, 16],
                [46, -42, -12],
                [47, -51, -50],
                [59, -44, -200],
            ]
            soft = ["inner_fat", "other_muscle", "iliopsoas_left", "iliopsoas_right"]
            c.tube(spline(self.at_side(vein, sign), 30), 6.0, f"iliac_vena_{side}", "blood", over=soft)
            c.tube(spline(self.at_side(artery, sign), 30), 5.0, f"iliac_artery_{side}", "blood", over=soft)

    def organs(self) -> np.ndarray:
        """Bladder, prostate, rectum, colon and small bowel; returns the bladder's real centre in x, y, z."""
        c, p, rng = self.canvas, self.p, self.rng
        self.bowel(rng)
        floor = self.place([0, -20, -42])
        prostate = floor + [0, 2, 0]
        radii = np.array([1.15, 0.95, 1.0]) * p["prostate"]
        box, level = c.ellipsoid(prostate, radii)
        c.paint(box, level < 1, "prostate", "prostate_rim")
        box, level = c.ellipsoid(prostate + [0, -3, 2], 0.72 * radii)
        c.paint(box, level < 1, "prostate", "prostate")
        for sign in (1, -1):  # seminal vesicles
            c.tube(
                prostate + np.array([[sign * 4, 14, 14], [sign * 24, 17, 21]]),
                5,
                "inner_fat",
                "fluid",
                over=["inner_fat"],
            )
        bladder = prostate + [
            p["bladder_shift"][0],
            -6 + 0.3 * p["bladder_shift"][1],
            0.8 * radii[2] + 0.85 * p["bladder"][2],
        ]
        box, level = c.ellipsoid(bladder, p["bladder"], rotation(-14, 0, 0), power=2.3)
        c.paint(box, level < 1, "urinary_bladder", "gut_wall")
        box, level = c.ellipsoid(bladder, p["bladder"] - 2.6, rotation(-14, 0, 0), power=2.3)
        c.paint(box, level < 1, "urinary_bladder", "urine")
        path = spline(
            self.place([[10, 40, 34], [4, 42, 18], [0, 41, 0], [2, 33, -25], [0, 27, -42], [0, 33, -60], [0, 42, -78]]),
            18,
        )
        wide = p["rectum_radius"]
        radii = np.interp(np.linspace(0, 1, 18), [0, 0.35, 0.6, 0.85, 1], [0.8 * wide, wide, 0.9 * wide, 7, 6])
        c.tube(path, radii, "rectum", "gut_wall")
        c.tube(path[:14], radii[:14] - 3, "rectum", "stool", over=["rectum"])
        stretch = slice(2, 4 + int(8 * p["rectum_gas"]))
        c.tube(path[stretch] - [0, 2, 0], radii[stretch] - 5.5, "rectum", "gut_gas", over=["rectum"])
        return c.to_real(bladder[None])[0]

    def bowel(self, rng: np.random.Generator) -> None:
        """Loops of small bowel, then caecum, descending and sigmoid colon with stool below and gas above."""
        c, p = self.canvas, self.p
        for _ in range(int(rng.integers(20, 28))):
            start = self.place([rng.uniform(-42, 42), rng.uniform(-50, -14), rng.uniform(16, 150)])
            steps = rng.normal(0, 15, (4, 3))
            path = spline(start + np.vstack([np.zeros(3), np.cumsum(steps, axis=0)]), 12)
            radius = rng.uniform(8, 11)
            c.tube(path, radius, "small_bowel", "gut_wall", over=["inner_fat"])
            c.tube(path, radius - 2.8, "small_bowel", "gut_content", over=["small_bowel"])
            if rng.random() < 0.35:
                c.tube(path[3:7] - [0, 3, 0], 3.2, "small_bowel", "gut_gas", over=["small_bowel"])
        r = p["colon_radius"]
        shift = rng.normal(0, 5, 3)
        sigmoid_loop = [
            [66, -22, 40],
            [50, -30, 30],
            [22, -38 + shift[0], 44 + shift[1]],
            [-18, -26, 50 + shift[2]],
            [-14, 10, 44],
            [10, 38, 36],
        ]
        caecum = [[-66, -22, 150], [-68, -26, 70], [-62, -32, 40]]
        descending = [[72, -12, 165], [72, -16, 80], [66, -22, 40]]
        for points, radius in ((descending, 0.9 * r), (sigmoid_loop, 0.85 * r), (caecum, 1.25 * r)):
            path = spline(self.place(points), 26)
            radii = radius * (1 + 0.13 * np.sin(np.arange(26) * 1.9 + rng.uniform(0, 6)))
            over = ["inner_fat", "small_bowel", "other_muscle", "iliopsoas_left", "iliopsoas_right"]
            c.tube(path, radii, "colon", "gut_wall", over=over)
            c.tube(path, radii - 2.4, "colon", "stool", over=["colon"])
            first = int(rng.integers(0, 26 - int(22 * p["colon_gas"])))
            gas = slice(first, first + int(22 * p["colon_gas"]) + 1)
            c.tube(path[gas] - [0, 0.28 * radius, 0], radii[gas] * 0.55, "colon", "gut_gas", over=["colon"])


def draw(canvas: Canvas, p: dict, rng: np.random.Generator) -> dict:
    """Paint a pelvis; returns its build and the bladder's centre (real x, y, z, mm)."""
    pelvis = Pelvis(canvas, p, rng)
    pelvis.body_wall()
    pelvis.gluteal_muscles()
    pelvis.deep_muscles()
    pelvis.vessels()
    bladder = pelvis.organs()
    draw_hips(pelvis)
    draw_femurs(pelvis)
    draw_spine(pelvis)
    fill_marrow(canvas, {"femur": 2})
    build = {name: np.round(value, 3).tolist() for name, value in p.items()}
    return {"build": build, "bladder_centre_mm": np.round(bladder, 3).tolist()}
