"""The airway tree, the vessels beside it and its lesions.

The tree is grown into each lobe by splitting the lobe's volume again and again and sending one branch into each
half (after Kitaoka et al. 1999 and Tawhai et al. 2004), with radii that shrink by about 0.8 a generation."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .canvas import Canvas
from .labels import LABELS, LESION_CLASSES
from .tissues import TISSUE

LAST_GENERATION = 8
SMALLEST_RADIUS_MM = 1.5  # a lumen of one voxel at 3 mm: what is thinner cannot be seen


@dataclass
class Branch:
    """One branch: real points (n, 3) in x, y, z (mm), lumen radius, wall thickness (mm), generation (trachea 0)."""

    points: np.ndarray
    radius_mm: float
    generation: int
    lobe: str = ""
    wall_mm: float = 1.5
    lesion: str = ""
    children: list["Branch"] = field(default_factory=list)

    @property
    def direction(self) -> np.ndarray:
        """The unit direction of its last piece."""
        step = self.points[-1] - self.points[-2]
        return step / max(np.linalg.norm(step), 1e-6)

    def walk(self):
        """Itself and every branch beyond it."""
        yield self
        for child in self.children:
            yield from child.walk()


def wall_thickness(radius_mm: float) -> float:
    """Wall thickness (mm) of a healthy branch of this lumen radius: 2.0 for the trachea, 1.2 at the periphery."""
    return 1.0 + 0.125 * radius_mm


def bent_path(rng, start, end, bend=0.12) -> np.ndarray:
    """Three points from start to end, the middle one a little off the straight line."""
    middle = (start + end) / 2 + rng.normal(0, bend * np.linalg.norm(end - start) / 2, 3)
    return np.array([start, middle, end])


def make_branch(rng, start, end, radius_mm, generation, lobe="", bend=0.12) -> Branch:
    """A slightly bent branch with a healthy wall."""
    path = bent_path(rng, np.asarray(start, float), np.asarray(end, float), bend)
    return Branch(path, radius_mm, generation, lobe, wall_thickness(radius_mm))


def grow(
    rng: np.random.Generator,
    parent: Branch,
    points: np.ndarray,
    lobe: str,
    free: Callable[[np.ndarray], bool],
    last_generation: int = LAST_GENERATION,
    smallest_mm: float = SMALLEST_RADIUS_MM,
) -> None:
    """Grow the tree beyond `parent` into the region that `points` (n, 3) fill, until branches are as small as asked.

    free: whether a branch may run from the first to the last of its points (n, 3); one that may not is shortened and
    turned, then left out.
    """
    generation = parent.generation + 1
    if generation > last_generation or len(points) < 8:
        return
    start = parent.points[-1]
    halves = _split(rng, points, parent.direction, start)
    shrink = rng.uniform(0.82, 0.88), rng.uniform(0.72, 0.80)
    for half, ratio in zip(sorted(halves, key=len, reverse=True), shrink, strict=True):
        radius = parent.radius_mm * ratio
        if radius < smallest_mm or len(half) < 4:
            continue
        way = half.mean(axis=0) - start
        distance = np.linalg.norm(way)
        heading = _limited(way / max(distance, 1e-6), parent.direction, 75)
        length = np.clip(0.45 * distance, 3.0 * radius, 32)
        path = _fitting(rng, start, heading, length, half, free)
        if path is None:
            continue
        child = Branch(path, radius, generation, lobe, wall_thickness(radius))
        parent.children.append(child)
        grow(rng, child, half, lobe, free, last_generation, smallest_mm)


def _fitting(rng, start, heading, length, goals, free) -> np.ndarray | None:
    """The points of a branch that runs through free tissue, or None where none is found.

    First the wanted heading, then ones ever farther from it and shorter, at last towards any of the goals (n, 3).
    """
    for attempt in range(24):
        turned = heading + rng.normal(0, 0.15, 3) * min(attempt, 6)
        if attempt > 6:
            turned = goals[int(rng.integers(len(goals)))] - start
        reach = length * 0.88 ** min(attempt, 6)
        path = bent_path(rng, start, start + turned / max(np.linalg.norm(turned), 1e-6) * reach)
        if free(path):
            return path
    return None


def obstacles(canvas: Canvas, allowed: list[str]) -> Callable[[np.ndarray], bool]:
    """A test whether a path (n, 3) of real points beyond its start lies in the allowed structures."""
    table = np.zeros(256, bool)
    table[[LABELS[name] for name in allowed]] = True
    origin, spacing = np.asarray(canvas.origin_mm), np.asarray(canvas.spacing_mm)[::-1]
    last = np.asarray(canvas.shape)[::-1] - 1

    def free(path: np.ndarray) -> bool:
        between = (path[:-1] + path[1:]) / 2
        x, y, z = np.clip(np.rint((np.vstack([between, path[1:]]) - origin) / spacing).astype(int), 0, last).T
        return bool(table[canvas.labels[z, y, x]].all())

    return free


def _split(rng, points, direction, start):
    """Cut a cloud in two, by a plane that holds the parent's direction, across the cloud's longest extent."""
    offsets = points - points.mean(axis=0)
    offsets -= np.outer(offsets @ direction, direction)
    normal = np.linalg.svd(offsets[:: max(1, len(offsets) // 200)], full_matrices=False)[2][0]
    normal = normal + rng.normal(0, 0.25, 3)
    along = (points - start) @ (normal / np.linalg.norm(normal))
    cut = np.quantile(along, rng.uniform(0.38, 0.62))
    return points[along <= cut], points[along > cut]


def _limited(heading, direction, most_degrees):
    """The heading, turned towards the direction where it deviates from it by more than the angle."""
    cosine = float(heading @ direction)
    limit = np.cos(np.deg2rad(most_degrees))
    if cosine >= limit:
        return heading
    side = heading - cosine * direction
    side /= max(np.linalg.norm(side), 1e-6)
    return limit * direction + np.sqrt(1 - limit**2) * side


def add_lesions(rng: np.random.Generator, trunks: dict[str, Branch]) -> list[dict]:
    """Make some branches of the tree ill, in place; returns one record a lesion.

    Nine cases in ten are diseased. Each of 6 to 9 affected subtrees (of 4 to 20 branches, from generation 3 on) gets
    bronchiectasis (lumen 1.5 to 2.2 times as wide, wall 1.4 times as thick), peribronchial thickening (wall 1.5 to
    2.6 mm thicker) or mucus plugs, which widen their branches 1.5 to 2.2 times as mucoid impaction does; every diseased
    case has all three kinds, as far as its tree has room.
    """
    if rng.random() > 0.9:
        return []
    starts = [branch for trunk in trunks.values() for branch in trunk.walk() if branch.generation >= 3]
    starts = [start for start in starts if 4 <= len(list(start.walk())) <= 20]
    kinds = (LESION_CLASSES * 3)[: int(rng.integers(6, 10))]
    records = []
    for kind in kinds:
        healthy = [start for start in starts if not any(branch.lesion for branch in start.walk())]
        if not healthy:
            break
        root = healthy[int(rng.integers(len(healthy)))]
        affected = list(root.walk())
        widening, thickening = rng.uniform(1.5, 2.2), rng.uniform(1.5, 2.6)
        for branch in affected:
            branch.lesion = kind
            if kind == "peribronchial_thickening":
                branch.wall_mm += thickening
            else:
                branch.radius_mm *= widening
            if kind == "bronchiectasis":
                branch.wall_mm *= 1.4
        records.append({"kind": kind, "lobe": root.lobe, "generation": root.generation, "branches": len(affected)})
    return records


def draw_airways(canvas: Canvas, trachea: Branch) -> None:
    """Paint walls and lumens. Where branches meet their lumens join; a lumen is never cut by another one's wall."""
    outer = np.full(canvas.shape, np.inf, np.float32)
    lumen = np.full(canvas.shape, np.inf, np.float32)
    kind = np.zeros(canvas.shape, np.uint8)
    kinds = ["", "trachea", "bronchiectasis", "peribronchial_thickening", "mucus"]
    for branch in trachea.walk():
        name = "trachea" if branch.generation == 0 else branch.lesion
        for a, b in zip(branch.points[:-1], branch.points[1:], strict=True):
            box, distance = canvas.segment(a, b, branch.radius_mm + branch.wall_mm)
            level = distance - np.float32(branch.radius_mm + branch.wall_mm)
            nearer = level < np.minimum(outer[box], 0)
            kind[box][nearer] = kinds.index(name)
            np.minimum(outer[box], level, out=outer[box])
            np.minimum(lumen[box], distance - np.float32(branch.radius_mm), out=lumen[box])
    at = np.nonzero(outer < 0)
    here, inside, labels = kind[at], lumen[at] < 0, canvas.labels[at]
    bone = (labels >= LABELS["rib_left_1"]) & (labels <= LABELS["sternum"])
    bone |= (labels >= LABELS["vertebrae_L5"]) & (labels <= LABELS["vertebrae_C4"])
    new_labels, new_tissue = _airway_codes(here, inside, kinds)
    canvas.labels[at] = np.where(bone, labels, new_labels)
    canvas.tissue[at] = np.where(bone, canvas.tissue[at], new_tissue)


def _airway_codes(kind: np.ndarray, inside: np.ndarray, kinds: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Label and tissue ids for the kinds of branches, in the lumen and in the wall."""
    lumen_label = np.array([LABELS[n] for n in ("airway_lumen", "trachea", "bronchiectasis", "airway_lumen", "mucus")])
    wall_label = np.array(
        [LABELS[n] for n in ("airway_wall", "trachea", "bronchiectasis", "peribronchial_thickening", "airway_wall")]
    )
    lumen_tissue = np.array([TISSUE["mucus" if name == "mucus" else "airway_gas"] for name in kinds])
    ill = ("bronchiectasis", "peribronchial_thickening")
    wall_tissue = np.array([TISSUE["inflamed_wall" if name in ill else "airway_wall"] for name in kinds])
    labels = np.where(inside, lumen_label[kind], wall_label[kind])
    return labels.astype(np.uint8), np.where(inside, lumen_tissue[kind], wall_tissue[kind]).astype(np.uint8)


def draw_arteries(canvas: Canvas, rng: np.random.Generator, trunk: Branch, lobes: list[str]) -> None:
    """An artery beside every branch of a lobe's tree, about as wide as the healthy lumen, and two twigs beyond it."""
    side = rng.standard_normal(3)

    def follow(branch: Branch, start: np.ndarray | None, side: np.ndarray) -> None:
        direction = branch.direction
        side = side - (side @ direction) * direction
        side /= max(np.linalg.norm(side), 1e-6)
        healthy = min(branch.radius_mm, 8.0 * 0.81**branch.generation)
        radius = 0.85 * healthy + 0.3
        path = branch.points[1:] + side * (branch.radius_mm + branch.wall_mm + radius)
        path = np.vstack([branch.points[:1] if start is None else start[None], path])
        _vessel(canvas, path, radius, lobes)
        for child in branch.children:
            follow(child, path[-1], side)
        if not branch.children:
            for _ in range(2):
                heading = direction + rng.normal(0, 0.5, 3)
                end = path[-1] + heading / np.linalg.norm(heading) * rng.uniform(8, 18)
                _vessel(canvas, np.array([path[-1], end]), max(0.6 * radius, 0.9), lobes)

    follow(trunk, None, side)


def draw_veins(
    canvas: Canvas, rng: np.random.Generator, hilum: np.ndarray, points: np.ndarray, lobe: str, lobes: list[str]
) -> None:
    """A vein tree of its own from a lobe to the hilum (real x, y, z), which does not follow the airways."""
    towards = points.mean(axis=0) - hilum
    trunk = make_branch(rng, hilum, hilum + 0.3 * towards, 4.2, 2, lobe)
    grow(rng, trunk, points, lobe, obstacles(canvas, lobes), last_generation=7, smallest_mm=1.0)
    for branch in trunk.walk():
        _vessel(canvas, branch.points, branch.radius_mm, lobes)


def _vessel(canvas: Canvas, path: np.ndarray, radius_mm: float, lobes: list[str]) -> None:
    """Paint a vessel through real points, in lung and mediastinal fat only."""
    for a, b in zip(path[:-1], path[1:], strict=True):
        box, distance = canvas.segment(a, b, radius_mm)
        canvas.paint(box, distance < radius_mm, "pulmonary_vessel", "blood", over=lobes)


def summarize(trachea: Branch, lesions: list[dict]) -> dict:
    """The tree in figures, for the case's record."""
    branches = list(trachea.walk())
    generations = [branch.generation for branch in branches]
    lobes = sorted({branch.lobe for branch in branches if branch.lobe})
    return {
        "branches": len(branches),
        "generations": max(generations),
        "generations_by_lobe": {lobe: max(b.generation for b in branches if b.lobe == lobe) for lobe in lobes},
        "smallest_lumen_mm": round(2 * min(branch.radius_mm for branch in branches), 3),
        "trachea_lumen_mm": round(2 * trachea.radius_mm, 3),
        "lesions": lesions,
    }
