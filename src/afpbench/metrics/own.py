"""The metrics that are no family's, as a user adds them: each called by itself, where a table names it."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import AfpbenchError, DataError
from ..study.kinds.metric import Metric
from ..study.kinds.registry import METRICS
from ..volumes.preprocessing import body_mask_mr
from .longtable import NO_VALUE, line
from .structures import Structure

if TYPE_CHECKING:
    from .pair import Pair


def of_images(names: Sequence[str]) -> list[tuple[str, type[Metric]]]:
    """(region, metric) for each value that these metrics have of an image."""
    metrics = [METRICS[name] for name in names]
    found = [metric for metric in metrics if "image" in metric.of]
    return [(region, metric) for metric in found for region in metric.regions]


def of_mr(names: Sequence[str]) -> list[type[Metric]]:
    """Those of these metrics that compare the synthetic CT with the MR."""
    return [METRICS[name] for name in names if "mr" in METRICS[name].of]


def of_structures(names: Sequence[str], tree: bool) -> list[type[Metric]]:
    """Those of these metrics that a structure has. tree: whether it is one with branches."""
    fitting = {"structure", "tree"} if tree else {"structure"}
    return [METRICS[name] for name in names if fitting & set(METRICS[name].of)]


def image_lines(
    pair: "Pair", task: str, row: str, names: Sequence[str], clip_hu: tuple[float, float]
) -> list[dict[str, Any]]:
    """The lines of one case: its whole image in each region that there is (`body` needs a mask)."""
    wanted = of_images(names)
    if not wanted or pair.real is None or pair.synthetic is None:
        return []
    real, synthetic = (np.clip(image.array.astype(np.float64), *clip_hu) for image in (pair.real, pair.synthetic))
    regions = {"volume": np.ones(real.shape, bool)}
    if pair.mask is not None:
        regions["body"] = pair.mask.array != 0
    lines = []
    for region, metric in wanted:
        if region in regions:
            what = f"case {pair.case}, row {row}, {region}"
            value = _value(metric, what, metric.of_image, real, synthetic, regions[region], pair.real.spacing_mm)
            status = NO_VALUE if math.isnan(value) else "ok"
            lines.append(line(task, row, pair.case, "", region, metric.name, value, status))
    return lines


def mr_lines(
    pair: "Pair", task: str, row: str, names: Sequence[str], clip_hu: tuple[float, float]
) -> list[dict[str, Any]]:
    """The lines of one case that compare its synthetic CT with its MR, in the MR's body where the CT has data."""
    wanted = of_mr(names)
    if not wanted or pair.mr is None or pair.covered is None or pair.synthetic is None:
        return []
    mask = body_mask_mr(pair.mr) & (pair.covered.array != 0)
    synthetic, lines = np.clip(pair.synthetic.array.astype(np.float64), *clip_hu), []
    for metric in wanted:
        what = f"case {pair.case}, row {row}, MR"
        value = _value(metric, what, metric.of_mr, pair.mr.array, synthetic, mask, pair.mr.spacing_mm)
        status = NO_VALUE if math.isnan(value) else "ok"
        lines.append(line(task, row, pair.case, "", "body", metric.name, value, status))
    return lines


def structure_values(
    real: np.ndarray,
    synthetic: np.ndarray,
    spacing_mm: Sequence[float],
    structure: Structure,
    names: Sequence[str],
    what: str,
) -> dict[str, float]:
    """Metric -> value of one structure of one case: two bool masks (z, y, x). NaN, uncalled, where both are empty."""
    wanted, empty = of_structures(names, structure.tree), not (real.any() or synthetic.any())
    options = {
        "name": structure.name,
        "segmenter": structure.segmenter,
        "tolerance_mm": structure.tolerance_mm,
        "tree": structure.tree,
    }
    return {
        metric.name: math.nan
        if empty
        else _value(metric, what, metric.of_structure, real, synthetic, spacing_mm, options)
        for metric in wanted
    }


def _value(metric: type[Metric], what: str, compute: Callable[..., float], *arguments: Any) -> float:
    """What a metric returns, as a number. Raises DataError that names the metric and the case."""
    try:
        return float(compute(*arguments))
    except AfpbenchError:
        raise
    except Exception as error:
        raise DataError(
            f"{what}: the metric '{metric.name}' failed",
            found=f"{type(error).__name__}: {error}",
            expected="a number, or NaN where there is none",
            hint=f"correct {metric.__module__}.{metric.__qualname__}",
        ) from error
