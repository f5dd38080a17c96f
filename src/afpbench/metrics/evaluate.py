"""From images and label maps to lines of the long table: one pair, or one row (variant or control) of a task."""

import math
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..base.batch import Batch
from ..base.errors import DataError
from ..base.log import logger, progress, tools
from ..data.failures import failure_of, policy
from ..study.kinds.metric import REGIONS
from ..study.kinds.registry import METRICS
from ..study.metrics import family_metrics
from ..study.paths import TaskPaths
from ..volumes import io
from ..volumes.images import read_image
from . import own
from .definitions import AFPBENCH, DEFINITIONS, Definition
from .image import error_metrics, image_metrics, structure_error_hu
from .longtable import COLUMNS, DIAGONAL, NO_VALUE, failed_status, is_failed, line, write_long
from .pair import Pair, check_grids, read_pair
from .structures import Structure, parse_structures
from .surface import bounding_box, label_boxes
from .tree import tree_metrics
from .uncertainty import no_uncertainty, uncertainty_lines


def evaluate_pair(
    pair: Pair,
    task: str,
    row: str,
    structures: Sequence[Structure],
    inside_mask: bool = True,
    definition: Definition = AFPBENCH,
    metrics: Sequence[str] = (),
) -> list[dict]:
    """The lines of one case. metrics: those to compute besides, which are no family's.

    inside_mask: segmentations count only inside the mask (the region that both modalities cover); without a mask the
    whole volume counts. Raises DataError, with the case, where two grids differ.
    """
    check_grids(pair)
    lines = []
    if pair.real is not None and pair.synthetic is not None:
        regions = image_metrics(
            pair.real.array,
            pair.synthetic.array,
            None if pair.mask is None else pair.mask.array,
            definition.clip_hu,
            f"case {pair.case}, row {row}",
            definition.clips_errors,
        )
        for region, values in regions.items():
            lines += [line(task, row, pair.case, "", region, metric, values[metric], _image_status(values[metric]))
                      for metric in family_metrics("image")]  # fmt: skip
        lines += own.image_lines(pair, task, row, metrics, definition.clip_hu)
        lines += own.mr_lines(pair, task, row, metrics, definition.clip_hu)
    within = pair.mask.array != 0 if inside_mask and pair.mask is not None else None
    boxes: dict[Structure, tuple[slice, ...]] = {}
    for name, maps in pair.segmentations.items():
        its = [structure for structure in structures if structure.segmenter == name]
        boxes |= zip(its, label_boxes([structure.labels for structure in its], [v.array for v in maps]), strict=True)
    for structure in structures:
        lines += _structure_lines(pair, task, row, structure, boxes[structure], within, definition, metrics)
    return lines


def evaluate_row(
    root: str | Path,
    task: str,
    row: str,
    cases: Sequence[str],
    structures: Mapping[str, Mapping],
    *,
    tolerance_mm: float | None = None,
    failed: Mapping[str, str] | None = None,
    calibrations: Mapping[str, Mapping] | None = None,
    inside_mask: bool = True,
    definition: str = "afpbench",
    metrics: Sequence[str] = (),
    uncertainty: Collection[str] | None = None,
    seed: str = "",
    run: str | None = None,
    real_root: str | Path | None = None,
    with_ct: bool = True,
    threads: int = 1,
    out: str | Path | None = None,
) -> pd.DataFrame:
    """The long table of one row (variant or control) of a task, for all its cases in the order given.

    root: the task's folder, with cases/, synthetic/ and segmentations/. structures: as parse_structures takes them.
    failed: case -> reason, for cases that have no images because they failed: their lines carry
    `failed: <reason>`; the cases whose folder holds failed.json are found besides.
    calibrations: case -> {"slope", "offset_hu"}, for cases whose HU were calibrated. definition: of DEFINITIONS, by
    name. metrics: those to compute besides, since a table names them (study.metrics.extra_metrics). uncertainty: the
    cases that have an uncertainty map, of a task that keeps them; None of another. seed: that trained the row. run:
    what the row's images are called where that is not its name (study.paths). real_root: the folder of the task whose
    real CT, mask and segmentations of it are compared with, where not `root`. with_ct: whether there are CTs; of label
    maps alone no metric of an image has lines. threads: cases at once. out: where to write the table. A case that fails
    here has lines `failed: metrics: <reason>` while failed cases are excluded and another succeeds; otherwise a
    DataError names each with its file, and nothing is written.
    """
    wanted, real = parse_structures(structures, tolerance_mm), real_root or root
    reasons = failed_cases(root, cases) | failed_cases(real, cases) | dict(failed or {})
    tools("surface-distance", "scikit-image")
    images, calibrated, chosen = run or row, dict(calibrations or {}), DEFINITIONS[definition]
    options = (wanted, reasons, calibrated, inside_mask, chosen, metrics, uncertainty, with_ct)
    evaluate = partial(_evaluate_case, TaskPaths(str(root)), TaskPaths(str(real)), task, row, images, *options)
    batch = Batch(f"metrics of {task}/{images}", [case for case in cases if case not in reasons])

    def work(case: str) -> list[dict]:
        with batch.case(case):
            return evaluate(case)
        status = failed_status(f"metrics: {batch.cause(case)}")
        return _failed_lines(task, row, case, wanted, metrics, uncertainty, with_ct, status)

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        per_case = list(progress(pool.map(work, cases), len(cases), f"metrics of {task}/{row}, case"))
    if policy() == "stop" or batch.all_failed:
        batch.finish(kept="nothing was written")
    lines = [entry | {"seed": seed} for case_lines in per_case for entry in case_lines]
    long = pd.DataFrame(lines, columns=list(COLUMNS))
    _warn_of_missing(long, f"{task}/{images}")
    if out is not None:
        write_long(long, out)
    return long


def calibration_lines(pair: Pair, task: str, row: str, calibration: Mapping, definition=AFPBENCH) -> list[dict]:
    """The calibration of a case: its slope and offset, and MAE and ME inside the body without it.

    pair: with the synthetic CT before calibration. calibration: {"slope", "offset_hu"}.
    """
    check_grids(pair)
    if pair.mask is None or pair.real is None or pair.synthetic is None:
        raise DataError(f"case {pair.case}: the errors before a calibration need both CTs and the body's mask")
    inside = pair.mask.array != 0
    images = (pair.real.array[inside], pair.synthetic.array[inside])
    errors = error_metrics(*images, definition.clip_hu, definition.clips_errors)
    values = {"mae_uncalibrated": errors["mae"], "me_uncalibrated": errors["me"]}
    values |= {"calibration_slope": calibration["slope"], "calibration_offset_hu": calibration["offset_hu"]}
    return [line(task, row, pair.case, "", "body", metric, value, "ok") for metric, value in values.items()]


def diagonal_mm(volume: io.Volume) -> float:
    """From corner to corner of a volume: the largest distance that two points of it can have."""
    return math.hypot(*(count * size for count, size in zip(volume.array.shape, volume.spacing_mm, strict=True)))


def _warn_of_missing(long: pd.DataFrame, what: str) -> None:
    """Log the structures that the segmenter finds on the real CT of no case: a wrong class, or not in these images."""
    dice = long[(long["metric"] == "dice") & ~is_failed(long["status"])]
    for (segmenter, structure), lines in dice.groupby(["segmenter", "structure"], sort=False):
        if lines["status"].isin(("both_empty", "real_empty")).all():
            logger.warning(
                "%s: %s finds the structure %s on the real CT of none of %d cases",
                what,
                segmenter,
                structure,
                len(lines),
            )


def failed_cases(root: str | Path, cases: Sequence[str]) -> dict[str, str]:
    """case -> reason, of the cases whose prepared folder holds failed.json instead of images."""
    reasons = {}
    for case in cases:
        record = failure_of(Path(TaskPaths(str(root)).prepared(case)))
        if record is not None:
            reasons[case] = f"{record['stage']}: {record['error']}"
    return reasons


def _evaluate_case(
    paths, real, task, row, run, structures, reasons, calibrations, inside_mask, definition, metrics, uncertainty,
    with_ct, case,
) -> list[dict]:  # fmt: skip
    if case in reasons:
        return _failed_lines(task, row, case, structures, metrics, uncertainty, with_ct, failed_status(reasons[case]))
    segmenters = list(dict.fromkeys(structure.segmenter for structure in structures))
    has_map = uncertainty is not None and case in uncertainty
    pair = read_pair(paths, real, case, run, segmenters, bool(own.of_mr(metrics)), has_map, with_ct)
    lines = evaluate_pair(pair, task, row, structures, inside_mask, definition, metrics)
    if pair.mask is not None:
        lines.append(line(task, row, case, "", "volume", DIAGONAL, diagonal_mm(pair.mask), "ok"))
    lines += uncertainty_lines(pair, task, row, definition) if uncertainty is not None else []
    if case in calibrations:
        path, what = paths.synthetic(run).uncalibrated(case), f"case {case}, row {run}"
        before = replace(pair, synthetic=read_image(path, f"{what}: synthetic CT before calibration"), segmentations={})
        lines += calibration_lines(before, task, row, calibrations[case], definition)
    return lines


def _structure_lines(pair: Pair, task, row, structure: Structure, box, within, definition, metrics) -> list[dict]:
    spacing_mm = pair.segmentations[structure.segmenter][0].spacing_mm
    real, synthetic = (structure.mask(volume.array[box]) for volume in pair.segmentations[structure.segmenter])
    if within is not None:
        real, synthetic = real & within[box], synthetic & within[box]
    either = real | synthetic
    inner = bounding_box(either) if either.any() else (slice(None),) * 3
    real, synthetic = real[inner], synthetic[inner]
    what = f"case {pair.case}, row {row}, structure {structure.name}"
    values = definition.of_structure(real, synthetic, spacing_mm, structure.tolerance_mm, what)
    status = values.pop("status")
    statuses = dict.fromkeys(values, status)
    others = _volume_error(real, synthetic, spacing_mm)
    if structure.tree:
        others |= tree_metrics(real, synthetic, spacing_mm)
    if pair.real is not None and pair.synthetic is not None:
        real_hu, synthetic_hu = pair.real.array[box][inner], pair.synthetic.array[box][inner]
        others["me"] = structure_error_hu(real_hu, synthetic_hu, real, definition.clip_hu)
    statuses |= {metric: status if math.isnan(value) else "ok" for metric, value in others.items()}
    extra = own.structure_values(real, synthetic, spacing_mm, structure, metrics, what)
    missing = NO_VALUE if status == "ok" else status
    statuses |= {metric: missing if math.isnan(value) else "ok" for metric, value in extra.items()}
    values |= others | extra
    return [line(task, row, pair.case, structure.segmenter, structure.name, metric, values[metric], statuses[metric])
            for metric in [*structure.metrics, *extra] if metric in values]  # fmt: skip


def _volume_error(real: np.ndarray, synthetic: np.ndarray, spacing_mm: Sequence[float]) -> dict[str, float]:
    """The volume of the synthetic structure less that of the real one, in mL; NaN where both are empty."""
    voxels = int(synthetic.sum()) - int(real.sum())
    empty = not (real.any() or synthetic.any())
    return {"volume_error": math.nan if empty else voxels * math.prod(spacing_mm) / 1000}


def _failed_lines(
    task, row, case, structures: Sequence[Structure], metrics, uncertainty, with_ct: bool, status: str
) -> list[dict]:
    images = _image_places(metrics) if with_ct else []
    places = [*images, ("volume", DIAGONAL)]
    lines = [line(task, row, case, "", region, metric, math.nan, status) for region, metric in places]
    for structure in structures:
        own_metrics = [metric for metric in structure.metrics if with_ct or not METRICS[metric].in_hu()]
        extra = [metric.name for metric in own.of_structures(metrics, structure.tree)]
        lines += [line(task, row, case, structure.segmenter, structure.name, metric, math.nan, status)
                  for metric in [*own_metrics, *extra]]  # fmt: skip
    return lines + (no_uncertainty(task, row, case, status) if uncertainty is not None else [])


def _image_places(metrics: Sequence[str]) -> list[tuple[str, str]]:
    """(region, metric) for each value that a case has of its images."""
    places = [(region, metric) for region in REGIONS for metric in family_metrics("image")]
    places += [(region, metric.name) for region, metric in own.of_images(metrics)]
    return places + [("body", metric.name) for metric in own.of_mr(metrics)]


def _image_status(value: float) -> str:
    """A mask that lies wholly in the border that SSIM leaves out has no SSIM: nothing real to compare."""
    return "real_empty" if math.isnan(value) else "ok"
