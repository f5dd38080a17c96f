"""NaviAirway's checkpoints as feature networks."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..files import missing_files
from ..layers import unknown_layers
from ..network import Network
from ..segmenters.naviairway import LAYER_GROUPS, LAYER_NAMES, WEIGHTS
from ..segmenters.naviairway import NaviAirway as Segmenter


class NaviAirway(Network):
    """NaviAirway's checkpoints for their features only. Layers are `encoder.0` to `encoder.3` and `decoder.0` to
    `decoder.2`; those of several checkpoints stand side by side.
    """

    name = "naviairway"
    citation = Segmenter.citation
    implementation = "afpbench.features.naviairway:NaviAirwayFeatures"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {"weights": WEIGHTS}
    required = ("weights",)

    def inputs(self, fold_folder: str) -> list[str]:
        return list(self.options["weights"])

    def features(self, fold_folder: str) -> dict[str, Any]:
        return {"kind": self.name, "weights": self.options["weights"]}

    def layer_problem(self, layers: object) -> str | None:
        return unknown_layers(self.entry, layers, LAYER_GROUPS, LAYER_NAMES)

    def problems(self) -> Iterable[str]:
        return missing_files(f"{self.place}.weights", self.options["weights"], self.task.root)
