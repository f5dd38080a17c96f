"""Several networks as one: the synthetic CT of each in HU, then their mean or median by voxel."""

from collections.abc import Callable, Sequence

import numpy as np

from . import fusion
from .synthesis import Synthesizer


def mean(volumes: list[np.ndarray]) -> np.ndarray:
    """The mean of equally shaped volumes, float32; of a single one that itself."""
    total = volumes[0]
    for volume in volumes[1:]:
        total = total + volume
    return total / np.float32(len(volumes)) if len(volumes) > 1 else total


COMBINED: dict[str, Callable[[list[np.ndarray]], np.ndarray]] = {"mean": mean, "median": fusion.median}


class Ensemble:
    """Networks that are called as one: MR array in, HU array out. A record of it says what one of the first says.

    members: the networks, each with its HU calibration ({"slope", "offset_hu"}) or None, which comes before they are
    combined. combine: of COMBINED.
    """

    def __init__(self, members: Sequence[tuple[Synthesizer, dict | None]], combine: str = "mean"):
        self.members = members
        self.combine = COMBINED[combine]
        first = members[0][0]
        self.device, self.patch, self.options = first.device, first.patch, first.options
        self.patches = 0

    def __call__(self, mr: np.ndarray) -> np.ndarray:
        """Synthetic CT (float32 HU, z, y, x) of one MR volume (any scale, z, y, x)."""
        made = []
        for network, line in self.members:
            values = network(mr)
            made.append(values if line is None else line["slope"] * values + line["offset_hu"])
        self.patches = sum(network.patches for network, _ in self.members)
        return self.combine(made)
