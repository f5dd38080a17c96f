"""A synthetic CT as the mean over the mirror images of its MR: test-time mirroring."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from ..base.hardware import Runtime
from .synthesis import Generator

AXES = "zyx"


class Mirrored(Generator):
    """A trained variant that sees each MR as it is and turned over along every combination of some axes.

    The answer is the mean of what it makes of these, each turned back. Arguments as those of Generator;
    options["mirror"]: some of "z", "y", "x", or none.
    """

    def __init__(self, folder: Path, options: dict, runtime: Runtime):
        super().__init__(folder, options, runtime)
        self.flips = flips(options["mirror"])

    def __call__(self, mr: np.ndarray) -> np.ndarray:
        total, patches = np.zeros(mr.shape, np.float32), 0
        for axes in self.flips:
            total += np.flip(super().__call__(np.ascontiguousarray(np.flip(mr, axes))), axes)
            patches += self.patches
        self.patches = patches
        return total / np.float32(len(self.flips))


def flips(mirror: Sequence[str]) -> list[tuple[int, ...]]:
    """Every combination of the axes that are named, none of them first: 2^n for n axes."""
    axes = [AXES.index(axis) for axis in mirror]
    return [chosen for count in range(len(axes) + 1) for chosen in combinations(axes, count)]
