"""What a job's log says of how far it is: the lines of trainings and of `base.log.progress`."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

TAIL = 8192  # bytes: more than the longest tail without such a line
EPOCH = re.compile(r" INFO (epoch \d+/\d+): (.*), \d+ s, about (\d+) s left$")
COUNT = re.compile(r" INFO (.+ \d+/\d+), \d+ s, about (\d+) s left$")


@dataclass(frozen=True)
class Step:
    """text: `epoch 3/20: loss 0.5`, or `metrics 4/10`. left_s: the seconds that remain, as the job estimated them."""

    text: str
    left_s: float


def last_step(path: Path) -> Step | None:
    """The newest line of progress in the tail of a log; None where there is no log or no such line."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((step for line in reversed(lines) if (step := parse(line))), None)


def parse(line: str) -> Step | None:
    """A line of a log as progress, or None."""
    if epoch := EPOCH.search(line):
        return Step(f"{epoch[1]}, {_first_loss(epoch[2])}", float(epoch[3]))
    if count := COUNT.search(line):
        return Step(count[1], float(count[2]))
    return None


def _first_loss(values: str) -> str:
    """The first of an epoch's values, which is its loss."""
    return values.split(", ")[0]
