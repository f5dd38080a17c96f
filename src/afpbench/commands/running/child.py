"""Snakemake as a child process, whose events and output come as one queue, and to which signals are passed on."""

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from ...base.package import PROJECT

LOGGER = PROJECT / "workflow" / "logger"  # the module that Snakemake finds by `--logger afpbench`
LOGGER_OPTION = ("--logger", "afpbench")
TO_ALL = (signal.SIGINT, signal.SIGHUP)  # as a terminal sends them: to Snakemake and its jobs
TO_SNAKEMAKE = (signal.SIGTERM,)  # jobs that run may end


def run(command: Sequence[str], root: Path, hear: Callable[[Mapping[str, Any]], None], tick: Callable[[], None]) -> int:
    """Run Snakemake, with LOGGER_OPTION, to its end; return its exit code, or 128 + a signal's number.

    hear: called with each event of workflow/logger, in order, in this thread; what the process prints comes as
    {"event": "text", "text": ...}. tick: called after events, and twice a second where there are none.
    """
    pipe, end = os.pipe()
    paths = [str(LOGGER), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "AFPBENCH_EVENTS": str(end), "PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=(end,),
        process_group=0,
    )
    os.close(end)
    assert process.stdout is not None
    with passing_signals(process), os.fdopen(pipe, encoding="utf-8", errors="replace") as events:
        try:
            for event in _merged({events: json.loads, process.stdout: _as_text}):
                if event is not None:
                    hear(event)
                tick()
        except BaseException:  # nobody sees the run any more, as after `| head`: it is stopped as by Ctrl-C
            os.killpg(process.pid, signal.SIGINT)
            raise
        finally:
            code = process.wait()
    return code if code >= 0 else 128 - code


def _as_text(line: str) -> dict[str, str]:
    return {"event": "text", "text": line.rstrip("\n")}


def _merged(streams: Mapping[IO[str], Callable[[str], Any]]) -> Iterator[Any]:
    """The lines of several streams as they come, each read by its function; None after half a second without one."""
    queue: Queue[tuple[Callable[[str], Any], str] | None] = Queue()
    for stream, read in streams.items():
        threading.Thread(target=_drain, args=(stream, read, queue), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        try:
            found = queue.get(timeout=0.5)
        except Empty:
            yield None
            continue
        if found is None:
            open_streams -= 1
        else:
            read, line = found
            yield read(line)


def _drain(stream: IO[str], read: Callable[[str], Any], queue: Queue) -> None:
    for line in stream:
        queue.put((read, line))
    queue.put(None)


@contextlib.contextmanager
def passing_signals(process: subprocess.Popen) -> Iterator[None]:
    """Pass signals on to the process, which is the leader of its own group, instead of ending by them."""

    def to_all(number: int, frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def to_one(number: int, frame: object) -> None:
        process.send_signal(number)

    handlers = {**dict.fromkeys(TO_ALL, to_all), **dict.fromkeys(TO_SNAKEMAKE, to_one)}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
