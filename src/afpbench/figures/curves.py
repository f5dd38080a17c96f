"""Learning curves: every loss term of every network that was trained, and what validation said."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from . import style

PANELS_PER_LINE = 3
LOG_RATIO = 4
LEGEND_LINE = 0.085  # the height of a line of a legend, of that of its panel
SHARED = {
    "validation_mae_hu": "Validation MAE (HU)",
    "validation_me_hu": "Validation ME (HU)",
    "validation_dice": "Validation Dice",
}
NOT_SHOWN = {"epoch", "iteration", "learning_rate", "seconds"}


def draw_curves(models: Sequence[Mapping]):
    """For each network a panel with its losses, and for each validation metric a panel with all networks that have it.

    models: {"label", "path" (a curves.csv)}. Loss curves that are positive and span more than a factor of LOG_RATIO are
    on a logarithmic scale. Losses of different networks are not comparable, validation metrics are.
    Returns a matplotlib figure.
    """
    tables = [(model["label"], read_curves(model["path"])) for model in models]
    shared = [name for name in SHARED if any(name in table and table[name].notna().any() for _, table in tables)]
    lines = math.ceil((len(tables) + len(shared)) / PANELS_PER_LINE)
    figure = style.new_figure(1.75 * lines + 0.1)
    axes = list(figure.subplots(lines, PANELS_PER_LINE, squeeze=False).flat)
    for axis, name in zip(axes, shared, strict=False):
        _compare(axis, name, tables)
    for axis, (label, table) in zip(axes[len(shared) :], tables, strict=False):
        _losses(axis, label, table)
    for axis in axes[len(shared) + len(tables) :]:
        axis.set_visible(False)
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0.065, right=0.985, wspace=0.24, hspace=0.62, top=1 - 0.27 / height, bottom=0.38 / height
    )
    return figure


def read_curves(path: str | Path) -> pd.DataFrame:
    """A network's curves.csv: one line per epoch."""
    return pd.read_csv(path)


def loss_columns(table: pd.DataFrame) -> list[str]:
    """The columns that are losses: the totals first, then the terms, in the order of the file."""
    losses = [name for name in table.columns if name not in NOT_SHOWN and name not in SHARED]
    losses = [name for name in losses if table[name].notna().any()]
    return sorted(losses, key=lambda name: name not in ("train_loss", "validation_loss"))


def in_words(name: str) -> str:
    """train_afp -> afp; train_loss -> total; validation_loss -> total (validation)."""
    part, _, what = name.partition("_")
    if part not in ("train", "validation"):
        return name.replace("_", " ")
    words = "total" if what == "loss" else what.replace("_", " ")
    return f"{words} (validation)" if part == "validation" else words


def _losses(axis, label: str, table: pd.DataFrame) -> None:
    names = loss_columns(table)
    for index, name in enumerate(names):
        colour, _ = style.colour_of(index)
        dash = "--" if name.startswith("validation") else "-"
        marker = "o" if len(table) < 3 else None
        axis.plot(
            table["iteration"], table[name], dash, color=colour, label=in_words(name), marker=marker, markersize=2
        )
    low, high = (table[names].min().min(), table[names].max().max()) if names else (0, 0)
    if low > 0 and high > LOG_RATIO * low:
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
    _finish(axis, label)


def _compare(axis, name: str, tables: Sequence[tuple[str, pd.DataFrame]]) -> None:
    for index, (label, table) in enumerate(tables):
        if name in table:
            colour, dash = style.colour_of(index)
            marker = "o" if len(table) < 3 else None
            axis.plot(table["iteration"], table[name], dash, color=colour, label=label, marker=marker, markersize=2)
    _finish(axis, SHARED[name])


def _finish(axis, title: str) -> None:
    axis.set_title(title, loc="left")
    axis.set_xlabel("iteration", labelpad=1.5)
    axis.tick_params(length=2.5)
    axis.grid(color="#E6E9ED", linewidth=0.5)
    axis.set_axisbelow(True)
    columns = 1 if len(axis.lines) < 5 else 2
    _leave_room(axis, LEGEND_LINE * math.ceil(len(axis.lines) / columns))
    axis.legend(
        loc="upper right", ncols=columns, fontsize=5.2, handlelength=1.5, labelspacing=0.25, borderaxespad=0.2,
        columnspacing=0.8,
    )  # fmt: skip


def _leave_room(axis, share: float) -> None:
    """Raise the upper limit so that this share of the axis lies above all curves, for the legend."""
    low, high = axis.get_ylim()
    log = axis.get_yscale() == "log"
    axis.set_ylim(low, low * (high / low) ** (1 / (1 - share)) if log else low + (high - low) / (1 - share))
