"""Exported TorchScript modules as feature networks."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..files import no_file
from ..layers import unknown_layers
from ..network import Network

OUTPUT = re.compile(r"output\.\d+")


class TorchScript(Network):
    """An exported module that maps a CT patch (batch, 1, z, y, x) to a feature tensor or several. Layers are
    `output.0`, `output.1`, ...; all of them by default.
    """

    name = "torchscript"
    implementation = "afpbench.features.torchscript:TorchScriptFeatures"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "path": {"description": "The file that `torch.jit.save` wrote.", "type": "string", "minLength": 1},
        "mean_hu": {
            "description": "The module's input is (clipped HU - mean) / SD.",
            "type": "number",
            "default": 0,
        },
        "std_hu": {
            "description": "The SD, see `mean_hu`.",
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 1,
        },
        "clip_hu": {
            "description": "Lowest and highest HU that the module is shown; `null` for no limits.",
            "type": ["array", "null"],
            "items": {"type": "number"},
            "minItems": 2,
            "maxItems": 2,
            "default": None,
            "x-allowed": "two rising numbers, or null",
        },
        "network_spacing_mm": {
            "description": "The spacing that the module wants, in mm, in the order z, y, x; `null` for the task's.",
            "type": ["array", "null"],
            "items": {"type": "number", "exclusiveMinimum": 0},
            "minItems": 3,
            "maxItems": 3,
            "default": None,
            "x-allowed": "three numbers above 0 in mm, or null",
        },
        "divisor": {
            "description": "What its input size must be divisible by, in the order z, y, x.",
            "type": "array",
            "items": {"type": "integer", "minimum": 1},
            "minItems": 3,
            "maxItems": 3,
            "default": [1, 1, 1],
            "x-allowed": "three whole numbers of at least 1",
        },
    }
    required = ("path",)

    def inputs(self, fold_folder: str) -> list[str]:
        return [self.options["path"]]

    def features(self, fold_folder: str) -> dict[str, Any]:
        keys = ("path", "mean_hu", "std_hu", "clip_hu", "network_spacing_mm", "divisor")
        return {"kind": self.name, **{key: self.options[key] for key in keys}}

    def layer_problem(self, layers: object) -> str | None:
        """How many outputs there are, only the module knows."""
        if isinstance(layers, int):
            return None
        asked = [layers] if isinstance(layers, str) else layers if isinstance(layers, list) else []
        outputs = [name for name in asked if OUTPUT.fullmatch(name)]
        return unknown_layers(self.entry, layers, ("all",), list(dict.fromkeys([*outputs, "output.0", "output.1"])))

    def problems(self) -> Iterable[str]:
        path, clip, root = self.options["path"], self.options["clip_hu"], self.task.root
        if not (root / path).is_file():
            yield no_file(f"{self.place}.path", path, root)
        if clip is not None and clip[0] >= clip[1]:
            yield (f"{self.place}.clip_hu: the lower limit must come first; found: {clip}; allowed: two rising numbers")
