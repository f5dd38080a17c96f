"""Metrics of the synthetic CT and the MR that it was made of: no real CT and no registration has a part in them."""

from typing import ClassVar

from ..metric import Metric


class MrEdges(Metric):
    """Dice of the edges of the synthetic CT and of the MR, the steepest tenth of the body's voxels in each."""

    name, label, better, decimals = "mr_edges", "MR edges", "higher", 3
    of: ClassVar[tuple[str, ...]] = ("mr",)
    regions: ClassVar[tuple[str, ...]] = ("body",)
    implementation = "afpbench.metrics.mr_edges:mr_edge_dice"
