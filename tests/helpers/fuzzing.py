"""What every fuzz test holds: few examples in the suite, many where AFPBENCH_FUZZ says so, and bounds on memory."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("AFPBENCH_FUZZ", "25"))
LONGEST_MS = 5000  # of one example: more is a hang
TIMES_THE_FILE, SLACK_BYTES = 4, 96 << 20  # chunks of 16 MB, and libraries that are loaded on the way
ADDRESS_SPACE_BYTES = 2 << 30  # more than that at once is a header that was believed

fuzz_settings = settings(
    max_examples=EXAMPLES,
    deadline=LONGEST_MS,
    derandomize="AFPBENCH_FUZZ" not in os.environ,  # the suite tries the same examples each time
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@contextmanager
def bounded_memory(file_bytes: int) -> Iterator[list[int]]:
    """Fail where the block takes over 4 times the file's memory, or asks for far more. Linux only.

    Yields a list to which the block appends the bytes of what it read, which count as the file's where they are more.
    """
    before, limits = _resident_bytes(), resource.getrlimit(resource.RLIMIT_AS)
    virtual = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    Path("/proc/self/clear_refs").write_text("5")  # starts the peak anew
    resource.setrlimit(resource.RLIMIT_AS, (virtual + ADDRESS_SPACE_BYTES, limits[1]))
    read: list[int] = []
    try:
        yield read
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    grown = _resident_bytes("VmHWM") - before
    allowed = TIMES_THE_FILE * max([file_bytes, *read]) + SLACK_BYTES
    assert grown <= allowed, f"{grown / 1e6:.0f} MB for a file of {file_bytes / 1e6:.3f} MB"


def _resident_bytes(which: str = "VmRSS") -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(which)).split()[1])
