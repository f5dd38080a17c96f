"""`afpbench validate`: check a study file, and say in a few lines what it asks for."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..base.hardware import has_gpu
from ..base.log import logger
from ..study.checks.training import iterations_run
from ..study.kinds import Network, Segmenter
from ..study.kinds.sources import open_source
from ..study.load import StudyError
from ..study.seeds import training_seeds
from ..study.splits import PARTS, fold_folders, make_folds
from ..study.task import Task
from .arguments import add_choice, add_study, load_chosen
from .running.durations import duration

MANY_ITERATIONS = 20_000  # of all trainings; the shipped studies for a CPU stay below 10,000
SMALL_ITERATION_S, FULL_ITERATION_S = 0.4, 60  # on one core: 8 to 64 features on 40 x 40 x 64 voxels, and the paper's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench validate`."""
    add_study(parser)
    add_choice(parser)
    parser.add_argument("--json", action="store_true", help="print whether it is valid, and every problem, as JSON")
    parser.add_argument("--quiet", action="store_true", help="print problems and warnings only")


def run(options: argparse.Namespace) -> int:
    """Check a study file; print what it asks for. Returns 0; raises StudyError with every problem.

    With --json problems are printed, and the exit code is 1 where there are any.
    """
    try:
        loaded = load_chosen(options)
    except StudyError as error:
        if not options.json:
            raise
        print(json.dumps({"valid": False, "problems": error.problems}, indent=2, ensure_ascii=False))
        return 1
    if options.json:
        print(json.dumps({"valid": True, "problems": []}, indent=2))
    elif not options.quiet:
        print(summary(loaded, options.root))
    if warning := too_long(loaded, options.root, has_gpu()):
        logger.warning(warning)
    return 0


def too_long(study: Mapping[str, Any], root: Path, gpu: bool) -> str:
    """What is said of a study whose trainings are for a GPU, on a machine without one; "" where there is nothing."""
    count = sum(_iterations(name, task, study, root) for name, task in study["tasks"].items())
    if count <= MANY_ITERATIONS or (gpu and study["runtime"]["device"] != "cpu"):
        return ""
    others = [name for name in study["presets"] if name != study["preset"]]
    hint = f"--preset {others[0]} (presets: {', '.join(others)})" if others else "lower training.iterations"
    small, full = (duration(count * seconds) for seconds in (SMALL_ITERATION_S, FULL_ITERATION_S))
    return (
        f"{count} iterations of training and no GPU: on one core about {small} with a small network, {full} with one "
        f"of the paper's size; hint: a machine with a GPU, or for a first table {hint}"
    )


def _iterations(name: str, options: dict, study: Mapping[str, Any], root: Path) -> int:
    """Of all trainings of a task: of each fold, and of a variant with each seed."""
    task = Task(name, options, root, study["seed"])
    learners: list[Segmenter | Network] = [*task.segmenters.values(), *task.networks.values()]
    once = sum(iterations_run(learner.options["training"]) for learner in learners if learner.trained_here)
    each = sum(iterations_run(variant["training"]) for variant in task.trained.values())
    return len(fold_folders(options["splits"])) * (once + each * len(training_seeds(study)))


def summary(study: dict, root: Path) -> str:
    """A study in a few lines: tasks, cases, networks, rows and tables."""
    more = f", preset '{study['preset']}'" if study["preset"] else ""
    seeds = training_seeds(study)
    more += f", variants with the seeds {', '.join(map(str, seeds))}" if seeds != [study["seed"]] else ""
    count = len(study["tasks"])
    lines = [f"valid: {count} {'task' if count == 1 else 'tasks'}, seed {study['seed']}{more}"]
    for name, task in study["tasks"].items():
        cases = open_source(task["data"], root).cases()
        folds = make_folds(cases, task["splits"], study["seed"], name)
        words = ", ".join(f"{len(folds[0][part])} {part}" for part in PARTS)
        lines += [
            f"\n{name}: {task['title']}",
            f"  data        {task['data']['source']}, {len(cases)} cases: "
            + (f"{len(folds)} folds, the first {words}" if len(folds) > 1 else words),
            f"  spacing     {_spacing(task['spacing_mm'])}",
            f"  segmenters  {_kinds(task['segmenters'], 'kind') or 'none'}",
            f"  structures  {', '.join(task['structures']) or 'none'}{_tolerance(task)}",
            f"  generators  {_kinds(task['generators'], 'kind') if _is_trained(task) else 'none'}",
            "  variants",
            *(f"    {key}: {_variant(variant)}" for key, variant in task["variants"].items()),
            f"  controls    {', '.join(task['controls']) or 'none'}",
            f"  reference   {task['reference']}",
            f"  tables      {', '.join(task['tables'])}",
        ]
    return "\n".join(lines)


def _kinds(entries: dict, key: str) -> str:
    return ", ".join(f"{name} ({entry[key]})" for name, entry in entries.items())


def _spacing(spacing_mm: list[float] | None) -> str:
    if spacing_mm is None:
        return "each case's own"
    return f"{' x '.join(f'{value:g}' for value in spacing_mm)} mm (z, y, x)"


def _tolerance(task: dict) -> str:
    return f"; tolerance {task['tolerance_mm']:g} mm" if task["structures"] else ""


def _is_trained(task: dict) -> bool:
    return any("loss" in variant for variant in task["variants"].values())


def _variant(variant: dict) -> str:
    if "synthetic" in variant and variant["synthetic"] is None:
        return "label maps"
    if "synthetic" in variant:
        return f"files, {variant['synthetic']}" + (", resampled" if variant["resample"] else "")
    terms = []
    for term in variant["loss"]:
        weight = term.get("weight", 1)
        networks = [n["name"] if isinstance(n, dict) else n for n in term.get("networks") or []]
        factor = "" if weight == 1 else f"{weight:g} x "
        terms.append(f"{factor}{term['term']}" + (f"({', '.join(networks)})" if networks else ""))
    start = f", from {variant['init_from']}" if variant["init_from"] else ""
    return f"{variant['generator']}, {' + '.join(terms)}{start}, {variant['training']['iterations']} iterations"
