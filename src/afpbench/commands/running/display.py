"""What a person sees of a run: live lines on a terminal, one line after another elsewhere."""

import os
import sys
import time
from collections.abc import Mapping
from typing import IO, Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .durations import duration
from .job_log import Step
from .state import Estimate, Job, RunState

NOT_KNOWN = "time left: not known yet"


class Display(Protocol):
    """Shows a run. Used as a context, so that the terminal is left as it was."""

    def __enter__(self) -> "Display": ...

    def __exit__(self, *error: object) -> None: ...

    def text(self, text: str) -> None:
        """What Snakemake or a job printed."""

    def began(self, job: Job) -> None:
        """A job began."""

    def ended(self, job: Job, failed: bool) -> None:
        """A job ended."""

    def refresh(self) -> None:
        """Some time has passed."""

    def pause(self) -> None:
        """This process will stop for a while: leave the terminal as it was, until the next call."""


class Lines:
    """One line for each job that begins, ends or fails: for logs and pipes."""

    def __init__(self, state: RunState, stream: IO[str]):
        self.state, self.stream = state, stream

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *error: object) -> None:
        self.stream.flush()

    def text(self, text: str) -> None:
        print(text, file=self.stream, flush=True)

    def began(self, job: Job) -> None:
        self._say(f"begun:    {job.words}")

    def ended(self, job: Job, failed: bool) -> None:
        took = duration(self.state.clock() - job.began)
        if failed:
            self._say(f"failed:   {job.words}, after {took}" + (f", log: {job.log}" if job.log else ""))
        else:
            self._say(f"finished: {job.words}, {took}; {whole(self.state, self.state.steps())}")

    def refresh(self) -> None:
        pass

    def pause(self) -> None:
        pass

    def _say(self, line: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {line}", file=self.stream, flush=True)


class LivePage:
    """A line for each running job and one for the whole, renewed in place; what is printed goes above."""

    def __init__(self, state: RunState, stream: IO[str]):
        self.state = state
        self.console = Console(file=stream)
        self.live: Live | None = None  # while this process has the terminal

    def __enter__(self) -> "LivePage":
        return self

    def __exit__(self, *error: object) -> None:
        self.pause()

    def text(self, text: str) -> None:
        self.console.print(Text.from_ansi(text))

    def began(self, job: Job) -> None:
        self.refresh()

    def ended(self, job: Job, failed: bool) -> None:
        if failed:
            self.console.print(Text(f"failed: {job.words}" + (f", log: {job.log}" if job.log else ""), style="red"))
        self.refresh()

    def refresh(self) -> None:
        if not _in_front(self.console.file):
            return self.pause()
        if self.live is None:
            self.live = Live(console=self.console, auto_refresh=False, transient=True)
            self.live.start()
        self.live.update(page(self.state, self.state.steps()), refresh=True)

    def pause(self) -> None:
        if self.live:
            self.live.stop()
            self.live = None


def _in_front(terminal: IO[str]) -> bool:
    """Whether this process may draw: behind `bg` or `&` the terminal is its shell's."""
    try:
        return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:  # it is the terminal of no shell
        return True


def page(state: RunState, steps: Mapping[Any, Step | None]) -> Group:
    """The running jobs, and the whole."""
    table = Table.grid(padding=(0, 2), expand=True)
    for ratio in (3, 2, 1):
        table.add_column(ratio=ratio, overflow="ellipsis", no_wrap=True)
    for key, job in state.running.items():
        step = steps[key]
        left = f"about {duration(step.left_s)} left" if step else f"for {duration(state.clock() - job.began)}"
        table.add_row(Text(job.words, style="bold"), Text(step.text if step else job.rule), Text(left, style="dim"))
    bar = Table.grid()  # a bar alone ends no line: what follows would be cut off at the terminal's edge
    bar.add_row(ProgressBar(total=max(1, state.total), completed=state.done, width=40))
    return Group(table, bar, Text(whole(state, steps)))


def whole(state: RunState, steps: Mapping[Any, Step | None]) -> str:
    """`12 of 40 jobs, about 5 min left`."""
    return f"{state.done} of {state.total} jobs, {time_left(state.estimate(steps))}"


def time_left(estimate: Estimate | None) -> str:
    """An estimate in words."""
    if estimate is None:
        return NOT_KNOWN
    if estimate.unknown:
        jobs = "1 job" if estimate.unknown == 1 else f"{estimate.unknown} jobs"
        left = f"more than {duration(estimate.seconds)} left" if estimate.seconds >= 1 else NOT_KNOWN
        return f"{left} ({jobs} of kinds not measured yet)"
    return f"about {duration(estimate.seconds)} left"


def choose(state: RunState, stream: IO[str] | None = None) -> Display:
    """Live lines where the stream (default: stdout) is a terminal that can show them, else one after another."""
    stream = stream or sys.stdout
    return LivePage(state, stream) if Console(file=stream).is_terminal and stream.isatty() else Lines(state, stream)
