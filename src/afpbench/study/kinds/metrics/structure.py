"""Metrics of a structure, all computed together. docs/reference/metrics.md has the formulas."""

from typing import ClassVar

from ..metric import DIAGONAL, Metric


class StructureMetric(Metric):
    """A metric of a structure."""

    family: ClassVar[str] = "afpbench.metrics.surface:structure_metrics"
    citation: ClassVar[str] = (
        "Nikolov et al., Deep learning to achieve clinically applicable segmentation of head and neck anatomy, 2018"
    )


class Dice(StructureMetric):
    """Overlap, the Dice coefficient."""

    name, label, better, decimals = "dice", "Dice", "higher", 3


class Nsd(StructureMetric):
    """Normalised surface distance (surface Dice) at the structure's tolerance."""

    name, label, better, decimals = "nsd", "NSD", "higher", 3


class Hd95(StructureMetric):
    """95th percentile Hausdorff distance."""

    name, label, better, decimals, unit = "hd95", "HD95", "lower", 2, "mm"
    penalty = DIAGONAL


class Assd(StructureMetric):
    """Average symmetric surface distance."""

    name, label, better, decimals, unit = "assd", "ASSD", "lower", 2, "mm"
    penalty = DIAGONAL


class AsdRealToSynthetic(StructureMetric):
    """Average distance from the real surface to the synthetic one."""

    name, label, better, decimals, unit = "asd_real_to_synthetic", "ASD real to synthetic", "lower", 2, "mm"
    penalty = DIAGONAL


class AsdSyntheticToReal(StructureMetric):
    """Average distance from the synthetic surface to the real one."""

    name, label, better, decimals, unit = "asd_synthetic_to_real", "ASD synthetic to real", "lower", 2, "mm"
    penalty = DIAGONAL


class VolumeError(StructureMetric):
    """Volume of the synthetic structure less that of the real one."""

    name, label, better, decimals, unit = "volume_error", "Volume error", "zero", 1, "mL"
    family = "afpbench.metrics.evaluate:evaluate_pair"
    citation = ""
