"""What structures are to the metrics: groups of labels of a segmenter."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..base.errors import ConfigError
from ..study.metrics import family_metrics


@dataclass(frozen=True)
class Structure:
    """A named group of labels of one segmenter, and the tolerance of its NSD. tree: whether its branches count."""

    name: str
    segmenter: str
    labels: tuple[int, ...]
    tolerance_mm: float
    exclude: tuple[int, ...] = ()
    tree: bool = False

    @property
    def metrics(self) -> list[str]:
        """What is computed of it, whether a table names it or not."""
        return family_metrics("structure") + (family_metrics("tree") if self.tree else [])

    def mask(self, labels: np.ndarray) -> np.ndarray:
        """Where a label map (z, y, x) shows the structure; no labels given: every label but 0 and the excluded."""
        inside = np.isin(labels, self.labels) if self.labels else labels != 0
        return inside & ~np.isin(labels, self.exclude) if self.exclude else inside


def parse_structures(spec: Mapping[str, Mapping], tolerance_mm: float | None = None) -> list[Structure]:
    """Structures of {name: {"segmenter", "labels": [ints], "exclude": [ints], "tolerance_mm", "tree"}}.

    tolerance_mm: for structures that give none. Raises ConfigError that names the structure.
    """
    structures = []
    for name, entry in spec.items():
        labels, exclude = tuple(entry.get("labels", ())), tuple(entry.get("exclude", ()))
        if not all(isinstance(label, int) and label > 0 for label in labels + exclude):
            raise ConfigError(
                f"structure {name}: labels", found=list(labels + exclude), expected="whole numbers above 0"
            )
        if labels and not set(labels) - set(exclude):
            raise ConfigError(
                f"structure {name}: every label is excluded", found=list(exclude), expected="one that stays"
            )
        tolerance = entry.get("tolerance_mm", tolerance_mm)
        if tolerance is None:
            raise ConfigError(
                f"structure {name}: no tolerance for NSD",
                expected="tolerance_mm, here or for all structures",
                hint="the paper takes twice the voxel size",
            )
        segmenter, tree = str(entry.get("segmenter", "")), bool(entry.get("tree", False))
        structures.append(Structure(name, segmenter, labels, float(tolerance), exclude, tree))
    return structures
