"""nnU-Net v2 model folders as segmenters."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ..files import dataset_labels, learned_groups, model_folder_problems, one_fold
from ..layers import unknown_unet_layers
from ..segmenter import Segment, Segmenter


class NnUNet(Segmenter):
    """Any nnU-Net v2 model folder, read-only."""

    name = "nnunet"
    implementation = "afpbench.segmenters.prediction:open_nnunet"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "folder": {
            "description": "The model folder, with `plans.json`, `dataset.json` and `fold_N/checkpoint_final.pth`; "
            "relative to the working directory, or `pretrained:NAME` for one that comes with the package.",
            "type": "string",
            "minLength": 1,
        },
        "folds": {
            "description": "The folds whose outputs are averaged.",
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "minItems": 1,
            "uniqueItems": True,
            "default": [0],
            "x-allowed": "a list of fold numbers",
        },
        "tile_step": {
            "description": "How far apart the tiles of a volume lie, in tiles: nnU-Net's `-step_size`. 1 lays them "
            "side by side, which is quickest, and worst at their borders.",
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "default": 0.5,
        },
    }
    required = ("folder",)

    @property
    def has_logits(self) -> bool:
        return True

    @property
    def _folder(self) -> Path:
        return self.task.root / self.options["folder"]

    def class_values(self) -> dict[str, int]:
        labels = dataset_labels(self._folder)
        if labels is None:
            raise KeyError(f"{self._folder / 'dataset.json'}: no readable `labels`")
        return {name: value for name, value in labels.items() if isinstance(value, int) and name != "background"}

    def known_values(self) -> dict[str, int]:
        """All that its dataset.json names; {} for a network of overlapping regions, whose values are another list."""
        labels = dataset_labels(self._folder) or {}
        return labels if all(isinstance(value, int) for value in labels.values()) else {}

    def label_groups(self) -> dict[str, list[int]]:
        return learned_groups(self._folder, self.task.source)

    def model_folder(self, fold_folder: str) -> str:
        return str(self.options["folder"])

    def features(self, fold_folder: str) -> dict[str, Any]:
        return {"kind": "nnunet", "folder": self.model_folder(fold_folder), "fold": one_fold(self.options["folds"])}

    def open(self, folder: Path, device: str, threads: int) -> Segment:
        segment: Segment = self.implement()(folder, self.options["folds"], device, threads, self.options["tile_step"])
        return segment

    def layer_problem(self, layers: object) -> str | None:
        return unknown_unet_layers(self.entry, layers, self._folder)

    def problems(self) -> Iterable[str]:
        return model_folder_problems(self.place, self.options["folder"], self.options["folds"], self.task.root)
