"""The rows' ranks over all metrics that can be judged, and their wins, as figures."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from ..base import html
from ..figures import style
from ..figures.ranks import best_first, draw_ranks, draw_wins
from ..metrics.missing import common_values
from ..metrics.ranks import mean_ranks, pairwise_wins
from ..study.kinds.metric import Metric
from ..study.significance import smallest_p
from .claims import CONTROL_WINS, JUDGED, Claim
from .context import Task

RANKED = (*JUDGED, CONTROL_WINS)  # what a poor judge says, or too few cases do, ranks no row
FEWEST_ROWS, FEWEST_METRICS = 2, 2


@dataclass(frozen=True)
class Ranked:
    """What rows are ranked by. tables: metric in words -> its values (cases x rows) and the metric. alpha: of wins."""

    tables: dict[str, tuple[pd.DataFrame, type[Metric]]]
    alpha: float

    @property
    def ranks(self) -> pd.DataFrame:
        """Metrics x rows."""
        return pd.DataFrame({name: mean_ranks(*table) for name, table in self.tables.items()}).T

    @property
    def wins(self) -> pd.DataFrame:
        """Rows x rows."""
        return pairwise_wins(list(self.tables.values()), self.alpha)

    @property
    def cases(self) -> int:
        """The most cases that a metric has."""
        return max(len(values) for values, _ in self.tables.values())

    @property
    def pairs(self) -> int:
        """Pairs of rows."""
        rows = len(next(iter(self.tables.values()))[0].columns)
        return rows * (rows - 1) // 2

    @property
    def pairs_words(self) -> str:
        return f"{self.pairs} {'pair' if self.pairs == 1 else 'pairs'} of rows"

    @property
    def winnable(self) -> bool:
        """Whether so many cases can show any difference among so many pairs."""
        return smallest_p(self.cases, self.pairs) < self.alpha


def ranked(task: Task, claims: Sequence[Claim]) -> Ranked | None:
    """The metrics that rank the variants; None for a single row, or fewer than two metrics.

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
    return Ranked(tables, task.context["alpha"])


@dataclass(frozen=True)
class Picture:
    """A figure as a file. name: of the file, without its ending."""

    name: str
    content: bytes
    caption: str


def ranks_files(task: Task, claims: Sequence[Claim], ending: str) -> list[Picture]:
    """The ranks, and the wins where there can be any, as files, `png` or `pdf`; none where there is nothing to rank."""
    found = ranked(task, claims)
    if found is None:
        return []
    ranks, labels = found.ranks, task.context["labels"]
    caption = "Ranks over the common cases of each metric that can be judged."
    with style.styled():
        if not found.winnable:
            return [Picture("ranks", _saved(draw_ranks(ranks, labels), ending), f"{caption} {_no_wins(found)}")]
        wins = draw_wins(found.wins, best_first(ranks), labels)
        return [
            Picture("ranks", _saved(draw_ranks(ranks, labels), ending), caption),
            Picture("wins", _saved(wins, ending), _wins_caption(found)),
        ]


def ranks_pictures(task: Task, claims: Sequence[Claim]) -> str:
    """The figures with their captions, as HTML; "" where there is nothing to rank."""
    pictures = ranks_files(task, claims, "png")
    return html.side_by_side(*(html.picture(one.content, one.caption) for one in pictures)) if pictures else ""


def _no_wins(found: Ranked) -> str:
    return (
        f"Which row beats which is not tested: after Holm's correction over {found.pairs_words} the smallest p that "
        f"{found.cases} cases can give is {smallest_p(found.cases, found.pairs):.2g}."
    )


def _wins_caption(found: Ranked) -> str:
    return (
        "In how many of these metrics one row is better than another: two-sided Wilcoxon signed-rank test, "
        f"p < {found.alpha:g} after Holm's correction over {found.pairs_words} in each metric."
    )


def _saved(figure: Figure, ending: str) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=ending, dpi=style.PNG_DPI, metadata=style.METADATA[ending])
    return content.getvalue()
