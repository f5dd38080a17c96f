"""What marks a cell among those of its column: bold for the best, and the paper's four colours.

The paper's Table 1 calls them dark green (optimal), green (favorable), orange (moderate) and red (suboptimal), and does
not say where one ends and the next begins: the thresholds here are this project's.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

SHADES = ("optimal", "favorable", "moderate", "suboptimal")


def mark_best(rows: Sequence, columns: Sequence) -> list:
    """Rows with `best` where a variant's mean is the best that is shown; a control never, and never a single row.

    A column with too few common cases has no best.
    """
    for position, column in enumerate(columns):
        scores = {key: column.metric.score(mean) for key, mean in _shown(rows, position, column, ("variant",)).items()}
        if len(scores) >= 2 and column.is_compared:
            best = {key for key, score in scores.items() if score == max(scores.values())}
            rows = [_changed(row, position, best=row.key in best) for row in rows]
    return list(rows)


def shade(rows: Sequence, columns: Sequence) -> list:
    """Rows whose cells carry a shade: the best that is shown is optimal, the others by thirds of the column's range.

    With scores from 0 (the column's worst) to 1 (its best): favorable from 2/3, moderate from 1/3, else suboptimal.
    Variants are shaded among themselves, the paper's numbers among those that the paper prints; controls never. A
    column with fewer than two different values, an infinite one, or too few common cases has no shades,
    nor one whose variants do not differ over these: colours would be of chance.
    """
    for position, column in enumerate(columns):
        kinds = ("variant", "published") if column.published else ("variant",)
        means = _shown(rows, position, column, kinds)
        scores = {key: column.metric.score(mean) for key, mean in means.items()}
        span = max(scores.values()) - min(scores.values()) if scores else 0.0
        told = column.published or (column.is_compared and column.differs)
        if not (told and 0 < span < math.inf):
            continue
        shades = {key: _shade_of((score - min(scores.values())) / span) for key, score in scores.items()}
        rows = [_changed(row, position, shade=shades[row.key]) if row.key in shades else row for row in rows]
    return list(rows)


def _shade_of(share: float) -> str:
    if share >= 1:
        return SHADES[0]
    if share >= 2 / 3:
        return SHADES[1]
    return SHADES[2] if share >= 1 / 3 else SHADES[3]


def _shown(rows: Sequence, position: int, column, kinds: Sequence[str]) -> dict[str, float]:
    """Row -> mean as shown, of the rows of these kinds that have one."""
    shown = {}
    for row in rows:
        cell = row.cells[position]
        if row.kind in kinds and not math.isnan(cell.mean):
            shown[row.key] = round(cell.mean, column.metric.decimals if cell.decimals is None else cell.decimals)
    return shown


def _changed(row, position: int, **marks):
    cell = replace(row.cells[position], **marks)
    return replace(row, cells=row.cells[:position] + (cell,) + row.cells[position + 1 :])
