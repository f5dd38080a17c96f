"""How far a run is: its jobs as Snakemake's events tell of them, and the time that is left."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Any

from .job_log import Step, last_step


@dataclass(frozen=True)
class Job:
    """A job that runs. words: what it does, for people. log: its log, where it has one. began: seconds of the clock."""

    rule: str
    words: str
    log: Path | None
    began: float


@dataclass(frozen=True)
class Estimate:
    """seconds: what is left of the work whose duration is known. unknown: jobs to come of rules not measured."""

    seconds: float
    unknown: int


@dataclass
class RunState:
    """The state of one run.

    clock: gives the time in seconds. known: rule -> mean seconds of a job in an earlier run. root: where paths of logs
    start. stopping: whether a signal asked for the end.
    """

    clock: Callable[[], float]
    known: Mapping[str, float]
    root: Path = Path()
    done: int = 0
    total: int = 0
    stopping: bool = False
    running: dict[Any, Job] = field(default_factory=dict)
    to_come: Counter[str] = field(default_factory=Counter)
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.began = self.clock()

    # --- what Snakemake tells

    def hear(self, event: Mapping[str, Any]) -> Job | None:
        """Take in an event of workflow/logger; return the job that began or ended by it, if any."""
        heard = getattr(self, f"_on_{event['event']}", None)
        job: Job | None = heard(event) if heard else None
        return job

    def _on_run_info(self, event: Mapping[str, Any]) -> None:
        if not self.total:  # told again at the end
            self.to_come = Counter({rule: count for rule, count in event["stats"].items() if rule != "total"})
            self.total = event["stats"].get("total", 0)

    def _on_job_info(self, event: Mapping[str, Any]) -> Job:
        rule, logs = event["rule_name"], event["log"]
        words = event["rule_msg"] or " ".join([rule, *(event["wildcards"] or {}).values()])
        job = Job(rule, words, self.root / logs[0] if logs else None, self.clock())
        self.running[event["jobid"]] = job
        self.to_come[rule] -= 1
        return job

    def _on_job_finished(self, event: Mapping[str, Any]) -> Job | None:
        job = self.running.pop(event["job_id"], None)
        self.done += 1
        if job:
            self.took[job.rule].append(self.clock() - job.began)
        return job

    def _on_job_error(self, event: Mapping[str, Any]) -> Job | None:
        job = self.running.pop(event["jobid"], None)
        if job:
            self.to_come[job.rule] += 1  # it may be tried again
        return job

    def _on_stopping(self, event: Mapping[str, Any]) -> None:
        self.stopping = True

    def _on_paused(self, event: Mapping[str, Any]) -> None:
        """A stop by Ctrl-Z is no work."""
        self.began += event["seconds"]
        self.running = {key: replace(job, began=job.began + event["seconds"]) for key, job in self.running.items()}

    # --- what is left

    def steps(self) -> dict[Any, Step | None]:
        """Id of each running job -> how far its log says that it is."""
        return {key: last_step(job.log) if job.log else None for key, job in self.running.items()}

    def estimate(self, steps: Mapping[Any, Step | None]) -> Estimate | None:
        """The time left; None where no duration is known at all. steps: as `steps` gives them.

        A rule's duration is the mean of its jobs in this run, else in an earlier one, else what a running job of it
        will have taken by its own estimate. The work left is divided by how many jobs ran at a time so far.
        """
        lasts = {
            job.rule: self._elapsed(job) + step.left_s for key, job in self.running.items() if (step := steps[key])
        }
        lasts |= self.known
        lasts |= {rule: mean(seconds) for rule, seconds in self.took.items()}
        coming = {rule: count for rule, count in self.to_come.items() if count > 0 and rule != "all"}
        left = [self._left(job, steps[key], lasts) for key, job in self.running.items()]
        if not lasts:
            return None
        work = sum(count * lasts[rule] for rule, count in coming.items() if rule in lasts) + sum(left)
        unknown = sum(count for rule, count in coming.items() if rule not in lasts)
        return Estimate(max([work / self._at_a_time(), *left]), unknown)

    def _left(self, job: Job, step: Step | None, lasts: Mapping[str, float]) -> float:
        return step.left_s if step else max(0.0, lasts.get(job.rule, 0.0) - self._elapsed(job))

    def _elapsed(self, job: Job) -> float:
        return self.clock() - job.began

    def _at_a_time(self) -> float:
        """How many jobs ran at a time, on the average; 1 at least."""
        busy = sum(map(sum, self.took.values())) + sum(map(self._elapsed, self.running.values()))
        return max(1.0, busy / max(1e-9, self.clock() - self.began))
