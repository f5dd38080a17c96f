"""A shaded, orthographic picture of a mask: rays through a smoothed volume, NumPy and SciPy only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

LEVEL = 0.32  # of the smoothed mask: low enough that a tube one voxel wide is not lost
EDGE = 0.14
SMOOTHING_VOXELS = 0.6
NORMAL_SMOOTHING_VOXELS = 1.0
LIGHT = np.array([-0.35, 0.55, -0.76])  # right, up, into the picture: over the viewer's left shoulder
AMBIENT = 0.42


@dataclass(frozen=True)
class Camera:
    """A view from the front, turned to the patient's left by `turn_degrees` and raised by `rise_degrees`.

    spacing_mm: of the volume's z, y, x; z rises to the head, y to the back, x to the patient's left.
    centre_mm, extent_mm: middle of the picture in z, y, x, and its (height, width, depth). pixels: (height, width).
    """

    spacing_mm: tuple[float, float, float]
    centre_mm: np.ndarray
    extent_mm: np.ndarray
    pixels: tuple[int, int]
    axes: np.ndarray  # rows: up, right, into the picture, as unit vectors in z, y, x


def camera_for(
    box_mm: np.ndarray, spacing_mm: Sequence[float], longest: int, turn_degrees: float = 24, rise_degrees: float = 10
) -> Camera:
    """A camera that sees a whole box. box_mm: (2, 3), lowest and highest corner in z, y, x. longest: pixels."""
    axes = view_axes(turn_degrees, rise_degrees)
    centre = box_mm.mean(axis=0)
    extent = np.abs(axes) @ (box_mm[1] - box_mm[0])
    scale = longest / extent[:2].max()
    pixels = (max(2, round(extent[0] * scale)), max(2, round(extent[1] * scale)))
    z, y, x = spacing_mm
    return Camera((z, y, x), centre, extent, pixels, axes)


def view_axes(turn_degrees: float, rise_degrees: float) -> np.ndarray:
    """The picture's up, right and inward directions (rows) in z, y, x."""
    turn, rise = np.deg2rad([turn_degrees, rise_degrees])
    right = np.array([0.0, np.sin(turn), np.cos(turn)])
    level = np.array([0.0, np.cos(turn), -np.sin(turn)])
    head = np.array([1.0, 0.0, 0.0])
    return np.stack([np.cos(rise) * head + np.sin(rise) * level, right, np.cos(rise) * level - np.sin(rise) * head])


def render(classes: np.ndarray, colours: Sequence[Sequence[float]], camera: Camera) -> np.ndarray:
    """The picture as RGBA (height, width, 4), float in 0..1; transparent where nothing is.

    classes: z, y, x, whole numbers; 0 is nothing, k has the colour k - 1. The surface is that of all classes together.
    """
    if not classes.any():
        return np.zeros((*camera.pixels, 4), np.float32)
    box = tuple(
        slice(max(0, part.start - 3), part.stop + 3)
        for part in ndimage.find_objects((classes != 0).astype(np.uint8))[0]
    )
    cut = classes[box]
    offset = np.array([part.start for part in box])
    solid = ndimage.gaussian_filter((cut != 0).astype(np.float32), SMOOTHING_VOXELS)
    index, densest = _first_hit(solid, offset, camera)
    hit = ~np.isnan(index[0])
    points = index[:, hit]
    picture = np.zeros((*camera.pixels, 4), np.float32)
    shade = _shade(cut, points, camera)
    inside = np.clip(np.rint(points).astype(int), 0, np.array(cut.shape)[:, None] - 1)
    kinds = _nearest_class(cut)[tuple(inside)]
    table = np.array([[0, 0, 0], *colours], np.float32)
    picture[hit, :3] = table[kinds] * shade[:, None]
    picture[..., 3] = np.clip((densest - LEVEL) / EDGE + 0.5, 0, 1) * hit
    return np.clip(picture, 0, 1)


def _first_hit(solid: np.ndarray, offset: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Where each ray enters: (3, height, width) in voxels, NaN where it meets nothing; and the densest value on it."""
    spacing = np.array(camera.spacing_mm)
    step_mm = max(spacing.min(), camera.extent_mm[2] / 200)
    steps = int(np.ceil(camera.extent_mm[2] / step_mm)) + 1
    shape = (steps, *camera.pixels)
    up, right, inward = camera.axes
    pixel_mm = camera.extent_mm[:2] / camera.pixels
    # the columns say how many voxels a step inward, a pixel down and a pixel to the right are
    matrix = np.stack([inward * step_mm, -up * pixel_mm[0], right * pixel_mm[1]], axis=1) / spacing[:, None]
    middle = (np.array(shape) - 1) / 2
    start = camera.centre_mm / spacing - offset - matrix @ middle
    rays = ndimage.affine_transform(solid, matrix, start, output_shape=shape, order=1, output=np.float32)
    above = rays > LEVEL - EDGE / 2
    first = above.argmax(axis=0)
    value = np.take_along_axis(rays, first[None], axis=0)[0]
    before = np.take_along_axis(rays, np.maximum(first - 1, 0)[None], axis=0)[0]
    level = LEVEL - EDGE / 2
    back = np.where(first > 0, (value - level) / np.maximum(value - before, 1e-6), 0)
    rows, columns = np.indices(camera.pixels)
    places = np.stack([first - np.clip(back, 0, 1), rows, columns]).reshape(3, -1)
    index = (matrix @ places + start[:, None]).reshape(3, *camera.pixels)
    index[:, ~above.any(axis=0)] = np.nan
    return index, rays.max(axis=0)


def _shade(cut: np.ndarray, points: np.ndarray, camera: Camera) -> np.ndarray:
    """Brightness of each point: light from over the viewer's shoulder, on the normals of a smoother mask."""
    smooth = ndimage.gaussian_filter((cut != 0).astype(np.float32), NORMAL_SMOOTHING_VOXELS)
    slopes = np.gradient(smooth, *camera.spacing_mm)
    outward = -np.stack([ndimage.map_coordinates(slope, points, order=1, mode="nearest") for slope in slopes])
    length = np.linalg.norm(outward, axis=0)
    outward = outward / np.maximum(length, 1e-9)
    up, right, inward = camera.axes
    light = LIGHT[0] * right + LIGHT[1] * up + LIGHT[2] * inward
    facing = np.clip(light @ outward / np.linalg.norm(light), 0, 1)
    depth = points * np.array(camera.spacing_mm)[:, None]
    depth = inward @ depth
    fade = 1 - 0.22 * (depth - depth.min()) / max(float(np.ptp(depth)), 1e-6)
    return (AMBIENT + (1.06 - AMBIENT) * facing) * fade


def _nearest_class(cut: np.ndarray) -> np.ndarray:
    """The classes, with the voxels right beside them filled up: a smoothed surface may lie just outside."""
    grown = ndimage.grey_dilation(cut, size=3)
    return np.where(cut != 0, cut, grown)
