"""Weights of networks: those that come with the package, TotalSegmentator's own, and those that a study names."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from ...study import pretrained
from ...study.kinds import Network, Segmenter
from ...study.kinds.segmenters.totalsegmentator import DATASETS
from ...study.load import StudyError
from ...study.plan import StudyPlan
from ..progress import read_plan
from .finding import Finding

GET_TOTALSEGMENTATOR = "totalseg_download_weights -t total, where there is a network"


def find(options: argparse.Namespace) -> Iterator[Finding]:
    """options: with `study` None, what any study may use; else what this one lacks, and which weights it takes."""
    names = pretrained.names()
    yield Finding("ok" if names else "problem", "weights", f"with the package: {', '.join(names) or 'none'}")
    if options.study is None:
        yield totalsegmentator(totalsegmentator_folder())
        return
    try:
        plan = read_plan(options)
    except StudyError as error:
        for line in error.problems:
            yield Finding("problem", "study", line)
        return
    yield Finding("ok", "study", f"{options.study} is valid")
    yield from of_study(plan)


def totalsegmentator_folder() -> Path:
    """Where the TotalSegmentator package looks for its weights."""
    named, home = os.environ.get("TOTALSEG_WEIGHTS_PATH"), os.environ.get("TOTALSEG_HOME_DIR")
    return Path(named) if named else (Path(home) if home else Path.home() / ".totalsegmentator") / "nnunet/results"


def totalsegmentator(folder: Path) -> Finding:
    """Which of TotalSegmentator's models, by the options `task` of a study, lie whole in a folder."""
    complete = [task for task, numbers in DATASETS.items() if all(any(folder.glob(f"Dataset{n}_*")) for n in numbers)]
    if complete:
        return Finding("ok", "weights", f"TotalSegmentator's own ({', '.join(complete)}) in {folder}")
    text = f"TotalSegmentator's own are not in {folder}; the phantom studies need none"
    return Finding("note", "weights", text, GET_TOTALSEGMENTATOR)


def of_study(plan: StudyPlan) -> Iterator[Finding]:
    """The weights that a valid study takes from files, or will download; what it trains itself is no finding."""
    for name, task_plan in plan.tasks.items():
        task = task_plan.task
        kinds: list[tuple[str, Segmenter | Network]] = [*task.segmenters.items(), *task.networks.items()]
        for entry, kind in kinds:
            if kind.trained_here:
                continue
            what = f"{name}, {entry}"
            paths = kind.inputs(task_plan.paths.folder)
            missing = [path for path in paths if not (plan.root / path).exists()]
            download = getattr(kind, "download", None)
            if not missing:
                yield Finding("ok", "weights", f"{what}: {', '.join(paths)}")
            elif download:
                text = f"{what}: {', '.join(missing)} is not there, the run downloads it from {download['url']}"
                yield Finding("note", "weights", text, "without a network, put the file there by hand")
            else:
                yield Finding("problem", "weights", f"{what}: no {', '.join(missing)}")
