"""Snakemake as a child process, whose events and output come as one queue, and to which signals are passed on."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from ...base.package import PROJECT
from .group import ProcessGroup

LOGGER = PROJECT / "workflow" / "logger"  # the module that Snakemake finds by `--logger afpbench`
LOGGER_OPTION = ("--logger", "afpbench")
Line = tuple[Callable[[str], dict[str, Any]], str]  # what reads it, and the text


def run(
    command: Sequence[str],
    root: Path,
    hear: Callable[[Mapping[str, Any]], None],
    tick: Callable[[], None] = lambda: None,
    pause: Callable[[], None] = lambda: None,
) -> int:
    """Run Snakemake, with LOGGER_OPTION, to its end; return its exit code, or 128 + a signal's number.

    hear: called with each event of workflow/logger, in order, in this thread; what the process prints comes as
    {"event": "text", "text": ...}, what is done by signals as {"event": "stopping"}, `killing`, `killed` (see
    ProcessGroup) and {"event": "paused", "seconds": ...}. tick: called after events, and twice a second where there are
    none. pause: called before this process stops by Ctrl-Z.
    """
    pipe, end = os.pipe()
    paths = [str(LOGGER), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "AFPBENCH_EVENTS": str(end), "PYTHONPATH": os.pathsep.join(paths)}
    queue: SimpleQueue[Line | None] = SimpleQueue()  # the only one that a signal handler may put into
    with (
        ProcessGroup(lambda what: queue.put((_named, what))) as group,
        os.fdopen(pipe, encoding="utf-8", errors="replace") as events,
    ):
        process = group.start(
            [*command],
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=(end,),
        )
        os.close(end)
        assert process.stdout is not None
        try:
            for event in _merged({events: _as_event, process.stdout: _as_text}, queue, group):
                if event == {"event": "pause"}:
                    pause()
                    event = {"event": "paused", "seconds": _stopped_s(group)}
                if event is not None:
                    hear(event)
                tick()
        except BaseException:  # nobody sees the run any more, as after `| head`
            if group.asked_by is None:
                group.end(signal.SIGPIPE)
            raise
        finally:
            code = group.wait()
    return code


def run_plainly(command: Sequence[str], root: Path) -> int:
    """Run Snakemake, whose own output is shown, to its end; return the exit code as `run` does."""

    def told(what: str) -> None:
        if what == "pause":
            group.pause()

    with ProcessGroup(told) as group:
        group.start([*command], cwd=root)
        return group.wait()


def _stopped_s(group: ProcessGroup) -> float:
    began = time.monotonic()
    group.pause()
    return time.monotonic() - began


def _named(name: str) -> dict[str, Any]:
    return {"event": name}


def _as_text(line: str) -> dict[str, Any]:
    return {"event": "text", "text": line.rstrip("\n")}


def _as_event(line: str) -> dict[str, Any]:
    """A line of workflow/logger. Of a Snakemake that was killed the last one may be cut off."""
    try:
        event: dict[str, Any] = json.loads(line)
        return event
    except ValueError:
        return _as_text(line)


def _merged(
    streams: Mapping[IO[str], Callable[[str], dict[str, Any]]], queue: SimpleQueue[Line | None], group: ProcessGroup
) -> Iterator[dict[str, Any] | None]:
    """What is put into the queue, and the streams' lines as they come, each read by its function, until the streams
    end; None after half a second without a line.
    """
    for stream, read in streams.items():
        threading.Thread(target=_drain, args=(stream, read, queue), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        try:
            found = queue.get(timeout=0.5)
        except Empty:
            group.sweep()
            yield None
            continue
        if found is None:
            open_streams -= 1
        else:
            read, line = found
            yield read(line)


def _drain(stream: IO[str], read: Callable[[str], dict[str, Any]], queue: SimpleQueue[Line | None]) -> None:
    for line in stream:
        queue.put((read, line))
    queue.put(None)
