"""A program in a terminal of its own, as a person has it: what is typed reaches it as keys, Ctrl-C as a signal."""

import os
import pty
import select
import time
from collections.abc import Sequence
from pathlib import Path

CTRL_C, CTRL_Z = "\x03", "\x1a"


class Terminal:
    """A pseudo-terminal that the program has as its controlling one. `printed` is all that it showed so far."""

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]):
        self.printed, self._seen = "", 0
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], [*command], environment)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._descriptor, keys.encode())

    def read_until(self, text: str, seconds: float = 120) -> str:
        """Wait until a text is shown; return what was shown since the last call, up to it."""
        limit = time.monotonic() + seconds
        while text not in self.printed[self._seen :]:
            if not self._read(limit - time.monotonic()):
                raise AssertionError(f"{text!r} is not shown: {self.printed[self._seen :]!r}")
        end = self.printed.index(text, self._seen) + len(text)
        found, self._seen = self.printed[self._seen : end], end
        return found

    def read_for(self, seconds: float) -> str:
        """What is shown in the next seconds."""
        limit = time.monotonic() + seconds
        while self._read(limit - time.monotonic()):
            pass
        found, self._seen = self.printed[self._seen :], len(self.printed)
        return found

    def close(self) -> None:
        """Close the window."""
        os.close(self._descriptor)

    def wait(self) -> int:
        """The program's exit code, when it has ended; what it prints meanwhile is read."""
        while self._read(120):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self, seconds: float) -> bool:
        """Whether something was shown in time; not where the program has ended."""
        if seconds <= 0 or not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        try:
            found = os.read(self._descriptor, 65536)
        except OSError:  # the other side is closed
            return False
        self.printed += found.decode(errors="replace")
        return bool(found)
