"""The rows' ranks over metrics, and in how many metrics one row is better than another: two figures, each as wide as a
phone's screen can show with letters that are read.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from . import style

WIDTH_IN = 3.6


def best_first(ranks: pd.DataFrame) -> list[str]:
    """Rows by their mean rank over the metrics (metrics x rows), in which both figures have them."""
    return [str(row) for row in ranks.mean().sort_values(kind="stable").index]


def draw_ranks(ranks: pd.DataFrame, labels: Mapping[str, str]):
    """A line per row with its mean rank in each metric, and a bar for their mean.

    ranks: metrics x rows, 1 is the best. labels: row -> name for people. Returns a matplotlib figure.
    """
    order = best_first(ranks)
    figure, axis = _figure(_numbered(order, labels), "Mean rank over the cases, 1 is the best")
    for place, row in enumerate(order):
        values = ranks[row].to_numpy()
        spread = [0.22 * ((index % 5) - 2) / 2 for index in range(len(values))]  # so that equal ranks are all seen
        axis.plot(values, [place + offset for offset in spread], "o", color=style.COLOURS[0], alpha=0.55, markersize=3)
        axis.plot([values.mean()] * 2, [place - 0.36, place + 0.36], "-", color=style.COLOURS[3], linewidth=2)
    axis.set_xlim(0.8, len(order) + 0.2)
    axis.set_xticks(range(1, len(order) + 1))
    axis.set_xlabel("rank: a point per metric, a bar for their mean")
    axis.grid(axis="x", color="#E6E9ED", linewidth=0.5)
    axis.set_axisbelow(True)
    return figure


def draw_wins(wins: pd.DataFrame, order: Sequence[str], labels: Mapping[str, str]):
    """The matrix of pairwise wins.

    wins: rows x rows, in how many metrics the row of the line is better than that of the column. order: of the rows.
    Returns a matplotlib figure.
    """
    counts = wins.loc[list(order), list(order)].to_numpy()
    figure, axis = _figure(_numbered(order, labels), "Wins of the row over the column")
    axis.imshow(counts, cmap="Blues", vmin=0, vmax=max(1, counts.max() * 1.6), aspect="auto")
    for place, line in enumerate(counts):
        for other, count in enumerate(line):
            axis.text(other, place, "–" if place == other else str(count), ha="center", va="center", fontsize=7)
    axis.set_xticks(range(len(order)), labels=[str(number) for number in range(1, len(order) + 1)])
    axis.set_xlabel("row's number")
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure


def _numbered(order: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    return [style.wrapped(f"{number}  {labels.get(row) or row}", 22) for number, row in enumerate(order, start=1)]


def _figure(names: Sequence[str], title: str):
    """A figure and its axis, with a line for each name."""
    figure = style.new_figure(0.75 + 0.3 * len(names), WIDTH_IN)
    axis = figure.subplots()
    axis.set_yticks(range(len(names)), labels=names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    figure.text(0.02, 1 - 0.06 / figure.get_figheight(), title, va="top", fontsize=7.5)
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.37, right=0.985, top=1 - 0.28 / height, bottom=0.42 / height)
    return figure, axis
