"""Logs of jobs: everything a script prints and every uncaught exception goes into the rule's log."""

import contextlib
import faulthandler
import importlib.metadata
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator

from .errors import AfpbenchError

logger = logging.getLogger("afpbench")


def start(path: str) -> logging.Logger:
    """Send stdout, stderr (child processes and native code too), logging and uncaught exceptions to the file `path`.

    Call it first in a script. An AfpbenchError is also repeated, without traceback, on the terminal.
    """
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    terminal = os.fdopen(os.dup(2), "w")
    file = open(path, "w", buffering=1, encoding="utf-8")  # noqa: SIM115  (open for the process's life)
    for descriptor in (1, 2):
        os.dup2(file.fileno(), descriptor)
    sys.stdout = sys.stderr = file
    faulthandler.enable(file)
    configure(file)

    def hook(kind, error, trace):
        traceback.print_exception(kind, error, trace, file=file)
        if isinstance(error, AfpbenchError):
            print(f"\nERROR {error}\n  log: {path}\n", file=terminal, flush=True)

    sys.excepthook = hook
    return logger


def configure(stream=None) -> None:
    """Log lines with the time of day to `stream` (default: stderr)."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def tools(*packages: str) -> None:
    """Say which installed packages, and which versions of them, do the work of this job."""
    logger.info("by %s", versions(*packages))


def versions(*packages: str) -> str:
    """Installed packages with their versions, in words."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def progress(items: Iterable, total: int, what: str) -> Iterator:
    """Yield the items; after each, log a line with the count and the time that remains."""
    begin = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        elapsed = time.monotonic() - begin
        remaining = elapsed / done * (total - done)
        logger.info("%s %d/%d, %.0f s, about %.0f s left", what, done, total, elapsed, remaining)


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Log how long a step took."""
    begin = time.monotonic()
    yield
    logger.info("%s: %.1f s", what, time.monotonic() - begin)
