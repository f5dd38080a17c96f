"""The thorax: from the body wall inwards. Model coordinates in mm, LPS (patient's left is +x, back +y, head +z)."""

import numpy as np

from .bronchi import LOBES, draw_tree
from .canvas import Canvas, rotation, sigmoid, spline
from .labels import LABELS
from .spine import fill_marrow
from .thorax_bones import draw_ribs, draw_shoulder, draw_spine
from .tissues import TISSUE


def draw_build(rng: np.random.Generator) -> dict:
    """A case's build, lengths in mm."""
    size = rng.uniform(0.94, 1.03)
    return {
        "size": size,
        "chest_half_width": 97 * size * rng.uniform(0.94, 1.05),
        "chest_half_depth": 67 * size * rng.uniform(0.90, 1.08),
        "fat": rng.uniform(4, 16),
        "muscle": rng.uniform(0.75, 1.15),
        "vertebra_step": 20.5 * size * rng.uniform(0.96, 1.03),
        "kyphosis": rng.uniform(2, 16),
        "scoliosis": rng.uniform(-7, 7),
        "spine_phase": rng.uniform(-30, 30),
        "first_vertebra": 100 + rng.uniform(-4, 4),
        "dome_right": -52 + rng.uniform(-13, 12),
        "dome_left_lower": rng.uniform(3, 16),
        "heart_size": rng.uniform(0.84, 1.12),
        "heart_shift": rng.uniform(-7, 7),
        "rib_slope": rng.uniform(42, 64),
        "rib_radius": rng.uniform(3.8, 4.8),
        "fissure_slope": rng.uniform(0.75, 1.2, 2),
        "fissure_height": rng.uniform(-12, 9, 2),
        "horizontal_fissure": rng.uniform(-6, 13),
        "carina": np.array([rng.uniform(-6, 5), rng.uniform(10, 19), rng.uniform(14, 32)]),
        "trachea_radius": rng.uniform(7.0, 8.8),
        "scapula_lift": rng.uniform(-14, 8),
        "bronchi": rng.uniform(0.85, 1.25, 3),
        "stomach_gas": rng.uniform(0.1, 0.6),
    }


def half_body(p: dict) -> np.ndarray:
    """Half of the body's width and depth (x, y), mm."""
    return np.array([p["chest_half_width"] + 25 * p["muscle"], 88 * p["size"]]) + p["fat"]


class Thorax:
    """Draws one thorax. rho, depth: the cage's level and the distance outside it (mm) of every voxel."""

    def __init__(self, canvas: Canvas, p: dict, rng: np.random.Generator):
        self.canvas, self.p, self.rng = canvas, p, rng
        self.centre_y = np.float32(-1)
        x, y, z = canvas.X, canvas.Y, canvas.Z
        self.rho, self.depth = self._cage_levels(x, y, z)
        half = p["chest_half_width"] * 1.02, p["chest_half_depth"] * 1.02 + 1
        self.inner = canvas.box((-half[0], -half[1], -200), (half[0], half[1], 200))  # holds the cage's inside

    def cage_half_axes(self, z):
        """Half width and depth (mm) of the cage's inner surface at height z; it narrows towards the neck."""
        u = np.clip((100 - z) / 130, 0, 1)
        dome = (1 - (1 - u) ** 2.3) ** 0.6
        width = self.p["chest_half_width"] * (0.47 + 0.53 * dome)
        depth = self.p["chest_half_depth"] * (0.58 + 0.42 * dome)
        return width, depth

    def _cage_levels(self, x, y, z):
        """The cage's radius (1 on its inner surface) and the radial distance outside it (mm)."""
        width, depth = self.cage_half_axes(z)
        dy = y - self.centre_y
        rho = ((np.abs(x) / width) ** 2.3 + (np.abs(dy) / depth) ** 2.3) ** np.float32(1 / 2.3)
        radius = np.sqrt(x**2 + dy**2)
        return rho, radius * (1 - 1 / np.maximum(rho, 0.02))

    def spine_centre(self, z):
        """x, y of the vertebral body's centre at height z."""
        p = self.p
        y = 47 * p["size"] + p["kyphosis"] * (np.cos((z + p["spine_phase"] * 0.3) / 85) - 0.75)
        return np.array([p["scoliosis"] * np.sin((z + p["spine_phase"]) / 70), y])

    def body_wall(self) -> None:
        """Skin, subcutaneous fat, muscles with fat between them, and the fat that later organs are painted into."""
        c, p = self.canvas, self.p
        z = c.Z
        width = (
            p["chest_half_width"]
            + 25 * p["muscle"]
            + p["fat"]
            - 9 * sigmoid((z - 88) / 9)
            - 3 * sigmoid(-(z + 70) / 12)
        )
        front = p["chest_half_depth"] + 13 + p["fat"] - 10 * sigmoid((z - 70) / 14)
        back = 88 * p["size"] + p["fat"]
        across = np.abs(c.X) / width
        along = np.where(c.Y < 0, -c.Y / front, c.Y / back)
        rho = (across**2.5 + along**2.5) ** np.float32(0.4)
        inside_mm = np.sqrt(c.X**2 + c.Y**2) * (1 / np.maximum(rho, 0.05) - 1)
        c.fill(inside_mm > 0, "skin", "skin")
        c.fill(inside_mm > 2.2, "subcutaneous_fat", "fat")
        bulge = 1 + 0.45 * (c.Y / 90) ** 2 + 0.25 * np.cos(c.X / 23)
        c.fill(inside_mm > 2.2 + p["fat"] * bulge, "other_muscle", "muscle")
        # planes of fat between the chest wall's muscle layers
        layers = np.sin((self.depth + 6 * np.sin(z / 37) + 5 * np.cos(c.X / 31)) * 0.42)
        between = (c.labels == LABELS["other_muscle"]) & (self.depth > 9) & (layers > 0.86)
        c.fill(between, "inner_fat", "inner_fat")
        armpit = ((np.abs(c.X) - 88) / 16) ** 2 + ((c.Y - 2) / 26) ** 2 + ((z - 86) / 34) ** 2 < 1
        c.fill(armpit & (self.depth > 8) & (c.labels == LABELS["other_muscle"]), "inner_fat", "inner_fat")
        c.fill((self.depth < -1.5) & (z < 101), "inner_fat", "inner_fat")
        neck = ((c.X) / 30) ** 2 + ((c.Y - 12) / 30) ** 2 < 1
        c.fill(neck & (z > 90), "inner_fat", "inner_fat")

    def diaphragm(self) -> np.ndarray:
        """Height (mm) of the diaphragm over every voxel of the inner box."""
        p, rho = self.p, self.rho[self.inner]
        x, y, _ = self.canvas.coordinates(self.inner)
        right = sigmoid(-(x - 4) / 11)
        top = p["dome_right"] - p["dome_left_lower"] * (1 - right)
        dip = 9 * np.exp(-(((x - 4) / 22) ** 2))
        return top - dip - 46 * np.minimum(rho, 1.1) ** 3 - 10 * (y / 67) * rho

    def abdomen(self, dome: np.ndarray) -> None:
        """Liver, stomach with gas, spleen and the diaphragm above them."""
        c, p = self.canvas, self.p
        x, y, z = c.coordinates(self.inner)
        below, depth = dome - z, self.depth[self.inner]
        inside = depth < -2
        c.paint(self.inner, inside & (below > 0), "other_muscle", "muscle")
        cavity = np.zeros(c.shape, bool)
        hollow = cavity[self.inner]
        np.logical_and(inside, below > 3, out=hollow)
        c.paint(self.inner, hollow, "inner_fat", "inner_fat")
        edge = 24 + 0.25 * (y + 20) - 0.35 * np.maximum(-z - 62, 0) + 5 * np.sin(z / 17)
        liver = hollow & (depth < -3) & (x < edge) & (((x + 8) / 24) ** 2 + ((y - 46) / 26) ** 2 > 1)
        c.paint(self.inner, liver, "liver", "liver")
        box, level = c.ellipsoid((56, -4, -104), (32, 42, 36), rotation(12, -10, 0))
        stomach = cavity[box] & (level < 1)
        c.paint(box, stomach, "stomach", "gut_wall")
        gas = c.coordinates(box)[1] < -46 + 84 * p["stomach_gas"]
        inner = stomach & (level < 0.84)
        c.paint(box, inner, "stomach", "gut_content")
        c.paint(box, inner & gas, "stomach", "gut_gas")
        box, level = c.ellipsoid((72, 40, -102), (20, 28, 30), rotation(0, 0, -25))
        c.paint(box, cavity[box] & (level < 1) & (self.depth[box] < -3), "spleen", "spleen")
        for _ in range(9):  # vessels of the liver
            start = np.array([-20, 20, -90]) + self.rng.normal(0, 5, 3)
            end = np.array([-50, -5, -75]) + self.rng.normal(0, 26, 3)
            c.tube(
                spline([start, (start + end) / 2 + self.rng.normal(0, 5, 3), end], 6),
                2.2,
                "liver",
                "blood",
                over=["liver"],
            )

    def lungs(self, dome: np.ndarray) -> None:
        """Five lobes between cage, diaphragm and mediastinum, with the fissures between them."""
        c, p = self.canvas, self.p
        x, y, z = c.coordinates(self.inner)
        apex = 97 - ((np.abs(x) - 37) ** 2 + (y - 14) ** 2) / 62
        lung = (self.depth[self.inner] < -3) & (z > dome + 1) & (z < apex)
        half = 17 + 8 * np.exp(-(((y - 20) / 28) ** 2)) - 13 * sigmoid(-(y + 44) / 6) - 5 * sigmoid((z - 60) / 10)
        lung &= np.abs(x - 2 + 3 * sigmoid(-(y + 40) / 8)) > half
        outside_heart = np.ones(c.shape, bool)
        box, level = c.ellipsoid(*self.heart_shape(4.5))
        outside_heart[box] = level > 1
        lung &= outside_heart[self.inner]
        column = self.spine_centre(z)
        near_spine = ((x - column[0]) / 25) ** 2 + ((y - column[1] - 2) / 21) ** 2
        lung &= near_spine > 1
        lung &= ((x - 20) / 15) ** 2 + ((y - 30) / 15) ** 2 > 1  # the descending aorta's bed
        bend = 5 * np.sin(x / 26) + 4 * np.cos(y / 31)
        left = x > 0
        slope, height = (
            np.where(left, np.float32(p[name][0]), np.float32(p[name][1]))
            for name in ("fissure_slope", "fissure_height")
        )
        oblique = z - (slope * y + height - 4 + bend)
        horizontal = z - (p["horizontal_fissure"] + 4 * np.sin(y / 24) + 0.08 * x)
        c.paint(self.inner, lung & left & (oblique > 0), LOBES[0], "lung")
        c.paint(self.inner, lung & left & (oblique <= 0), LOBES[1], "lung")
        c.paint(self.inner, lung & ~left & (oblique > 0) & (horizontal > 0), LOBES[2], "lung")
        c.paint(self.inner, lung & ~left & (oblique > 0) & (horizontal <= 0), LOBES[3], "lung")
        c.paint(self.inner, lung & ~left & (oblique <= 0), LOBES[4], "lung")
        fissure = np.abs(oblique) < 1.1
        fissure |= ~left & (oblique > 0) & (np.abs(horizontal) < 0.9)
        c.tissue[self.inner][fissure & lung] = TISSUE["fissure"]

    def heart_shape(self, rim_mm: float = 0.0):
        """Centre, radii and axes of the heart, widened by a rim."""
        p = self.p
        size = p["heart_size"] * p["size"]
        centre = np.array([15 + p["heart_shift"], -23, -33])
        radii = np.array([50 * size, 36 * size, 40 * size]) + rim_mm
        return centre, radii, rotation(0, 28, -32).T

    def mediastinum(self) -> None:
        """Heart with chambers, great vessels, oesophagus."""
        c, p = self.canvas, self.p
        centre, radii, turn = self.heart_shape()
        box, level = c.ellipsoid(centre, radii, turn)
        c.paint(box, level < 1, "heart", "myocardium")
        for shift, share in (
            ((16, -2, -5), (0.58, 0.55, 0.55)),
            ((-14, -8, 2), (0.5, 0.5, 0.55)),
            ((-20, 8, 14), (0.42, 0.48, 0.45)),
            ((6, 18, 14), (0.5, 0.4, 0.42)),
        ):
            box, level = c.ellipsoid(centre + np.array(shift), radii * np.array(share), turn)
            c.paint(box, level < 1, "heart", "blood", over=["heart"])
        top = p["carina"][2] + 26
        root = centre + np.array([-8, 2, 26])
        arch = spline([root, [-14, -6, top - 14], [-4, 2, top], [13, 18, top - 2], [21, 29, top - 20]], 16)
        down = [[21, 31, z] for z in np.linspace(top - 22, -60, 10)] + [[12, 29, -90], [7, 27, -190]]
        c.tube(arch, 11 * p["size"], "aorta", "blood")
        c.tube(down, 9.5 * p["size"], "aorta", "blood")
        c.tube([[-23, -2, 84], [-24, -2, 40], [-24, -2, -8]], 8 * p["size"], "superior_vena_cava", "blood")
        c.tube([[-20, 12, -45], [-20, 16, -75], [-18, 22, -190]], 10 * p["size"], "inferior_vena_cava", "blood")
        carina = p["carina"]
        trunk = spline([centre + np.array([8, -10, 26]), [14, -2, carina[2] - 4], [16, 8, carina[2] - 9]], 8)
        c.tube(trunk, 10, "pulmonary_vessel", "blood", over=["inner_fat", "heart"])
        c.tube(
            [[15, 4, carina[2] - 9], [-12, 2, carina[2] - 15], [-30, 8, carina[2] - 16]],
            8.5,
            "pulmonary_vessel",
            "blood",
            over=["inner_fat", *LOBES],
        )
        c.tube(
            [[16, 8, carina[2] - 9], [36, 18, carina[2] - 8]],
            8.5,
            "pulmonary_vessel",
            "blood",
            over=["inner_fat", *LOBES],
        )
        heights = np.linspace(-190, 190, 32)
        gullet = np.array([[5 + 5 * np.sin(z / 60), self.spine_centre(z)[1] - 22, z] for z in heights])
        c.tube(gullet, 6.5, "esophagus", "muscle", over=["inner_fat", "other_muscle"])
        c.tube(gullet, 1.6, "esophagus", "gut_gas", over=["esophagus"])
        for x, y, r in ((-13, 0, 5), (14, 4, 4.5), (-18, -6, 5.5), (20, -2, 5)):  # branches of the arch, veins
            c.tube(
                [[x, y, top - 4], [x * 1.5, y + 2, 190]], r, "other_muscle", "blood", over=["inner_fat", "other_muscle"]
            )


def draw(canvas: Canvas, p: dict, rng: np.random.Generator) -> dict:
    """Paint a thorax; returns its build and its airway tree in figures."""
    thorax = Thorax(canvas, p, rng)
    thorax.body_wall()
    dome = thorax.diaphragm()
    thorax.abdomen(dome)
    thorax.lungs(dome)
    thorax.mediastinum()
    draw_shoulder(thorax)
    draw_ribs(thorax)
    draw_spine(thorax)
    tree = draw_tree(thorax)
    fill_marrow(canvas, {})
    build = {name: np.round(value, 3).tolist() for name, value in p.items()}
    return {"build": build, "airways": tree}
