"""Every look at an MR as one synthetic CT: that of several networks, and of each on mirror images of the MR."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from . import fusion
from .synthesis import Synthesizer

AXES = "zyx"


def mean(volumes: list[np.ndarray]) -> np.ndarray:
    """The mean of equally shaped volumes, float32; of a single one that itself."""
    total = volumes[0]
    for volume in volumes[1:]:
        total = total + volume
    return total / np.float32(len(volumes)) if len(volumes) > 1 else total


COMBINED: dict[str, Callable[[list[np.ndarray]], np.ndarray]] = {"mean": mean, "median": fusion.median}


class Synthetic(NamedTuple):
    """What an ensemble makes of an MR, float32, z, y, x.

    hu: the synthetic CT. uncalibrated_hu: the same before HU calibration, None where there is none. sd_hu: the standard
    deviation (ddof 1) by voxel over everything that was averaged, None where it was not asked for.
    """

    hu: np.ndarray
    uncalibrated_hu: np.ndarray | None = None
    sd_hu: np.ndarray | None = None


class Ensemble:
    """Networks that are called as one, each on mirror images too: MR array in, synthetic CT out.

    members: the networks, each with its HU calibration ({"slope", "offset_hu"}) or None, which comes before they are
    combined. mirror: the axes, some of "z", "y", "x", along every combination of which the MR is turned over; a
    network's answer is the mean of what it makes of these, each turned back. combine: of COMBINED, of the networks'
    answers. uncertainty: whether to keep the standard deviation.
    """

    def __init__(
        self,
        members: Sequence[tuple[Synthesizer, dict | None]],
        mirror: Sequence[str] = (),
        combine: str = "mean",
        uncertainty: bool = False,
    ):
        self.members = members
        self.mirror = list(mirror)
        self.flips = flips(mirror)
        self.combine = combine
        self.uncertainty = uncertainty
        self.patches = 0

    def record(self) -> dict[str, Any]:
        """What a record says of how it was called last: of a single network's own settings, those of the first.

        `calibration` is the mean of the networks' lines; `networks` and `combine` stand there where there are several,
        `uncertainty` where it was kept.
        """
        first, lines = self.members[0][0], [line for _, line in self.members if line is not None]
        mean_line = {key: float(np.mean([line[key] for line in lines])) for key in ("slope", "offset_hu") if lines}
        return {
            **({"calibration": mean_line} if lines else {}),
            "patches": self.patches,
            "device": str(first.device),
            "patch_size": list(first.patch),
            "overlap": first.options["overlap"],
            "fusion": first.options["fusion"],
            "mirror": self.mirror,
            **({"networks": len(self.members), "combine": self.combine} if len(self.members) > 1 else {}),
            **({"uncertainty": True} if self.uncertainty else {}),
        }

    def __call__(self, mr: np.ndarray) -> Synthetic:
        """The synthetic CT of one MR (any scale; z, y, x, or channels, z, y, x)."""
        self.patches = 0
        spread = Spread() if self.uncertainty else None
        plain = [self._one(network, line, mr, spread) for network, line in self.members]
        lines = [line for _, line in self.members]
        fuse = COMBINED[self.combine]
        made = fuse([calibrated(hu, line) for hu, line in zip(plain, lines, strict=True)])
        before = fuse(plain) if any(line is not None for line in lines) else None
        return Synthetic(made, before, None if spread is None else spread.sd())

    def _one(self, network: Synthesizer, line: dict | None, mr: np.ndarray, spread: "Spread | None") -> np.ndarray:
        """A network's own answer, not calibrated; calibrated it goes into the spread, look by look."""
        total: np.ndarray = np.zeros((), np.float32)
        for values in self._looks(network, mr):
            total = total + values
            if spread is not None:
                spread.add(calibrated(values, line))
        return total / np.float32(len(self.flips)) if len(self.flips) > 1 else total

    def _looks(self, network: Synthesizer, mr: np.ndarray) -> Iterator[np.ndarray]:
        for axes in self.flips:
            yield np.flip(network(np.ascontiguousarray(np.flip(mr, axes))), axes) if axes else network(mr)
            self.patches += network.patches


def calibrated(hu: np.ndarray, line: dict | None) -> np.ndarray:
    """HU through a calibration line, {"slope", "offset_hu"}; without one as they are."""
    return hu if line is None else line["slope"] * hu + line["offset_hu"]


def flips(mirror: Sequence[str]) -> list[tuple[int, ...]]:
    """Every combination of the axes that are named, none of them first: 2^n for n axes, counted from the last."""
    axes = [AXES.index(axis) - len(AXES) for axis in mirror]
    return [chosen for count in range(len(axes) + 1) for chosen in combinations(axes, count)]


class Spread:
    """The standard deviation by voxel over volumes that come one after the other (B. Welford, Technometrics 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: np.ndarray = np.zeros((), np.float32)
        self.squares: np.ndarray = np.zeros((), np.float32)

    def add(self, volume: np.ndarray) -> None:
        """Take one more volume, float32, of the same shape as those before."""
        self.count += 1
        off = volume - self.mean
        self.mean = self.mean + off / np.float32(self.count)
        self.squares = self.squares + off * (volume - self.mean)

    def sd(self) -> np.ndarray:
        """With ddof 1, float32; of fewer than two volumes there is none. Raises ValueError."""
        if self.count < 2:
            raise ValueError(f"a standard deviation over {self.count} volumes")
        return np.sqrt(self.squares / np.float32(self.count - 1))
