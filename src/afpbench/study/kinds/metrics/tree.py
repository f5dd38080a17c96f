"""Metrics of structures that branch, all computed together. docs/reference/metrics.md has the formulas."""

from typing import ClassVar

from ..metric import Metric


class TreeMetric(Metric):
    """A metric of a structure with `tree: true`."""

    of: ClassVar[tuple[str, ...]] = ("tree",)
    family: ClassVar[str] = "afpbench.metrics.tree:tree_metrics"
    citation: ClassVar[str] = (
        "Lo et al., Extraction of airways from CT (EXACT'09), IEEE Trans. Med. Imaging 2012; "
        "Zhang et al., Multi-site, multi-domain airway tree modeling (ATM'22), Medical Image Analysis 2023"
    )


class TreeLength(TreeMetric):
    """Share of the real centreline's length that is found."""

    name, label, better, decimals = "tree_length", "Tree length detected", "higher", 3


class Branches(TreeMetric):
    """Share of the real branches that are found."""

    name, label, better, decimals = "branches", "Branches detected", "higher", 3


class BranchCount(TreeMetric):
    """Number of the real branches that are found."""

    name, label, better, decimals = "branch_count", "Branch count", "higher", 1


class Leakage(TreeMetric):
    """Share of the synthetic structure that lies outside the real one."""

    name, label, better, decimals = "leakage", "Leakage", "lower", 3
    penalty = 1.0
