"""Memory and time of median fusion at the size of the paper's lung volumes, with a stand-in for the network.

The volume is 533 x 373 x 533, the patch 128 x 112 x 160 with 0.5 overlap. The stand-in returns the patch of the input
scaled by a number that depends on where the patch lies, so that patches disagree. Memory counts the input, the result
and all that fusion holds besides: what was allocated at most (tracemalloc), and what the process had resident at most
above what it had before, which includes what the allocator keeps between pieces of other sizes.

Usage: python benchmarks/fusion.py [--scale 0.5] [--method mean]
"""

import argparse
import time
import tracemalloc

import numpy as np

from afpbench.base.hardware import describe, peak_memory_mb
from afpbench.inference import fusion

SHAPE, PATCH = (533, 373, 533), (128, 112, 160)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of volume and patch, for a quick look")
    parser.add_argument("--method", choices=fusion.METHODS, default="median")
    scale, method = (getattr(parser.parse_args(), name) for name in ("scale", "method"))
    shape, patch = (tuple(round(scale * n) for n in size) for size in (SHAPE, PATCH))
    before = peak_memory_mb()
    tracemalloc.start()
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    patches, seconds = 0, 0.0

    def predict(start: tuple[int, int, int]) -> np.ndarray:
        nonlocal patches, seconds
        begin = time.perf_counter()
        window = tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))
        values = image[window] * np.float32(1 + sum(start) % 7 / 10)
        patches, seconds = patches + 1, seconds + time.perf_counter() - begin
        return values

    begin = time.perf_counter()
    result = fusion.fuse(predict, shape, patch, 0.5, method)
    total, copy = time.perf_counter() - begin, result.nbytes
    allocated, resident = tracemalloc.get_traced_memory()[1] / copy, (peak_memory_mb() - before) * 1e6 / copy
    machine = describe()
    print(f"| volume | patch | patches | {method} fusion, s | stand-in, s | allocated, copies | resident, copies |")
    print("|---|---|---|---|---|---|---|")
    sizes = (" x ".join(map(str, size)) for size in (shape, patch))
    numbers = f"{total - seconds:.0f} | {seconds:.0f} | {allocated:.2f} | {resident:.2f}"
    print(f"| {' | '.join(sizes)} | {patches} | {numbers} |")
    print(
        f"\n{machine['cores']} cores of {machine['processor']}; one copy of the volume in float32: {copy / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main()
