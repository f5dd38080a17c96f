"""What trainings and inference took, as tables of the kind `cost` show it."""

from typing import ClassVar

from ..metric import Metric


class CostMetric(Metric):
    """A cost. Its column stands under Training or Inference."""

    of: ClassVar[tuple[str, ...]] = ("cost",)
    regions: ClassVar[tuple[str, ...]] = ()
    better: ClassVar[str] = "lower"
    family: ClassVar[str] = "afpbench.tables.cost:build_cost_tables"


class TrainingMemory(CostMetric):
    """Peak memory of a training."""

    name, label, decimals, unit = "training_vram_mb", "Memory", 0, "MB"


class IterationSeconds(CostMetric):
    """Time of one training iteration."""

    name, label, decimals, unit = "iteration_seconds", "Iteration", 3, "s"


class TrainingHours(CostMetric):
    """Time of a training of the table's `epochs`."""

    name, label, decimals, unit = "training_hours", "Time", 2, "h"


class InferenceMemory(CostMetric):
    """Peak memory of inference."""

    name, label, decimals, unit = "inference_vram_mb", "Memory", 0, "MB"


class InferenceSeconds(CostMetric):
    """Time of one case, with reading and writing."""

    name, label, decimals, unit = "inference_seconds", "Time per case", 1, "s"
