"""What a schema cannot see in a study file: names that must exist elsewhere, numbers that must fit, files on disk.

Each check takes a completed task and returns its problems, one line each; one file for each section of a study file.
Standard library only.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...base.errors import AfpbenchError, one_line
from ..kinds.files import no_file
from ..registration import MODELS, places
from ..registration import problems as registration_problems
from ..significance import smallest_p
from ..split_columns import resolve_splits
from ..task import Task
from . import figures, tables
from .data import (
    case_problems,
    missing_files,
    missing_synthetic,
    problems_without_mr,
    source_problems,
    synthetic_problems,
)
from .generators import check_generators
from .inference import check_inference
from .label_maps import label_map_problems
from .paths import check_paths
from .segmenters import check_networks, check_segmenters, check_structures
from .training import broken_epochs, choice_warnings
from .variants import check_variants

PARTS_WITH_PATHS = ("data", "registration", "segmenters", "feature_networks", "variants")


def check_task(task: Task, may_lack_files: bool = False) -> list[str]:
    """All problems of one completed task, in the order of the file.

    may_lack_files: whether the study goes on without cases whose files are missing.
    """
    where, options = task.place, task.options
    return [
        *check_paths(where, {key: options[key] for key in PARTS_WITH_PATHS}),
        *_check_pairs(where, options),
        *source_problems(task),
        *problems_without_mr(task),
        *label_map_problems(task),
        *_check_own_spacing(task),
        *_check_registration(task),
        *case_problems(task),
        *([] if may_lack_files else missing_files(task)),
        *synthetic_problems(task),
        *([] if may_lack_files else missing_synthetic(task)),
        *check_segmenters(task),
        *check_networks(task),
        *check_structures(task),
        *check_generators(task),
        *check_inference(task),
        *check_variants(task),
        *tables.problems(task),
        *figures.problems(task),
    ]


def fill_splits(name: str, task: dict, root: Path) -> list[str]:
    """Put lists of cases in the place of columns in a task's `splits`, in place. Returns the problems.

    Where nothing is trained and no part is named, every case is a test case.
    """
    splits, whole = task["splits"], Task(name, task, root)
    if not whole.needs_training and all(splits[key] is None for key in ("train", "validation", "test", "folds")):
        with contextlib.suppress(AfpbenchError):  # case_problems says what is wrong with the cases
            splits["test"] = sorted(whole.source.cases())
    try:
        resolve_splits(splits, whole.source)
    except AfpbenchError as error:
        return [f"tasks.{name}.splits: {one_line(error)}"]
    return []


def warnings(study: dict) -> list[str]:
    """What is allowed but unwise, one line each."""
    lines = []
    for name, task in study["tasks"].items():
        test = task["splits"]["test"]
        if test is not None:  # folds: every case is a test case
            count = len(test) if isinstance(test, list) else test
            cases = "1 test case" if count == 1 else f"{count} test cases"
            lines += [f"tasks.{name}.splits.test: with {cases} {line}" for line in _unreachable(task, count)]
        for variant, entry in task["variants"].items():
            if "synthetic" not in entry:
                lines += choice_warnings(f"tasks.{name}.variants.{variant}", entry["training"])
        lines += broken_epochs(f"tasks.{name}", task)
    return lines


def _unreachable(task: Mapping, count: int) -> list[str]:
    """What no test over `count` cases can show. The family of Holm's correction: the variants beside the reference."""
    alpha, family = task["statistics"]["alpha"], len(task["variants"]) - 1
    smallest, corrected = smallest_p(count), smallest_p(count, family)
    if smallest >= alpha:
        words = f"the smallest p of a two-sided Wilcoxon test is {smallest:.3g}"
        return [f"{words}, so nothing can reach p < {alpha:g}"]
    if corrected >= alpha:
        needed = math.floor(math.log2(2 * family / alpha)) + 1
        words = f"and {family} rows beside the reference the smallest p after Holm's correction is {corrected:.3g}"
        return [f"{words}, so nothing can reach p_holm < {alpha:g}; hint: {needed} test cases or more"]
    return []


def _check_own_spacing(task: Task) -> list[str]:
    """Networks are trained at one spacing; and tolerances that follow from it have none."""
    if task.options["spacing_mm"] is not None:
        return []
    allowed = "allowed: three numbers above 0 in mm, in the order z, y, x"
    lines = [f"{task.place}.spacing_mm: null where something is trained; {allowed}"] if task.needs_training else []
    if task.options["structures"] and task.options["tolerance_mm"] is None:
        lines.append(f"{task.place}.tolerance_mm: missing; allowed: a number above 0; hint: spacing_mm is null")
    return lines


def _check_registration(task: Task) -> list[str]:
    """Keys that go together, the user's parameter files, and a truth that somebody knows."""
    found = places(task.options["registration"])
    lines = [
        f"{task.place}.{place}.{line}"
        for place, options in found.items()
        for line in [*registration_problems(options), *_unknown_truth(task, options), *_no_files(task, options)]
    ]
    if len(found) > 1 and not task.needs_training:
        lines.append(f"{task.place}.registration.train: has no effect, since nothing is trained; hint: leave out "
                     "`train` and `evaluate`, and write the keys of the latter")  # fmt: skip
    return lines


def _unknown_truth(task: Task, options: Mapping) -> Iterator[str]:
    if options["method"] == "truth" and not task.source.knows_deformation:
        found = f"the source {task.source.name}, whose cases come without one"
        yield f"method: no true deformation is known; found: {found}; allowed: elastix, external, none"


def _no_files(task: Task, options: Mapping) -> Iterator[str]:
    for index, name in enumerate(options["parameter_files"]):
        if not (task.root / name).is_file():
            yield no_file(f"parameter_files[{index}]", name, task.root, "name an elastix parameter file")
    model = options["impact"]["model"]
    if model and not (task.root / model).is_file():
        yield no_file("impact.model", model, task.root, MODELS)


def _check_pairs(where: str, task: Mapping) -> list[str]:
    """Lower and upper limits in the right order."""
    limits = ("mr_clip_percentiles", "ct_clip_percentiles", "ct_clip_hu")
    pairs = {f"normalization.{key}": task["normalization"][key] for key in limits}
    pairs["figures.window_hu"] = task["figures"]["window_hu"]
    labels = task["data"].get("labels") or {}
    for name, structure in labels.get("structures", {}).items():
        pairs[f"data.labels.structures.{name}.hu"] = structure["hu"]
    return [
        f"{where}.{key}: the lower limit must come first; found: {pair}; allowed: two numbers in rising order"
        for key, pair in pairs.items()
        if pair[0] is not None and pair[0] >= pair[1]
    ]
