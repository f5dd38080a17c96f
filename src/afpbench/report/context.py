"""What the report's sections read of a task."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from ..base import html
from ..metrics.accuracy import read_accuracy
from ..metrics.longtable import is_failed, read_long
from ..metrics.missing import with_penalties
from ..metrics.seeds import over_seeds
from ..metrics.statistics import read_statistics
from ..study import channels
from ..study.kinds.metric import Metric
from ..study.kinds.registry import METRICS, TABLES
from ..study.kinds.source import Source
from ..study.kinds.sources import open_source
from ..study.paths import FoldPaths, TaskPaths
from ..study.records import read_record
from ..study.seeds import with_seed
from ..study.splits import fold_folders, is_ensemble, test_cases, with_fold

PARTS = ("train", "validation", "test", "unused")


class Task:
    """What the sections read of a task.

    root: the task's folder. spec: the task of the completed study. context: rows, labels and reference, as tables
    take them. figures: PNG files with the page's relative path of each one's PDF. seeds: those of the trainings, by the
    wildcard `seed` (study.seeds).
    """

    def __init__(
        self,
        name: str,
        root: Path,
        spec: Mapping,
        context: Mapping,
        figures: Sequence[tuple[Path, str]],
        seeds: Mapping[str, int] = MappingProxyType({"": 0}),
    ):
        self.name, self.root, self.spec, self.context, self.figures = name, Path(root), spec, context, figures
        self.seeds = seeds
        self.folds = fold_folders(spec["splits"])
        self.paths = TaskPaths(str(root), tuple(self.folds))
        self.long, self.statistics = read_long(self.paths.metrics), read_statistics(self.paths.statistics)
        self.splits = [read_record(self.paths.fold(fold).splits) for fold in self.folds]
        self.labels = context["labels"]

    @property
    def has_trained_rows(self) -> bool:
        """Whether any row was trained here; rows from files were not."""
        return any("synthetic" not in variant for variant in self.spec["variants"].values())

    @cached_property
    def source(self) -> Source:
        """Where its cases come from. It reads no file."""
        return open_source(self.spec["data"], Path())

    def label(self, row: str) -> str:
        return self.labels.get(row) or row

    def used_cases(self) -> list[str]:
        return list(dict.fromkeys(case for split in self.splits for part in PARTS[:3] for case in split[part]))

    def test_cases(self) -> list[str]:
        return test_cases(self.splits)

    @property
    def folds_words(self) -> str:
        """What the task's folds are, before the counts of the first; "" without folds."""
        if len(self.folds) == 1:
            return ""
        together = ", whose networks predict the test cases together" if is_ensemble(self.spec["splits"]) else ""
        return f"cross-validation with {len(self.folds)} folds{together}, the first of "

    def shown_cases(self) -> list[str]:
        """What the study file says of the cases to show, less the cases that failed."""
        failed = set(self.long.loc[is_failed(self.long["status"]), "case"])
        return [pick for pick in self.spec["figures"]["cases"] if pick not in failed]

    def costs(self) -> list[tuple[str, dict]]:
        """(name for people, cost record) of every network that was trained."""
        networks = [
            (with_seed(spec["label"], seed, self.seeds), FoldPaths.variant, f"{name}{seed}")
            for name, spec in self.spec["variants"].items()
            for seed in self.seeds
        ]
        networks += [(spec["label"], FoldPaths.segmenter, name) for name, spec in self.spec["segmenters"].items()]
        costs = [
            (with_fold(label, fold), Path(model(self.paths.fold(fold), name).cost))
            for label, model, name in networks
            for fold in self.folds
        ]
        return [(label, read_record(path)) for label, path in costs if path.is_file()]

    @cached_property
    def every(self) -> pd.DataFrame:
        """The long table with penalties, with every seed."""
        return with_penalties(self.long, self.context["missing"])

    @cached_property
    def compared(self) -> pd.DataFrame:
        """The same averaged over the seeds, as rows are compared."""
        return over_seeds(self.every)

    @cached_property
    def judge_dice(self) -> dict[str, float]:
        """Structure -> mean Dice of its segmenter on the real CT against the true labels, where these are known."""
        lines = self.accuracy[self.accuracy["metric"] == "dice"]
        return lines.groupby("structure")["value"].mean().to_dict()

    @cached_property
    def accuracy(self) -> pd.DataFrame:
        """The segmenters against the true labels, a line per value (metrics.accuracy); empty where unknown."""
        path = Path(self.paths.accuracy)
        if not path.is_file():
            return pd.DataFrame(columns=["segmenter", "structure", "metric", "value"])
        return read_accuracy(path)

    def columns(self, tables: Iterable[str] | None = None) -> list[tuple[str, str, str]]:
        """(metric, structure or region, name for people) of every column of tables, each once; None: of all tables."""
        found = {}
        for table in self.spec["tables"] if tables is None else tables:
            for column in TABLES.make(self.spec["tables"][table]).columns():
                metric, structure = METRICS[column["metric"]], column["structure"]
                place = structure or column["region"]
                of = self.spec["structures"][structure]["label"] if structure else ""
                of = of or ("whole volume" if place == "volume" else "")
                name = f"{named(metric)} {metric.arrow()}" + (f", {of}" if of else "")
                found[metric.name, place] = name
        return [(metric, place, name) for (metric, place), name in found.items()]


def linked(png: Path, page: Path) -> tuple[Path, str]:
    """A figure as `Task` takes it: its PNG, and the path of its PDF as the page sees it."""
    return png, os.path.relpath(png.with_suffix(".pdf").absolute(), page.absolute().parent)


def mr_title(task: Task) -> str:
    """What the MR that is shown is called: `MR`, or with its name the first of several channels."""
    return channels.title(channels.FIRST, task.source.mr_channels)


def named(metric: type[Metric]) -> str:
    """A metric's name with its unit."""
    return metric.label + (f" ({metric.unit})" if metric.unit else "")


def section(task: Task, title: str, key: str, *parts: str) -> str:
    return html.section(title, f"{task.name}-{key}", *parts, level=3)


def structure_label(task: Task, structure: str) -> str:
    """A structure's name for people."""
    return task.spec["structures"].get(structure, {}).get("label", structure)
