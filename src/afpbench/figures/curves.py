"""Learning curves: every loss term of every network that was trained, and what validation said."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..metrics.csv_file import read_csv
from . import style

PANELS_PER_LINE = 3
LOG_RATIO = 4
LEGEND_LINE = 0.085  # the height of a line of a legend, of that of its panel
NAMES_PER_LINE, NAMES_LINE_IN = 4, 0.13  # of the networks' names above the panels that all of them share
SHARED = {
    "validation_mae_hu": "Validation MAE (HU)",
    "validation_me_hu": "Validation ME (HU)",
    "validation_dice": "Validation Dice",
    "case_mae_hu": "MAE of whole cases (HU)",
    "case_ssim": "SSIM of whole cases",
}
OF_STRUCTURE = "case_dice_"  # followed by the structure
NOT_SHOWN = {"epoch", "iteration", "learning_rate", "seconds", "case_dice"}


def draw_curves(models: Sequence[Mapping], structures: Mapping[str, str] = MappingProxyType({})):
    """For each validation metric a panel with all networks that have it, and for each network one with its losses.

    models: {"label", "path" (a curves.csv)}; those of one label are the seeds of a row, and share a panel and colours.
    structures: name -> name for people, of those whose Dice there may be. Loss curves that are positive and span more
    than a factor of LOG_RATIO are on a logarithmic scale. Losses of different networks are not comparable, validation
    metrics are. Returns a matplotlib figure.
    """
    tables: dict[str, list[pd.DataFrame]] = {}
    for model in models:
        tables.setdefault(model["label"], []).append(read_curves(model["path"]))
    every = [table for seeds in tables.values() for table in seeds]
    titles = SHARED | {f"{OF_STRUCTURE}{name}": f"Dice, {label}" for name, label in structures.items()}
    shared = [name for name in titles if any(name in table and table[name].notna().any() for table in every)]
    lines = math.ceil((len(tables) + len(shared)) / PANELS_PER_LINE)
    names_in = NAMES_LINE_IN * math.ceil(len(tables) / NAMES_PER_LINE) + 0.05 if shared else 0.0
    figure = style.new_figure(1.75 * lines + 0.1 + names_in)
    axes = list(figure.subplots(lines, PANELS_PER_LINE, squeeze=False).flat)
    for axis, name in zip(axes, shared, strict=False):
        _compare(axis, name, titles[name], tables)
    for axis, (label, seeds) in zip(axes[len(shared) :], tables.items(), strict=False):
        _losses(axis, label, seeds)
    for axis in axes[len(shared) + len(tables) :]:
        axis.set_visible(False)
    _name_networks(figure, axes[: len(shared)])
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0.065, right=0.985, wspace=0.24, hspace=0.62, top=1 - (0.27 + names_in) / height, bottom=0.38 / height
    )
    return figure


def read_curves(path: str | Path) -> pd.DataFrame:
    """A network's curves.csv: one line per epoch."""
    return read_csv(path, ("epoch", "iteration"))


def loss_columns(table: pd.DataFrame) -> list[str]:
    """The columns that are losses: the totals first, then the terms, in the order of the file."""
    losses = [name for name in table.columns if name not in NOT_SHOWN | set(SHARED)]
    losses = [name for name in losses if table[name].notna().any() and not name.startswith(OF_STRUCTURE)]
    return sorted(losses, key=lambda name: name not in ("train_loss", "validation_loss"))


def in_words(name: str) -> str:
    """train_afp -> afp; train_loss -> total; validation_loss -> total (validation)."""
    part, _, what = name.partition("_")
    if part not in ("train", "validation"):
        return name.replace("_", " ")
    words = "total" if what == "loss" else what.replace("_", " ")
    return f"{words} (validation)" if part == "validation" else words


def _losses(axis, label: str, seeds: Sequence[pd.DataFrame]) -> None:
    names = loss_columns(seeds[0])
    for index, name in enumerate(names):
        dash = "--" if name.startswith("validation") else "-"
        _draw(axis, name, seeds, style.colour_of(index)[0], dash, in_words(name))
    values = pd.concat(seeds)[names]
    low, high = (values.min().min(), values.max().max()) if names else (0, 0)
    if low > 0 and high > LOG_RATIO * low:
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
    _finish(axis, label)
    _add_legend(axis)


def _compare(axis, name: str, title: str, tables: Mapping[str, Sequence[pd.DataFrame]]) -> None:
    for index, (label, seeds) in enumerate(tables.items()):
        _draw(axis, name, [table for table in seeds if name in table], *style.colour_of(index), label)
    _finish(axis, title)


def _draw(axis, name: str, seeds: Sequence[pd.DataFrame], colour: str, dash: str, label: str) -> None:
    """A curve for each seed, through the epochs that have a value; the legend names the first."""
    width = None if len(seeds) == 1 else 0.7
    for position, table in enumerate(seeds):
        known = table[table[name].notna()]
        marker, words = "o" if len(known) < 3 else None, "_nolegend_" if position else label
        axis.plot(
            known["iteration"], known[name], dash, color=colour, label=words, marker=marker, markersize=2,
            linewidth=width,
        )  # fmt: skip


def _finish(axis, title: str) -> None:
    axis.set_title(title, loc="left")
    axis.set_xlabel("iteration", labelpad=1.5)
    axis.tick_params(length=2.5)
    axis.grid(color="#E6E9ED", linewidth=0.5)
    axis.set_axisbelow(True)


def _add_legend(axis) -> None:
    """The curves' names, above them inside the panel."""
    entries = len(axis.get_legend_handles_labels()[1])
    columns = 1 if entries < 5 else 2
    _leave_room(axis, LEGEND_LINE * math.ceil(entries / columns))
    axis.legend(
        loc="upper right", ncols=columns, fontsize=5.2, handlelength=1.5, labelspacing=0.25, borderaxespad=0.2,
        columnspacing=0.8,
    )  # fmt: skip


def _name_networks(figure, axes: Sequence) -> None:
    """The networks' names once above the panels that they share: in each they would cover what it shows."""
    curves: dict = {}
    for axis in axes:
        for line, label in zip(*axis.get_legend_handles_labels(), strict=True):
            curves.setdefault(label, line)
    if curves:
        figure.legend(
            curves.values(), curves.keys(), loc="upper left", ncols=NAMES_PER_LINE, bbox_to_anchor=(0.05, 1.0),
            fontsize=5.8, handlelength=2, labelspacing=0.25, borderaxespad=0.2, columnspacing=1.2,
        )  # fmt: skip


def _leave_room(axis, share: float) -> None:
    """Raise the upper limit so that this share of the axis lies above all curves, for the legend."""
    low, high = axis.get_ylim()
    log = axis.get_yscale() == "log"
    axis.set_ylim(low, low * (high / low) ** (1 / (1 - share)) if log else low + (high - low) / (1 - share))
