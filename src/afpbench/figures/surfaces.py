"""Figures 3 to 5 of the paper: the segmentations in 3D, with what a synthetic CT adds and what it misses."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from scipy import ndimage

from . import style
from .cases import Context, choose_case, read_prepared, structure_mask, value_of
from .render import Camera, camera_for, render

PANELS_PER_LINE = 6
PIXELS = 260
AGREED, EXTRA, MISSED = 1, 2, 3
NOT_FOUND = "not found"
COLOURS = (style.AGREE, style.EXTRA, style.MISSED)


def draw_surfaces(context: Context, pick: str, structures: Sequence[str], long: pd.DataFrame):
    """The structures of one case, seen from the front: the real CT's segmentation, and each row's against it.

    pick: a case id, `typical`, `best` or `worst`. Returns a matplotlib figure.
    """
    case = choose_case(pick, long, context.reference)
    mask = read_prepared(context.root, case, "mask")
    blocks = [(name, _panels(context, case, name, mask, long)) for name in structures]
    return _compose(context, case, blocks)


def compare(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """AGREED, EXTRA or MISSED for each voxel of either mask (z, y, x), else 0.

    A voxel is extra or missed where the other mask has no voxel in its 3 x 3 x 3 neighbourhood: a surface that is off
    by one voxel agrees, as it does for an NSD with the usual tolerance.
    """
    around = np.ones((3, 3, 3), bool)
    classes = np.where(real | synthetic, AGREED, 0).astype(np.uint8)
    classes[synthetic & ~ndimage.binary_dilation(real, around)] = EXTRA
    classes[real & ~ndimage.binary_dilation(synthetic, around)] = MISSED
    return classes


def _panels(context: Context, case: str, structure: str, mask, long: pd.DataFrame) -> list[tuple]:
    """(label, picture, values) of the real CT and of each row; one camera for all.

    The volume in the real CT stands below it: beside a few voxels, "to within one voxel" and a Dice of 0 go together.
    """
    inside = mask.array != 0
    real = structure_mask(context, structure, "ct", case) & inside
    found = {row: structure_mask(context, structure, row, case) & inside for row in context.rows}
    camera = _camera([real, *found.values()], mask.spacing_mm)
    if camera is None:
        return []
    colours = [to_rgb(colour) for colour in COLOURS]
    volume_ml = float(real.sum() * np.prod(mask.spacing_mm) / 1000)
    picture = render(real.astype(np.uint8) * AGREED, colours, camera)
    panels = [("Real CT", picture, f"{volume_ml:.1f} mL" if real.any() else NOT_FOUND)]
    for row, synthetic in found.items():
        picture = render(compare(real, synthetic), colours, camera)
        values = _values(long, row, case, structure) if synthetic.any() else NOT_FOUND
        panels.append((context.label(row), picture, values))
    return panels


def _camera(masks: Sequence[np.ndarray], spacing_mm: Sequence[float]) -> Camera | None:
    """A camera that sees every voxel of every mask; None where all are empty."""
    corners = []
    for mask in masks:
        if mask.any():
            box = ndimage.find_objects(mask.astype(np.uint8))[0]
            corners += [[part.start - 1 for part in box], [part.stop for part in box]]
    if not corners:
        return None
    box_mm = np.array([np.min(corners, axis=0), np.max(corners, axis=0)]) * np.array(spacing_mm)
    return camera_for(box_mm, spacing_mm, PIXELS)


def _values(long: pd.DataFrame, row: str, case: str, structure: str) -> str:
    texts = []
    for metric, label in (("dice", "Dice"), ("nsd", "NSD")):
        value = value_of(long, row, case, metric, structure)
        texts += [f"{label} {value:.3f}"] if not math.isnan(value) else []
    return ", ".join(texts)


def _compose(context: Context, case: str, blocks: Sequence[tuple[str, list]]):
    """A block per structure with lines of up to PANELS_PER_LINE panels; the legend below."""
    most = max([len(panels) for _, panels in blocks] + [1])
    columns = max(3, min(PANELS_PER_LINE, most))
    legend = 0.3 if columns >= 5 else 0.5
    side, below, heading = style.WIDTH_IN / PANELS_PER_LINE, 0.2, 0.24
    title = style.title_height(["Real CT", *map(context.label, context.rows)])
    width = columns * side + 0.12
    heights = [_panel_height(panels, side) + title + below for _, panels in blocks]
    lines = [math.ceil(len(panels) / columns) or 1 for _, panels in blocks]
    figure = style.new_figure(sum(h * n + heading for h, n in zip(heights, lines, strict=True)) + legend, width)
    total = figure.get_figheight()
    y = 0.0
    for (name, panels), height, count in zip(blocks, heights, lines, strict=True):
        words = f"{case}: {context.structures[name]['label']}" + ("" if panels else " (empty in every image)")
        figure.text(0.06 / width, 1 - (y + 0.05) / total, words, va="top", fontsize=8, fontweight="bold")
        y += heading
        for index, (label, picture, values) in enumerate(panels):
            line, column = divmod(index, columns)
            top = y + line * height + title
            box = (0.06 + column * side, total - top - (height - title - below), side - 0.06, height - title - below)
            axis = figure.add_axes((box[0] / width, box[1] / total, box[2] / width, box[3] / total))
            axis.imshow(picture, interpolation="bilinear")
            axis.set_title(style.wrapped(label), pad=3)
            axis.set_xlabel(values, labelpad=2, fontsize=6.5)
            axis.set(xticks=[], yticks=[])
            for spine in axis.spines.values():
                spine.set_visible(False)
        y += height * count
    meanings = ("in both, to within one voxel", "only in the synthetic CT", "only in the real CT")
    handles = [Patch(color=colour, label=text) for colour, text in zip(COLOURS, meanings, strict=True)]
    figure.legend(
        handles=handles, loc="lower left", ncols=3 if columns >= 5 else 1, bbox_to_anchor=(0.0, 0.0), handlelength=1.2
    )
    return figure


def _panel_height(panels: list, side: float) -> float:
    if not panels:
        return 0.0
    height, width = panels[0][1].shape[:2]
    return (side - 0.06) * min(height / width, 1.6)
