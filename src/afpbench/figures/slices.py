"""Figures 2 and 6 of the paper: MR, real CT and synthetic CT side by side, with a zoom and an error map."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle
from scipy import ndimage

from ..base.errors import DataError
from ..volumes import io
from . import style
from .cases import Context, choose_case, mr_title, read_mr, read_prepared, read_synthetic, structure_mask, value_of

PLANES = {"axial": 0, "coronal": 1, "sagittal": 2}
PANELS_PER_LINE = 6
MARGIN_MM = 6.0


@dataclass(frozen=True)
class View:
    """A slice and what is shown of it.

    plane: a key of PLANES. index: of the slice along the plane's axis. rows, columns: the part shown, around the body.
    zoom: (row, column, rows, columns) of the enlarged part, in the slice's own indices.
    spacing_mm: of the slice's rows and columns.
    """

    plane: str
    index: int
    rows: slice
    columns: slice
    zoom: tuple[int, int, int, int]
    spacing_mm: tuple[float, float]

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The whole slice of a volume (z, y, x)."""
        return np.take(array, self.index, axis=PLANES[self.plane])

    def shown(self, array: np.ndarray) -> np.ndarray:
        return self.cut(array)[self.rows, self.columns]

    def zoomed(self, array: np.ndarray) -> np.ndarray:
        row, column, height, width = self.zoom
        return self.cut(array)[row : row + height, column : column + width]

    @property
    def origin(self) -> str:
        """The head is up in coronal and sagittal slices, the front in axial ones (z rises headwards, y backwards)."""
        return "upper" if self.plane == "axial" else "lower"

    @property
    def shown_mm(self) -> tuple[float, float]:
        """Height and width of the part shown."""
        rows, columns = (
            (part.stop - part.start) * size
            for part, size in zip((self.rows, self.columns), self.spacing_mm, strict=True)
        )
        return rows, columns


def draw_slices(context: Context, pick: str, plane: str, options: Mapping, long: pd.DataFrame):
    """The figure of one plane of one case.

    pick: a case id, `typical`, `best` or `worst`. options: {"window_hu", "error_hu", "zoom": {"structure", "size_mm"}};
    without a structure the middle of the body is shown.
    long: the long table, from which the case is chosen and the values below the panels are taken.
    Returns a matplotlib figure: for each image the slice, the zoom, and the signed error of the synthetic CT.
    """
    case = choose_case(pick, long, context.reference)
    mr, (ct, mask) = read_mr(context.root, case), (read_prepared(context.root, case, name) for name in ("ct", "mask"))
    inside = mask.array != 0
    zoom = options["zoom"]
    view = view_of(context, case, plane, inside, ct.spacing_mm, zoom)
    images = {row: on_grid(read_synthetic(context, row, case), ct, case, row) for row in context.rows}
    panels: list[tuple[str, np.ndarray, np.ndarray | None, str]]
    panels = [(mr_title(context.root, case), mr.array, None, "")] if mr is not None else []
    panels.append(("Real CT", ct.array, None, ""))
    for row, array in images.items():
        panels.append((context.label(row), array, error_map(array, ct.array, inside), _values(context, long, row, case,
                       zoom["structure"])))  # fmt: skip
    of = f"; zoom on {context.structures[zoom['structure']]['label']}" if zoom["structure"] else ""
    heading = f"{case}, {plane}{of}"
    return _compose(heading, panels, view, options, None if mr is None else mr_limits(mr.array[inside]))


def view_of(
    context: Context, case: str, plane: str, inside: np.ndarray, spacing_mm: Sequence[float], zoom: Mapping
) -> View:
    """The view of a case. zoom: {"structure", "size_mm"}; without a structure it lies in the middle of the body."""
    shown = structure_mask(context, zoom["structure"], "ct", case) & inside if zoom["structure"] else _middle(inside)
    return choose_view(plane, inside, shown, spacing_mm, zoom["size_mm"])


def choose_view(
    plane: str, inside: np.ndarray, structure: np.ndarray, spacing_mm: Sequence[float], size_mm: float
) -> View:
    """The slice and the zoom with the most surface of the structure: there the images differ in what matters.

    inside: the body (z, y, x). structure: a mask; where it is empty, the body takes its place. size_mm: side of the
    square zoom, cut where the slice is smaller.
    """
    target = structure if structure.any() else inside
    surface = target & ~ndimage.binary_erosion(target)
    axis = PLANES[plane]
    others = [other for other in range(3) if other != axis]
    index = int(surface.sum(axis=tuple(others)).argmax())
    edge = np.take(surface, index, axis=axis)
    sides = [max(2, min(round(size_mm / spacing_mm[other]), n)) for other, n in zip(others, edge.shape, strict=True)]
    row, column = _densest(edge, sides)
    spans = [
        span(np.asarray(inside.any(axis=tuple(o for o in range(3) if o != other))), MARGIN_MM / spacing_mm[other])
        for other in others
    ]
    return View(plane, index, spans[0], spans[1], (row, column, *sides), (spacing_mm[others[0]], spacing_mm[others[1]]))


def _middle(inside: np.ndarray) -> np.ndarray:
    """The voxel in the middle of the body, as a mask."""
    middle = np.zeros_like(inside)
    middle[tuple(np.rint(ndimage.center_of_mass(inside)).astype(int))] = True
    return middle


def _densest(edge: np.ndarray, sides: Sequence[int]) -> tuple[int, int]:
    """First row and column of the box with the most true pixels; of equal boxes the one nearest to the middle."""
    table = np.pad(edge.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    height, width = sides
    counts = table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]
    candidates = np.argwhere(counts == counts.max())
    middle = (np.array(edge.shape) - sides) / 2
    row, column = candidates[np.abs(candidates - middle).sum(axis=1).argmin()]
    return int(row), int(column)


def span(present: np.ndarray, margin: float) -> slice:
    """From the first true element to the last, with a margin in elements where there are as many."""
    indices = np.flatnonzero(present)
    pad = int(math.ceil(margin))
    return slice(max(0, int(indices[0]) - pad), min(present.size, int(indices[-1]) + 1 + pad))


def on_grid(image: io.Volume, ct: io.Volume, case: str, row: str, what: str = "synthetic CT") -> np.ndarray:
    """The voxels of an image of a row. Raises DataError where it is not on the real CT's grid."""
    if not image.geometry.matches(ct.geometry):
        raise DataError(
            f"case {case}, row {row}: the {what} is not on the real CT's grid",
            found=image.geometry.shape,
            expected=ct.geometry.shape,
        )
    return image.array


def error_map(array: np.ndarray, ct: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Synthetic minus real CT in HU, 0 outside the body (z, y, x)."""
    return np.where(inside, array.astype(np.float32) - ct, np.float32(0))


def mr_limits(values: np.ndarray) -> tuple[float, float]:
    """The values of an MR that are shown black and white. values: those inside the body."""
    low, high = np.percentile(values, (1, 99))
    return float(low), float(high) if high > low else float(low) + 1


def _values(context: Context, long: pd.DataFrame, row: str, case: str, structure: str | None) -> str:
    mae = value_of(long, row, case, "mae")
    dice = value_of(long, row, case, "dice", structure) if structure else math.nan
    texts = [f"MAE {mae:.1f} HU"] if not math.isnan(mae) else []
    return "\n".join(texts + ([f"Dice {dice:.3f}"] if not math.isnan(dice) else []))


def _compose(heading: str, panels: list, view: View, options: Mapping, mr_window: tuple[float, float] | None):
    """Lay the panels out in lines of up to PANELS_PER_LINE; each line has a row of slices, zooms and errors.

    mr_window: of the first panel, where that is the MR.
    """
    lines = [panels[i : i + PANELS_PER_LINE] for i in range(0, len(panels), PANELS_PER_LINE)]
    columns = max(3, min(len(panels), PANELS_PER_LINE))
    gap, side, top = 0.06, style.WIDTH_IN / PANELS_PER_LINE, 0.24
    title = style.title_height(label for label, *_ in panels)
    width_in = side * columns + 0.12
    slice_in = (side - gap) * view.shown_mm[0] / view.shown_mm[1]
    zoom_in = (side - gap) * (view.zoom[2] * view.spacing_mm[0]) / (view.zoom[3] * view.spacing_mm[1])
    line_in = title + slice_in + gap + zoom_in + gap + slice_in + 0.28
    figure = style.new_figure(top + line_in * len(lines) + 0.05, width_in)
    place = Place(figure, side - gap)
    figure.text(0.06 / width_in, 1 - 0.06 / place.height, heading, va="top", fontsize=8, fontweight="bold")
    error_image, legend = None, None
    for number, line in enumerate(lines):
        y = top + number * line_in + title
        for column, (label, array, error, values) in enumerate(line):
            x = 0.06 + column * side
            axis = place.axis(x, y, slice_in)
            window = mr_window if mr_window is not None and number == column == 0 else options["window_hu"]
            show(axis, view.shown(array), view, window)
            axis.set_title(style.wrapped(label), pad=3)
            row, start, height, width = view.zoom
            corner = (start - view.columns.start - 0.5, row - view.rows.start - 0.5)
            axis.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=style.HIGHLIGHT, linewidth=0.8))
            axis = place.axis(x, y + slice_in + gap, zoom_in)
            show(axis, view.zoomed(array), view, window)
            for spine in axis.spines.values():
                spine.set(visible=True, edgecolor=style.HIGHLIGHT, linewidth=0.8)
            below = y + slice_in + gap + zoom_in + gap
            if error is None:
                legend = legend or (x, below, slice_in)
                continue
            axis = place.axis(x, below, slice_in)
            limit = options["error_hu"]
            error_image = show(axis, view.shown(error), view, (-limit, limit), "RdBu_r")
            axis.set_xlabel(values, labelpad=2, fontsize=6.5)
    if error_image is not None and legend is not None:
        _scale(figure, place, legend, error_image, options, panels_wide=1 if mr_window is None else 2)
    return figure


class Place:
    """Axes by their place in inches from the figure's upper left corner."""

    def __init__(self, figure, width_in: float):
        self.figure, self.panel = figure, width_in
        self.width, self.height = figure.get_size_inches()

    def axis(self, x: float, y: float, height: float, width: float | None = None):
        width = self.panel if width is None else width
        box = (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        axis = self.figure.add_axes(box)
        axis.set(xticks=[], yticks=[])
        return axis


def show(axis, image: np.ndarray, view: View, window: Sequence[float], colours: str = "gray"):
    """Show a slice, or a part of it, between the two values of the window."""
    shown = axis.imshow(image, cmap=colours, vmin=window[0], vmax=window[1], origin=view.origin, aspect="auto",
                        interpolation="bilinear" if colours == "gray" else "nearest")  # fmt: skip
    for spine in axis.spines.values():
        spine.set_visible(False)
    return shown


def _scale(figure, place: Place, legend: tuple[float, float, float], image, options: Mapping, panels_wide: int) -> None:
    """The windows in words and the error map's colours, in the empty place below MR (if any) and real CT."""
    x, y, height = legend
    low, high = options["window_hu"]
    between = "\n" if panels_wide == 1 else " "
    words = f"CT window{between}{low:g} to {high:g} HU\n\nError map: synthetic\nminus real CT, in HU"
    figure.text((x + 0.02) / place.width, 1 - (y + 0.02) / place.height, words, va="top", fontsize=6.5)
    axis = place.axis(x + 0.14, y + max(0.58, min(height - 0.25, 0.66)), 0.08, place.panel * 0.8 * panels_wide)
    bar = figure.colorbar(image, cax=axis, orientation="horizontal")
    bar.outline.set_linewidth(0.4)
    limit = options["error_hu"]
    bar.set_ticks([-limit, 0, limit], labels=[f"−{limit:g}", "0", f"+{limit:g}"])
    bar.ax.tick_params(length=2, pad=1.5, width=0.5)
