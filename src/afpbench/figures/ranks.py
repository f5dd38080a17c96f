"""The rows' ranks over metrics, and in how many metrics one row is better than another."""

from collections.abc import Mapping

import pandas as pd

from . import style


def draw_ranks(ranks: pd.DataFrame, wins: pd.DataFrame, labels: Mapping[str, str]):
    """Left a line per row with its mean rank in each metric, right the matrix of pairwise wins.

    ranks: metrics x rows, 1 is the best. wins: rows x rows, in how many metrics the row of the line is better than that
    of the column. labels: row -> name for people. The mean over the metrics is a bar, and the rows stand in its order.
    Returns a matplotlib figure.
    """
    order = list(ranks.mean().sort_values(kind="stable").index)
    names = [style.wrapped(labels.get(row) or row, 26) for row in order]
    figure = style.new_figure(1.05 + 0.26 * len(order))
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _ranks(left, ranks[order], names)
    _wins(right, wins.loc[order, order], names)
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.2, right=0.985, wspace=0.12, top=1 - 0.3 / height, bottom=0.68 / height)
    return figure


def _ranks(axis, ranks: pd.DataFrame, names: list[str]) -> None:
    for place, row in enumerate(ranks.columns):
        values = ranks[row].to_numpy()
        spread = [0.22 * ((index % 5) - 2) / 2 for index in range(len(values))]  # so that equal ranks are all seen
        axis.plot(values, [place + offset for offset in spread], "o", color=style.COLOURS[0], alpha=0.55, markersize=3)
        axis.plot([values.mean()] * 2, [place - 0.36, place + 0.36], "-", color=style.COLOURS[3], linewidth=2)
    axis.set_yticks(range(len(names)), labels=names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0.8, len(names) + 0.2)
    axis.set_xticks(range(1, len(names) + 1))
    axis.set_title("Mean rank over the cases, 1 is the best", loc="left")
    axis.set_xlabel("rank: a point per metric, a bar for their mean")
    axis.grid(axis="x", color="#E6E9ED", linewidth=0.5)
    axis.set_axisbelow(True)


def _wins(axis, wins: pd.DataFrame, names: list[str]) -> None:
    counts = wins.to_numpy()
    axis.imshow(counts, cmap="Blues", vmin=0, vmax=max(1, counts.max() * 1.6), aspect="auto")
    for place, line in enumerate(counts):
        for other, count in enumerate(line):
            axis.text(other, place, "–" if place == other else str(count), ha="center", va="center", fontsize=6.5)
    axis.set_yticks([])
    axis.set_xticks(range(len(names)), labels=names, rotation=30, ha="right", rotation_mode="anchor", fontsize=5.5)
    axis.tick_params(length=0)
    axis.set_title("Metrics in which the row is better than the column", loc="left")
    for spine in axis.spines.values():
        spine.set_visible(False)
