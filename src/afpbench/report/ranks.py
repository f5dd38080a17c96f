"""The rows' ranks over all metrics that can be judged, as a figure."""

import io
from collections.abc import Sequence

import pandas as pd

from ..base import html
from ..figures import style
from ..figures.ranks import draw_ranks
from ..metrics.missing import common_values
from ..metrics.ranks import mean_ranks, pairwise_wins
from .claims import CONTROL_WINS, JUDGED, Claim
from .context import Task

RANKED = (*JUDGED, CONTROL_WINS)  # what a poor judge says, or too few cases do, ranks no row
FEWEST_ROWS, FEWEST_METRICS = 2, 2


def ranks_figure(task: Task, claims: Sequence[Claim]):
    """The matplotlib figure; None for a single row, or fewer than two metrics. Call it inside `style.styled()`.

    The cases of a metric are those that all variants have, as in the tables; of several seeds values are their means.
    """
    lines, variants = task.compared, list(task.context["variants"])
    tables = {}
    for one in claims:
        if one.verdict in RANKED:
            its = lines[(lines["metric"] == one.metric.name) & (lines["structure"] == one.place)]
            values = common_values(its[its["variant"].isin(variants)])
            if len(values.columns) == len(variants):
                tables[one.spoken] = (values[variants], one.metric)
    if len(variants) < FEWEST_ROWS or len(tables) < FEWEST_METRICS:
        return None
    ranks = pd.DataFrame({name: mean_ranks(*table) for name, table in tables.items()}).T
    return draw_ranks(ranks, pairwise_wins(list(tables.values()), task.context["alpha"]), task.context["labels"])


def caption(task: Task) -> str:
    return (
        "Left: ranks over the common cases of each metric that can be judged. Right: wins by the two-sided Wilcoxon "
        f"signed-rank test, p < {task.context['alpha']:g} after Holm's correction over all pairs of rows in a metric."
    )


def ranks_file(task: Task, claims: Sequence[Claim], ending: str) -> bytes | None:
    """The figure as a file, `png` or `pdf`; None where there is nothing to rank."""
    with style.styled():
        figure = ranks_figure(task, claims)
        if figure is None:
            return None
        content = io.BytesIO()
        figure.savefig(content, format=ending, dpi=style.PNG_DPI, metadata=style.METADATA[ending])
    return content.getvalue()


def ranks_picture(task: Task, claims: Sequence[Claim]) -> str:
    """The figure with its caption, as HTML; "" where there is nothing to rank."""
    content = ranks_file(task, claims, "png")
    return html.picture(content, caption(task)) if content else ""
