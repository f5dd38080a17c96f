"""`afpbench plan`: what a run would do: jobs by rule, what they will take by what was measured, and what is missing."""

import argparse
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from ..base.errors import ConfigError
from ..base.hardware import has_gpu
from ..base.package import PROJECT
from ..study.load import StudyError
from ..study.plan import StudyPlan
from .findings import Finding, machine, weights
from .progress import add_run, command, read_plan, snakemake
from .running import child
from .running.durations import Cost, read_costs, record_kinds
from .validate import too_long

DESCRIPTION = """\
Says what `afpbench run` would do: jobs by rule, from Snakemake's dry run, with processor hours and peak memory as
finished jobs of the same rule took them in this results folder, free disk, and which weights are missing or will be
downloaded. A study with problems, such as missing files, cannot be planned: they are listed. Nothing is run or written.
The exit code is 1 where something is missing, else 0."""
HOUR_S = 3600


@dataclass(frozen=True)
class Work:
    """What is to be done of a rule. cpu_hours: of all its jobs; memory_mb: the largest peak of one (1e6 bytes).

    Both are None where no job of the rule has been measured.
    """

    rule: str
    jobs: int
    cpu_hours: float | None
    memory_mb: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench plan`."""
    parser.description = DESCRIPTION
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="print rules and findings as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the plan. Returns 1 where something is missing, else 0. Raises ConfigError where Snakemake fails."""
    try:
        plan = read_plan(options)
    except StudyError as error:
        work: list[Work] = []
        found = [Finding("problem", "study", line) for line in error.problems]
    else:
        results = plan.root / plan.study["results"]
        kinds = record_kinds(PROJECT / "workflow" / "rules")
        work = planned(read_jobs(options), read_costs(results), kinds)
        found = findings(plan) + (long_trainings(plan) if work else [])
    if options.json:
        content = {"rules": [asdict(one) for one in work], "findings": [asdict(one) for one in found]}
        print(json.dumps(content, indent=2))
    else:
        print("\n".join([*describe(work, complete=plan_is_valid(found)), *(one.line() for one in found)]))
    return int(any(one.level == "problem" for one in found))


def plan_is_valid(found: Sequence[Finding]) -> bool:
    """Whether the study could be planned at all."""
    return not any(finding.subject == "study" for finding in found)


def findings(plan: StudyPlan) -> list[Finding]:
    """The free disk, and the weights that are not there."""
    missing = [finding for finding in weights.of_study(plan) if finding.level != "ok"]
    return [machine.disk(plan.root / plan.study["results"]), *missing]


def long_trainings(plan: StudyPlan) -> list[Finding]:
    """What `afpbench validate` warns of: trainings that are for a GPU, where there is none."""
    warning = too_long(plan.study, plan.root, has_gpu())
    return [Finding("note", "trainings", warning)] if warning else []


def read_jobs(options: argparse.Namespace) -> dict[str, int]:
    """Rule -> number of jobs of Snakemake's dry run. Raises ConfigError where it fails."""
    events: list[Mapping[str, Any]] = []
    words = command(options, "--cores", "1", "--nolock", "--dry-run", before=child.LOGGER_OPTION)
    code = child.run(words, options.root, events.append)
    if code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if code != 0:
        said = "\n".join(event["text"] for event in events if event["event"] == "text")
        raise ConfigError(
            "Snakemake cannot plan the study",
            found=said.strip()[-2000:],
            hint=f"run `{snakemake(options)} -n` in {options.root.resolve()} to see all of it",
        )
    told = (event["stats"] for event in events if event["event"] == "run_info")
    return next(told, {})


def planned(jobs: Mapping[str, int], costs: Mapping[str, Sequence[Cost]], kinds: Mapping[str, str]) -> list[Work]:
    """What is to be done of each rule. jobs: as `read_jobs` gives them, with a total and the rule that joins all.

    costs: kind of record -> finished jobs. kinds: rule -> kind of record.
    """
    return [
        _work(rule, count, costs.get(kinds.get(rule, ""), ()))
        for rule, count in jobs.items()
        if rule not in ("all", "total")
    ]


def _work(rule: str, jobs: int, costs: Sequence[Cost]) -> Work:
    if not costs:
        return Work(rule, jobs, None, None)
    hours = jobs * mean(cost.cpu_s for cost in costs) / HOUR_S
    return Work(rule, jobs, hours, max(cost.memory_mb for cost in costs) or None)


def describe(work: Sequence[Work], complete: bool = True) -> list[str]:
    """The jobs as lines of a table. complete: whether the study could be planned."""
    if not complete:
        return ["the study cannot be planned before these are mended:"]
    if not work:
        return ["nothing is to be done: everything is finished"]
    width = max(len(one.rule) for one in work)
    lines = [f"{'rule':<{width}}  {'jobs':>6}  {'CPU hours':>9}  {'peak MB':>8}"]
    lines += [
        f"{one.rule:<{width}}  {one.jobs:>6}  {_or_dash(one.cpu_hours, 2):>9}  {_or_dash(one.memory_mb, 0):>8}"
        for one in work
    ]
    return [*lines, total(work)]


def total(work: Sequence[Work]) -> str:
    """`40 jobs, 3.2 CPU hours as measured`, with what is not known."""
    jobs, unknown = sum(one.jobs for one in work), sum(one.jobs for one in work if one.cpu_hours is None)
    hours = sum(one.cpu_hours or 0 for one in work)
    count = "1 job" if jobs == 1 else f"{jobs} jobs"
    if unknown == jobs:
        return f"{count}; CPU hours are not known: nothing like it has been run in this results folder"
    if unknown:
        return f"{count}, {hours:.2f} CPU hours and what {unknown} of them take, which are not measured yet"
    return f"{count}, {hours:.2f} CPU hours, as measured in this results folder"


def _or_dash(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
