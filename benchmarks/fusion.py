"""Memory and time of median fusion at the size of the paper's lung volumes, with a stand-in for the network.

The volume is 533 x 373 x 533, the patch 128 x 112 x 160 with 0.5 overlap. The stand-in returns the patch of the input
scaled by a number that depends on where the patch lies, so that patches disagree. Memory counts the input, the result
and all that fusion holds besides: what was allocated at most (tracemalloc), and what the process had resident at most
above what it had before, which includes what the allocator keeps between pieces of other sizes.

Usage: python benchmarks/fusion.py [--scale 0.5] [--method mean]
"""

import argparse
import math
import time
import tracemalloc

import numpy as np
from bench_table import sides

from afpbench.base.hardware import describe, peak_memory_mb
from afpbench.inference import fusion

SHAPE, PATCH = (533, 373, 533), (128, 112, 160)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of volume and patch, for a quick look")
    parser.add_argument("--method", choices=fusion.METHODS, default="median")
    scale, method = (getattr(parser.parse_args(), name) for name in ("scale", "method"))
    shape, patch = sizes(scale)
    before = peak_memory_mb()
    tracemalloc.start()
    total, seconds, patches = fused(shape, patch, method)
    copy = 4 * math.prod(shape)
    allocated, resident = tracemalloc.get_traced_memory()[1] / copy, (peak_memory_mb() - before) * 1e6 / copy
    machine = describe()
    print(f"CPU seconds of {method} fusion:\n")
    print("| volume | patch | patches | fusion, s | stand-in, s | allocated, copies | resident, copies |")
    print("|---|---|---|---|---|---|---|")
    words = map(sides, (shape, patch))
    numbers = f"{total - seconds:.0f} | {seconds:.0f} | {allocated:.2f} | {resident:.2f}"
    print(f"| {' | '.join(words)} | {patches} | {numbers} |")
    print(
        f"\n{machine['cores']} cores of {machine['processor']}; one copy of the volume in float32: {copy / 1e6:.0f} MB"
    )


def sizes(scale: float) -> list[tuple[int, ...]]:
    """Volume and patch."""
    return [tuple(round(scale * n) for n in size) for size in (SHAPE, PATCH)]


def fused(shape, patch, method: str) -> tuple[float, float, int]:
    """CPU seconds of a fusion with the stand-in, those of the stand-in alone, and the number of patches."""
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    patches, seconds = 0, 0.0

    def predict(start: tuple[int, int, int]) -> np.ndarray:
        nonlocal patches, seconds
        begin = time.process_time()
        window = tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))
        values = image[window] * np.float32(1 + sum(start) % 7 / 10)
        patches, seconds = patches + 1, seconds + time.process_time() - begin
        return values

    begin = time.process_time()
    fusion.fuse(predict, shape, patch, 0.5, method)
    return time.process_time() - begin, seconds, patches


if __name__ == "__main__":
    main()
