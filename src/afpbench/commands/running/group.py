"""A child process and all that it starts, as one group that signals stop, continue and end together."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

AS_CTRL_C = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # from a person, a batch system, a terminal that is closed


class ProcessGroup:
    """A process group that is ended, stopped and continued as this process is. Used as a context, in the main thread.

    The first of AS_CTRL_C reaches the group as SIGINT, whichever it was: so Snakemake ends its jobs and leaves no lock
    behind. A further SIGINT or SIGTERM kills the jobs, so that Snakemake need not wait for them; a third one Snakemake
    too. A signal that this process was started to ignore, as SIGHUP by nohup, is ignored.

    told: called in a signal handler with `stopping`, `killing` or `killed` after what was done, and with `pause` at
    SIGTSTP (Ctrl-Z), which is to lead to a call of `pause`.
    """

    def __init__(self, told: Callable[[str], None]):
        self.told = told
        self.process: subprocess.Popen | None = None
        self.asked_by: int | None = None  # the first signal that asked for the end
        self.times = 0
        self._terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "ProcessGroup":
        for number, handler in {**dict.fromkeys(AS_CTRL_C, self._on_end), signal.SIGTSTP: self._on_pause}.items():
            ignored = signal.getsignal(number) is signal.SIG_IGN
            if number == signal.SIGINT and ignored:  # behind `&` in a script: the child has to take it all the same
                handler = _nothing
            elif ignored:
                continue
            self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def start(self, command: list[str], **options: Any) -> subprocess.Popen:
        """Start the child, which leads the group. options: of subprocess.Popen."""
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0, **options)
        return self.process

    def end(self, number: int) -> None:
        """Ask for the end, by a signal's number; see the class for what the second and third time do."""
        if number == signal.SIGHUP:
            self._leave_terminal()
            if self.times:  # a shell and the kernel may both send it
                return
        self.asked_by = self.asked_by or number
        self.times += 1
        if self.times == 1:
            self._send(signal.SIGINT)
            self.told("stopping")
        elif self.times == 2:
            for job in self._jobs():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(job, signal.SIGKILL)
            self.told("killing")
        else:
            self._send(signal.SIGKILL)
            self.told("killed")

    def pause(self) -> None:
        """Stop the group and this process, as Ctrl-Z does; return when both go on (`fg`, `bg`)."""
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        self._send(signal.SIGSTOP)
        signal.raise_signal(signal.SIGTSTP)
        self._send(signal.SIGCONT)
        signal.signal(signal.SIGTSTP, handler)

    def sweep(self) -> None:
        """Kill what is left of the group where its leader has ended: it would keep the pipes open."""
        if self._leader_ended(os.WNOHANG):
            self._send(signal.SIGKILL)

    def wait(self) -> int:
        """Wait for the end; return the exit code: 128 + a signal's number where one ended it or was asked by."""
        assert self.process is not None
        self._leader_ended(0)
        self.sweep()
        code = self.process.wait()
        if self.asked_by and code:
            return 128 + self.asked_by
        return code if code >= 0 else 128 - code

    def _leader_ended(self, options: int) -> bool:
        """The leader stays a zombie, so that its number is not given to another process."""
        assert self.process is not None
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | options) is not None

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        if self.process is None:
            raise KeyboardInterrupt
        self.end(number)

    def _on_pause(self, number: int, frame: FrameType | None) -> None:
        self.told("pause")

    def _send(self, number: int) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _jobs(self) -> list[int]:
        """The processes of the group but its leader."""
        assert self.process is not None
        numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [number for number in numbers if number != self.process.pid and _group_of(number) == self.process.pid]

    def _leave_terminal(self) -> None:
        """What would be written to a terminal that is gone is an error."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in self._terminals:
            os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _group_of(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None


def _nothing(number: int, frame: FrameType | None) -> None:
    pass
