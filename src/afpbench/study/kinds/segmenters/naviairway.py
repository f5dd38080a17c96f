"""NaviAirway as a segmenter."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ..files import missing_files
from ..layers import unknown_layers
from ..segmenter import Segment, Segmenter

WEIGHTS: dict[str, Any] = {
    "description": "NaviAirway's checkpoints (`.pkl`), one or both; a voxel is airway where any of them says so.",
    "type": "array",
    "items": {"type": "string", "minLength": 1},
    "minItems": 1,
    "uniqueItems": True,
    "x-allowed": "a list of paths",
}
LAYER_GROUPS = ("stages", "encoder", "decoder", "all")
LAYER_NAMES = (
    *(f"encoder.{index}" for index in range(4)),
    *(f"decoder.{index}" for index in range(3)),
    "logits",
    "probabilities",
)


class NaviAirway(Segmenter):
    """NaviAirway, with its own crops, input scaling and post-processing. It has one class, `airway`, the trachea
    included.
    """

    name = "naviairway"
    citation = (
        "Wang, Tam and Poon, NaviAirway: a bronchiole-sensitive deep learning-based airway segmentation pipeline, "
        "arXiv:2203.04294"
    )
    implementation = "afpbench.segmenters.naviairway:open_naviairway"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {"weights": WEIGHTS}
    required = ("weights",)

    def class_values(self) -> dict[str, int]:
        return {"airway": 1}

    def model_folder(self, fold_folder: str) -> str:
        return str(Path(self.options["weights"][0]).parent)

    def inputs(self, fold_folder: str) -> list[str]:
        return list(self.options["weights"])

    def features(self, fold_folder: str) -> dict[str, Any]:
        return {"kind": "naviairway", "weights": self.options["weights"]}

    def open(self, folder: Path, device: str, threads: int) -> Segment:
        segment: Segment = self.implement()(self.options["weights"], device, threads)
        return segment

    def layer_problem(self, layers: object) -> str | None:
        return unknown_layers(self.entry, layers, LAYER_GROUPS, LAYER_NAMES)

    def problems(self) -> Iterable[str]:
        return missing_files(f"{self.place}.weights", self.options["weights"], self.task.root)
