"""A study as the rules see it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..kinds import Source
from ..kinds.registry import METRICS
from ..kinds.sources import open_source
from ..paths import StudyPaths
from ..seeds import seed_marks
from ..task import Task
from .task import TaskPlan

# What Snakemake's log says at Ctrl-C, and at SIGTERM; jobs that end with an error after it were cut off.
STOPPED = re.compile(
    r"^Terminating processes on user request|^Will exit after finishing currently running", re.MULTILINE
)


class StudyPlan:
    """Everything that the rules ask of a study.

    study: completed (see study.load). root: the folder that relative paths start from.
    """

    def __init__(self, study: Mapping[str, Any], root: Path):
        self.study = study
        self.root = root
        self.paths = StudyPaths(study["results"])
        self.seeds = seed_marks(study)
        self.tasks = {
            name: TaskPlan(
                Task(name, options, root, study["seed"]), self.paths, study["runtime"]["precision"], self.seeds
            )
            for name, options in study["tasks"].items()
        }

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """The values that wildcards may have: of `task`, `variant`, `file_row`, `segmenter` and `network`."""
        parts: dict[str, Callable[[Task], Iterable[str]]] = {
            "variant": lambda task: task.trained,
            "file_row": lambda task: task.file_rows,
            "segmenter": lambda task: task.segmenters,
            "network": lambda task: task.networks,
        }
        tasks = [plan.task for plan in self.tasks.values()]
        return {"task": list(self.tasks)} | {
            wildcard: list(dict.fromkeys(name for task in tasks for name in names(task)))
            for wildcard, names in parts.items()
        }

    @cached_property
    def first_row(self) -> dict[str, str]:
        """The row to train before all others, as wildcards: the first task's reference; {} where nothing is trained."""
        for name, plan in self.tasks.items():
            rows = plan.task.trained
            if rows:
                reference = plan.option("reference")
                row = reference if reference in rows else next(iter(rows))
                fold, seed = plan.paths.folds[0], next(iter(self.seeds))
                generator = rows[row]["generator"]
                return {"task": name, "fold": fold, "variant": row, "seed": seed, "generator": generator}
        return {}

    # --- results

    @cached_property
    def extra_metrics(self) -> list[str]:
        """The metrics that are computed because a table of any task names them."""
        return list(dict.fromkeys(name for plan in self.tasks.values() for name in plan.results.extra_metrics))

    @property
    def metrics_code(self) -> tuple[str, ...]:
        """The modules of these metrics."""
        return tuple(module for name in self.extra_metrics for module in METRICS[name].code())

    @property
    def all_files(self) -> list[str]:
        """Everything that a finished study has."""
        files = [path for plan in self.tasks.values() for path in plan.results.all_files]
        return files + ([self.paths.report] if self.study["report"] else [])

    @property
    def report_inputs(self) -> dict[str, list[str]]:
        """Name -> what the report is made of."""
        plans = self.tasks.values()
        return {
            "figures": [path for plan in plans for path in plan.results.figures("png")],
            "slices": [path for plan in plans for path in plan.results.slice_panels],
            "tables": [path for plan in plans for path in plan.paths.tables(list(plan.task.tables), ["html"])],
            "records": [path for plan in plans for path in plan.results.report_records],
            "registered": [path for plan in plans for path in plan.cases.registered_test],
        }

    # --- downloads

    def source(self, kind: str) -> Source:
        """The source of the first task that has this kind; with default options where none has it."""
        sources = (plan.task.source for plan in self.tasks.values())
        found = next((source for source in sources if source.name == kind), None)
        return found or open_source({"source": kind}, self.root)

    def weights(self, path: str) -> dict[str, Any]:
        """The `url` and `sha256` of the weights that a download rule puts at `path`. Raises KeyError for another."""
        for plan in self.tasks.values():
            for network in plan.task.networks.values():
                if network.download is not None and path in network.inputs(plan.paths.folder):
                    return network.download
        raise KeyError(path)

    # --- what the terminal shows

    def summary(self) -> str:
        """At the end of a run: where the tables are, and the tables themselves."""
        lines = ["", "afpbench: done. The tables:"]
        for plan in self.tasks.values():
            for path in map(Path, plan.paths.tables(list(plan.task.tables), ["md"])):
                if path.exists():
                    text = unescaped(path.read_text(encoding="utf-8")).rstrip()
                    lines += ["", f"{path} (and .csv, .tex, .html)", "", text]
        if self.study["report"]:
            lines += ["", f"Everything on one page: {self.paths.report}"]
        return "\n".join(lines)


def unescaped(markdown: str) -> str:
    """Markdown as a terminal shows it: `p < 0.05`, and not `p \\< 0.05`."""
    return re.sub(r"\\([\\|*_<`])", r"\1", markdown)


def failure_hint(log: Path) -> str:
    """When a run fails or is stopped: where to look, and how to go on. log: Snakemake's own."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return _failed([f"(Snakemake's own log cannot be read: {error})"])
    before, *after = STOPPED.split(text, maxsplit=1)
    failed = [line.strip() for line in before.splitlines() if line.strip().startswith("log:") and "check" in line]
    if not after:
        return _failed(failed or ["(none: see the message above)"])
    stopped = "\nafpbench: the run was stopped. Finished work is kept: the same command goes on where it was."
    return stopped + (_failed(failed) if failed else "")


def _failed(logs: Sequence[str]) -> str:
    lines = ["", "afpbench: the run did not finish. Logs of the rules that failed:"]
    lines += [f"  {line}" for line in dict.fromkeys(logs)]
    lines += ["Finished work is kept: mend the cause and give the same command again."]
    return "\n".join(lines)
