"""Every metric of the tables as boxes with the single cases, joined from row to row."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from ..metrics.seeds import over_seeds
from ..study.kinds.registry import METRICS
from . import style
from .cases import Context

PANELS_PER_LINE = 3


def draw_distributions(context: Context, columns: Sequence[Mapping], long: pd.DataFrame, statistics: pd.DataFrame):
    """One panel per metric: rows from top to bottom, a box per row, a point per case, a line per case through all rows.

    columns: {"metric", "place"}, where place is a structure or a region. long, statistics: as the workflow writes them.
    The dashed line is the median of the reference row; an asterisk marks a row that is better with p < alpha, as in the
    tables. Of several seeds boxes and points show the mean; below the box a triangle stands for each seed's mean over
    the cases. Infinite values (the PSNR of equal images) are left out. Returns a matplotlib figure.
    """
    lines = math.ceil(len(columns) / PANELS_PER_LINE)
    panel_in = 0.55 + 0.24 * len(context.rows)
    figure = style.new_figure(lines * panel_in + 0.1)
    axes = figure.subplots(lines, PANELS_PER_LINE, squeeze=False, sharey=True)
    for axis, column in zip(axes.flat, columns, strict=False):
        values = paired_values(long, context.rows, column["metric"], column["place"])
        better = _better_rows(statistics, column["metric"], column["place"])
        _panel(axis, context, values, better)
        _seeds(axis, context, seed_means(long, context.rows, column["metric"], column["place"]))
        axis.set_title(_title(context, column), loc="left")
    for axis in axes.flat[len(columns) :]:
        axis.set_visible(False)
    labels = [style.wrapped(context.label(row), 26) for row in context.rows]
    for axis in axes[:, 0]:
        axis.set_yticks(range(len(labels)), labels=labels)
    axes[0, 0].set_ylim(len(labels) - 0.45, -0.55)
    figure.subplots_adjust(
        left=0.205, right=0.985, wspace=0.14, hspace=0.52 / (panel_in - 0.5),
        top=1 - 0.25 / figure.get_figheight(), bottom=0.28 / figure.get_figheight(),
    )  # fmt: skip
    return figure


def paired_values(long: pd.DataFrame, rows: Sequence[str], metric: str, place: str) -> pd.DataFrame:
    """Cases x rows, averaged over seeds; NaN where there is no value or an infinite one."""
    lines = over_seeds(_lines(long, rows, metric, place))
    table = lines.pivot(index="case", columns="variant", values="value").reindex(columns=list(rows))
    return table.replace([np.inf, -np.inf], np.nan)


def seed_means(long: pd.DataFrame, rows: Sequence[str], metric: str, place: str) -> dict[str, list[float]]:
    """Row -> each seed's mean over the cases of which every seed has a finite value; of rows of several seeds only."""
    lines, found = _lines(long, rows, metric, place), {}
    for row, its in lines.groupby("variant", sort=False):
        table = its.pivot(index="case", columns="seed", values="value").replace([np.inf, -np.inf], np.nan).dropna()
        if table.shape[1] > 1 and len(table):
            found[str(row)] = table.mean().tolist()
    return found


def _lines(long: pd.DataFrame, rows: Sequence[str], metric: str, place: str) -> pd.DataFrame:
    return long[(long["metric"] == metric) & (long["structure"] == place) & long["variant"].isin(rows)]


def _better_rows(statistics: pd.DataFrame, metric: str, place: str) -> set[str]:
    lines = statistics[(statistics["metric"] == metric) & (statistics["structure"] == place)]
    return set(lines.loc[lines["significant"].astype(bool) & (lines["direction"] == "better"), "variant"])


def _panel(axis, context: Context, values: pd.DataFrame, better: set[str]) -> None:
    places = np.arange(len(context.rows))
    for _, case in values.iterrows():
        axis.plot(case.to_numpy(dtype=float), places, color="#9AA3AD", linewidth=0.45, zorder=1)
    for place, row in zip(places, context.rows, strict=True):
        present = values[row].dropna().to_numpy(dtype=float)
        if not present.size:
            axis.annotate(
                "no values", (0.02, place), xycoords=("axes fraction", "data"), va="center", color=style.MUTED
            )
            continue
        colour = style.COLOURS[0] if row == context.reference else style.COLOURS[3]
        parts = axis.boxplot(present, positions=[place], orientation="horizontal", widths=0.5, showfliers=False,
                             patch_artist=True, manage_ticks=False, zorder=2)  # fmt: skip
        for box in parts["boxes"]:
            box.set(facecolor=(colour, 0.18), edgecolor=colour, linewidth=0.8)
        for part in ("whiskers", "caps", "medians"):
            for line in parts[part]:
                line.set(color=colour, linewidth=1.4 if part == "medians" else 0.8)
        axis.plot(present, np.full(present.size, place), "o", color=colour, markersize=2.2, markeredgewidth=0, zorder=3)
        if row in better:
            axis.annotate("*", (1.0, place), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=10)
    if context.reference in values and values[context.reference].notna().any():
        axis.axvline(
            values[context.reference].median(), color=style.COLOURS[0], linestyle="--", linewidth=0.6, zorder=0
        )
    axis.margins(x=0.08)
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", length=2.5)
    axis.grid(axis="x", color="#E6E9ED", linewidth=0.5)
    axis.set_axisbelow(True)


def _seeds(axis, context: Context, means: Mapping[str, Sequence[float]]) -> None:
    """A triangle below a row's box for each seed, at its mean over the cases."""
    for place, row in enumerate(context.rows):
        if row in means:
            heights = np.full(len(means[row]), place + 0.36)
            axis.plot(means[row], heights, "^", color=style.MUTED, markersize=3, markeredgewidth=0, zorder=3)


def _title(context: Context, column: Mapping) -> str:
    metric, place = METRICS[column["metric"]], column["place"]
    unit = f" ({metric.unit})" if metric.unit else ""
    where = context.structures[place]["label"] if place in context.structures else ""
    where = "whole volume" if place == "volume" else where
    return f"{metric.label}{unit} {metric.arrow()}" + (f", {where}" if where else "")
