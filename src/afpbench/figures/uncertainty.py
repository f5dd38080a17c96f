"""Where a row is uncertain beside where it is wrong, and whether the one tells of the other."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..metrics.definitions import DEFINITIONS
from ..metrics.uncertainty import Sparsification, error_hu, sparsification
from . import style
from .cases import Context, choose_case, read_prepared, read_synthetic, read_uncertainty, value_of
from .slices import Place, on_grid, show, view_of

PLANE = "coronal"
MAPS = (("Absolute error", "|error|, HU", "Reds"), ("Uncertainty", "SD, HU", "Purples"))
PANEL_IN, GAP_IN, AXIS_IN = 2.1, 0.06, 0.45  # a panel, between two, and what a curve's axis takes on its left
TOP_IN, TITLE_IN, BELOW_IN, BAR_IN = 0.26, 0.38, 0.36, 0.38
POINTS = 300  # of a curve


def draw_uncertainty(context: Context, pick: str, options: Mapping, long: pd.DataFrame):
    """The figure of one case: for each row the absolute error, the uncertainty map, and the sparsification curve.

    context: with the rows that have a map. pick: a case id, `typical`, `best` or `worst`. options: {"error_hu", "zoom",
    "definition"}; the slice is the one that the figure of slices shows. long: the long table, for the case and the
    values. Both maps are 0 outside the body; that of uncertainty has a scale of its own, at whose end 1 % of the body's
    voxels lie. Returns a matplotlib figure.
    """
    case = choose_case(pick, long, context.reference)
    ct, mask = (read_prepared(context.root, case, name) for name in ("ct", "mask"))
    inside = mask.array != 0
    view = view_of(context, case, PLANE, inside, ct.spacing_mm, options["zoom"])
    synthetic = {row: on_grid(read_synthetic(context, row, case), ct, case, row) for row in context.rows}
    maps = {row: read_uncertainty(context, row, case) for row in context.rows}
    sds = {row: on_grid(sd, ct, case, row, "uncertainty map") for row, sd in maps.items()}
    limits = (options["error_hu"], max(_limit(sd[inside]) for sd in sds.values()))
    height_in = PANEL_IN * view.shown_mm[0] / view.shown_mm[1]
    line_in = TITLE_IN + height_in + BELOW_IN
    figure = style.new_figure(TOP_IN + line_in * len(sds) + BAR_IN, 3 * (PANEL_IN + GAP_IN) + AXIS_IN + 0.1)
    place = Place(figure, PANEL_IN)
    heading = f"{case}, {PLANE}"
    figure.text(0.06 / place.width, 1 - 0.06 / place.height, heading, va="top", fontsize=8, fontweight="bold")
    for number, row in enumerate(context.rows):
        y = TOP_IN + number * line_in + TITLE_IN
        figure.text(0.06 / place.width, 1 - (y - 0.22) / place.height, context.label(row), fontsize=7.5)
        error = error_hu(ct.array, synthetic[row], DEFINITIONS[options["definition"]])
        words = _values(long, row, case, float(sds[row][inside].mean()))
        for column, array in enumerate((error, sds[row])):
            name, unit, colours = MAPS[column]
            x = GAP_IN + column * (PANEL_IN + GAP_IN)
            axis = place.axis(x, y, height_in)
            shown = show(axis, view.shown(np.where(inside, array, 0)), view, (0, limits[column]), colours)
            axis.set_title(name, pad=3)
            axis.set_xlabel(words[column], labelpad=2, fontsize=6.5)
            if number == len(sds) - 1:
                _bar(figure, place.axis(x + 0.2, place.height - BAR_IN, 0.08, PANEL_IN - 0.4), shown, unit)
        x = GAP_IN + 2 * (PANEL_IN + GAP_IN) + AXIS_IN
        _curves(place.axis(x, y, min(height_in, PANEL_IN)), sds[row][inside], error[inside], long, row, case)
    return figure


def _values(long: pd.DataFrame, row: str, case: str, mean_sd: float) -> tuple[str, str]:
    """What stands below the two maps of a row."""
    correlation = value_of(long, row, case, "uncertainty_spearman")
    known = "" if math.isnan(correlation) else f"; rank correlation {correlation:.3f}"
    return f"MAE {value_of(long, row, case, 'mae'):.1f} HU", f"mean SD {mean_sd:.1f} HU{known}"


def _limit(sd: np.ndarray) -> float:
    return float(np.percentile(sd, 99)) or 1.0


def _bar(figure, axis, image, unit: str) -> None:
    bar = figure.colorbar(image, cax=axis, orientation="horizontal")
    bar.outline.set_linewidth(0.4)
    low, high = image.get_clim()
    bar.set_ticks([low, high], labels=["0", f"{high:.3g}"])
    bar.ax.tick_params(length=2, pad=1.5, width=0.5)
    bar.ax.set_xlabel(unit, labelpad=-6, fontsize=6.5)


def _curves(axis, sd: np.ndarray, error: np.ndarray, long: pd.DataFrame, row: str, case: str) -> None:
    """The error that is left when the most uncertain voxels are taken away, beside the best order and none."""
    axis.set(xlim=(0, 1), xticks=[0, 0.5, 1])
    if not error.any():
        axis.set_title("no error", pad=3)
        return
    curves = sparsification(sd, error)
    for values, dash, colour, name in _named(curves):
        axis.plot(np.linspace(0, 1, values.size, endpoint=False), values, dash, color=colour, label=name)
    axis.set_ylim(0, 1.05 * min(2.0, max(1.0, float(curves.by_sd.max()))))  # the last voxels may be of any error
    axis.axhline(1, color=style.MUTED, linestyle=":", label="in no order")
    area = value_of(long, row, case, "uncertainty_ause")
    axis.set_title("Error that is left" + ("" if math.isnan(area) else f" (AUSE {area:.3f})"), pad=3)
    axis.set_xlabel("share of voxels left out", labelpad=1.5)
    axis.tick_params(length=2.5)
    axis.legend(loc="lower left", fontsize=5.5, handlelength=1.8, labelspacing=0.25)


def _named(curves: Sparsification) -> Sequence[tuple[np.ndarray, str, str, str]]:
    """The curves, thinned to POINTS, with line, colour and name."""
    step = max(1, curves.by_sd.size // POINTS)
    return [
        (curves.by_sd[::step], "-", style.COLOURS[0], "most uncertain first"),
        (curves.oracle[::step], "--", style.COLOURS[3], "largest error first"),
    ]
