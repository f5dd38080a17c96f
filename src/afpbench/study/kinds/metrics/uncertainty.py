"""Whether the uncertainty map of a synthetic CT predicts its error. docs/reference/metrics.md has the formulas."""

from collections.abc import Iterable
from typing import ClassVar

from ..metric import Metric


class UncertaintyMetric(Metric):
    """A metric of the uncertainty map, which `inference.uncertainty: true` keeps."""

    of: ClassVar[tuple[str, ...]] = ("uncertainty",)
    regions: ClassVar[tuple[str, ...]] = ("body",)
    family: ClassVar[str] = "afpbench.metrics.uncertainty:uncertainty_metrics"

    def problems(self) -> Iterable[str]:
        """A column of it where no map is kept."""
        yield from super().problems()
        if not self.task.options["inference"]["uncertainty"]:
            yield f"{self.place}.metric: '{self.name}' needs uncertainty maps; hint: inference: {{uncertainty: true}}"


class UncertaintySpearman(UncertaintyMetric):
    """Spearman's correlation of the uncertainty map with the absolute error."""

    name, label, better, decimals = "uncertainty_spearman", "Uncertainty–error correlation", "higher", 3
    citation = "Spearman, The proof and measurement of association between two things, Am. J. Psychol. 15 (1904)"


class UncertaintyAuse(UncertaintyMetric):
    """Area between the sparsification curve of the uncertainty map and that of the error itself."""

    name, label, better, decimals = "uncertainty_ause", "AUSE", "lower", 3
    citation = "Ilg et al., Uncertainty estimates and multi-hypotheses networks for optical flow, ECCV 2018"
