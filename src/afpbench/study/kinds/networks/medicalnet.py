"""MedicalNet's 3D ResNets as feature networks: its weights, a download of them, or the workflow's stand-in."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from ...messages import nearest
from ...paths import FoldPaths
from ..files import no_file
from ..layers import unknown_layers
from ..network import DOWNLOAD, Network, download_path
from ..segmenter import expand_paths
from ..training import PATCH_SIZE, STAND_IN, StandIn, inherited_training, training_option

LAYER_GROUPS = ("all",)
LAYER_NAMES = ("relu1", "layer1", "layer2", "layer3", "layer4")
SCALE = ("mean_hu", "std_hu")


class MedicalNet(StandIn, Network):
    """MedicalNet's 3D ResNets. Layers are `relu1` and `layer1` to `layer4`; all of them by default."""

    name = "medicalnet"
    citation = "Chen et al., Med3D: transfer learning for 3D medical image analysis, arXiv:1904.00625"
    implementation = "afpbench.features.medicalnet:MedicalNetFeatures"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "weights": {
            "description": "`stand_in` trains weights on the real CT of the training cases (tissues by HU) and stores "
            "them in MedicalNet's own format. A path names a checkpoint such as `resnet_50_23dataset.pth`. A group is "
            "a download.",
            "x-allowed": "'stand_in', the path of a file, or url and sha256",
            "oneOf": [{"type": "string", "minLength": 1}, DOWNLOAD],
        },
        "depth": {
            "description": "Of a stand-in only; of a file it is read from its keys.",
            "enum": [10, 18, 34, 50],
            "default": 10,
        },
        "normalization": {
            "description": "The input is (HU - mean) / SD. `patch` takes mean and SD of each patch, real and synthetic "
            "each its own, as MedicalNet normalises its images: the features see neither an offset nor a factor of HU. "
            "`fixed` takes one mean and one SD for all.",
            "enum": ["patch", "fixed"],
            "default": "patch",
        },
        "mean_hu": {
            "description": "The mean of `fixed`; by default (`null`) mean and SD are those of the training cases' CT, "
            "as for the generator.",
            "type": ["number", "null"],
            "default": None,
        },
        "std_hu": {
            "description": "The SD of `fixed`, see `mean_hu`.",
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "default": None,
            "x-allowed": "a number above 0, or null",
        },
        "training": training_option("How the stand-in is trained."),
        "patch_size": PATCH_SIZE,
    }
    required = ("weights",)
    STAND_IN_KEYS = ("depth", "training", "patch_size")

    @property
    def download(self) -> dict[str, Any] | None:
        weights = self.options["weights"]
        return weights if isinstance(weights, dict) else None

    def complete(self, options: dict[str, Any]) -> None:
        if not self.trained_here:
            expand_paths(options, ("weights",), self.task.root)
            return
        options["training"] = {**inherited_training(self.task), **options.get("training", {})}
        options.setdefault("patch_size", self.task.options["generators"]["nnunet"]["patch_size"])

    def inputs(self, fold_folder: str) -> list[str]:
        if self.trained_here:
            return [FoldPaths.of(fold_folder).network(self.entry).weights]
        return [download_path(self.download) if self.download else self.options["weights"]]

    def features(self, fold_folder: str) -> dict[str, Any]:
        (weights,) = self.inputs(fold_folder)
        checksum = {"sha256": self.download["sha256"]} if self.download else {}
        return {"kind": self.name, "weights": weights, **checksum, **self._scale(fold_folder)}

    def _scale(self, fold_folder: str) -> dict[str, Any]:
        """Where mean and SD of the input come from; nothing for each patch's own."""
        if self.options["normalization"] == "patch":
            return {}
        if self.options["mean_hu"] is None:
            return {"statistics": FoldPaths.of(fold_folder).normalization}
        return {key: self.options[key] for key in SCALE}

    def training_options(self) -> dict[str, Any]:
        planner = self.task.options["generators"]["nnunet"]["planner"]
        return {**{key: self.options[key] for key in self.STAND_IN_KEYS}, "planner": planner}

    def layer_problem(self, layers: object) -> str | None:
        return unknown_layers(self.entry, layers, LAYER_GROUPS, LAYER_NAMES)

    def unused(self) -> Iterator[str]:
        yield from super().unused()
        fixed = self.options.get("normalization", "patch") == "fixed"
        for key in () if fixed else SCALE:
            if self.options.get(key) is not None:
                yield f"{key}: has no effect on patches by their own mean and SD; hint: set normalization to 'fixed'"

    def problems(self) -> Iterable[str]:
        """Numbers that go together are together, and the file is there, or has a name."""
        place, weights, root = self.place, self.options["weights"], self.task.root
        if (self.options["mean_hu"] is None) != (self.options["std_hu"] is None):
            yield f"{place}: mean_hu and std_hu go together; hint: give both, or none for those of the training cases"
        if isinstance(weights, str) and not self.trained_here and not (root / weights).is_file():
            hint = f"did you mean '{STAND_IN}'?" if nearest(weights, [STAND_IN]) else ""
            yield no_file(f"{place}.weights", weights, root, hint)
        if self.download and download_path(self.download).endswith("/"):
            url = self.download["url"]
            yield f"{place}.weights.url: names no file; found: '{url}'; allowed: the address of a file"
