"""nnU-Net v2 model folders as feature networks."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ..files import model_folder_problems, one_fold
from ..layers import unknown_unet_layers
from ..network import Network


class NnUNet(Network):
    """Any nnU-Net v2 model folder, for its features only."""

    name = "nnunet"
    implementation = "afpbench.features.nnunet:load_nnunet"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "folder": {"description": "The model folder, as of a segmenter.", "type": "string", "minLength": 1},
        "folds": {
            "description": "The folds whose features stand side by side; `every` for each fold that has weights, `all` "
            "for nnU-Net's `fold_all`.",
            "type": ["array", "string"],
            "pattern": "^(every|all)$",
            "items": {"type": "integer", "minimum": 0},
            "minItems": 1,
            "uniqueItems": True,
            "default": [0],
            "x-allowed": "a list of fold numbers, 'every' or 'all'",
        },
    }
    required = ("folder",)

    @property
    def has_logits(self) -> bool:
        return True

    def inputs(self, fold_folder: str) -> list[str]:
        return [self.options["folder"]]

    def features(self, fold_folder: str) -> dict[str, Any]:
        return {"kind": self.name, "folder": self.options["folder"], "fold": one_fold(self.options["folds"])}

    @classmethod
    def weight_files(cls, options: Mapping[str, Any]) -> list[Path]:
        return sorted(Path(options["folder"]).rglob("checkpoint_final.pth"))

    def layer_problem(self, layers: object) -> str | None:
        return unknown_unet_layers(self.entry, layers, self.task.root / self.options["folder"])

    def problems(self) -> Iterable[str]:
        folds: Sequence[int | str] | str = self.options["folds"]
        needed = folds if not isinstance(folds, str) else ["all"] if folds == "all" else []
        return model_folder_problems(self.place, self.options["folder"], needed, self.task.root)
