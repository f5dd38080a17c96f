"""TotalSegmentator, with its own weights or the workflow's stand-in."""

import functools
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from ...messages import not_among
from ...paths import FoldPaths
from ..files import learned_groups, no_folder
from ..layers import unknown_unet_layers
from ..segmenter import Segment, Segmenter, expand_paths
from ..training import PATCH_SIZE, StandIn, inherit_training, planner_option, training_option
from .trained import class_problems, classes_option

DATASETS = {"total": (291, 292, 293, 294, 295), "fast": (297,), "fastest": (298,)}
_MODEL = "nnUNetTrainer_4000epochs_NoMirroring__nnUNetPlans__3d_fullres"
LAYOUT = {
    "fast": ("Dataset297_TotalSegmentator_total_3mm_1559subj", _MODEL),
    "fastest": ("Dataset298_TotalSegmentator_total_6mm_1559subj", _MODEL),
}


@functools.cache
def totalsegmentator_classes() -> dict[int, str]:
    """The classes of TotalSegmentator's task `total`, `fast` and `fastest` included: id -> name."""
    text = resources.files("afpbench").joinpath("segmenters/totalsegmentator_classes.json").read_text(encoding="utf-8")
    return {int(key): name for key, name in json.loads(text).items()}


def model_folder(weights: Path, task: str) -> Path:
    """Where TotalSegmentator looks for the model of `total` with --fast or --fastest under a weights folder."""
    return weights.joinpath(*LAYOUT[task])


class TotalSegmentator(StandIn, Segmenter):
    """The real TotalSegmentator package."""

    name = "totalsegmentator"
    citation = (
        "Wasserthal et al., TotalSegmentator: robust segmentation of 104 anatomic structures in CT images, "
        "Radiology: Artificial Intelligence 2023, doi:10.1148/ryai.230024"
    )
    implementation = "afpbench.segmenters.prediction:open_totalsegmentator"
    reader = "NibabelIOWithReorient"  # it hands its network RAS images, whatever the file says: a stand-in learns so
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "task": {
            "description": "TotalSegmentator's model. `total` works at 1.5 mm, `fast` at 3 mm, `fastest` at 6 mm.",
            "enum": ["total", "fast", "fastest"],
            "default": "total",
        },
        "weights": {
            "description": "`stand_in` trains weights on the phantom's labels of every class that the task's "
            "structures name, and stores them in TotalSegmentator's own layout. A path names the folder of real "
            "weights (the one with the `Dataset297_...` folders), or one that comes with the package: "
            "`pretrained:NAME`.",
            "type": "string",
            "minLength": 1,
            "x-allowed": "'stand_in', the path of a folder or 'pretrained:NAME'",
        },
        "classes": {
            **classes_option(
                "Of a stand-in only: the TotalSegmentator classes that it learns, each with the labels of the source "
                "that it joins. By default every class of the source by itself, which takes a longer training.",
                "Labels of the data source that make this class.",
                "label",
            ),
            "type": ["object", "null"],
            "default": None,
        },
        "training": training_option("How the stand-in is trained."),
        "planner": planner_option("Size of the stand-in."),
        "patch_size": PATCH_SIZE,
    }
    required = ("weights",)
    STAND_IN_KEYS = ("training", "planner", "patch_size")

    @property
    def has_logits(self) -> bool:
        return self.options["task"] in LAYOUT  # `total` is five networks

    def complete(self, options: dict[str, Any]) -> None:
        if self.trained_here:
            inherit_training(options, self.task)
        else:
            expand_paths(options, ("weights",), self.task.root)

    def class_values(self) -> dict[str, int]:
        return {name: value for value, name in totalsegmentator_classes().items()}

    def classes(self) -> list[str]:
        """A stand-in, and a folder that says what it has learned, find that alone."""
        names = list(self.class_values())
        if not self.trained_here:
            learned = self._learned()
            return [name for name in names if name in learned] or names
        available = set(self.options["classes"] or self.task.source.label_names())
        return [name for name in names if name in available]

    def label_groups(self) -> dict[str, list[int]]:
        """Of a stand-in its option `classes`, or all that occur in the source under TotalSegmentator's ids."""
        ids, source = self.task.source.label_ids(), self.task.source
        if self.options["classes"]:
            return {name: [ids[label] for label in labels] for name, labels in self.options["classes"].items()}
        if not self.trained_here:
            return self._learned()
        if not source.has_true_labels:
            return {}
        present = [name for name in source.label_names() if ids[name] in totalsegmentator_classes()]
        return {name: [ids[name]] for name in sorted(present, key=lambda name: ids[name])}

    def _learned(self) -> dict[str, list[int]]:
        """What given weights say that they have learned: TotalSegmentator's own do not."""
        if not self.has_logits:
            return {}
        folder = model_folder(self.task.root / self.options["weights"], self.options["task"])
        return learned_groups(folder, self.task.source)

    def model_folder(self, fold_folder: str) -> str:
        if self.trained_here:
            return FoldPaths.of(fold_folder).totalsegmentator(self.entry)
        return str(self.options["weights"])

    def features(self, fold_folder: str) -> dict[str, Any] | None:
        if not self.has_logits:
            return None
        folder = model_folder(Path(self.model_folder(fold_folder)), self.options["task"])
        return {"kind": "nnunet", "folder": str(folder)}

    def open(self, folder: Path, device: str, threads: int) -> Segment:
        segment: Segment = self.implement()(folder, self.options["task"], device, threads)
        return segment

    def layer_problem(self, layers: object) -> str | None:
        if self.trained_here or not self.has_logits:
            return unknown_unet_layers(self.entry, layers)
        folder = model_folder(self.task.root / self.options["weights"], self.options["task"])
        return unknown_unet_layers(self.entry, layers, folder)

    def problems(self) -> Iterable[str]:
        """Real weights are there; a stand-in has true labels to learn from."""
        return self._stand_in_problems() if self.trained_here else self._weight_problems()

    def _stand_in_problems(self) -> Iterable[str]:
        source, classes = self.task.source, self.options["classes"] or {}
        if not source.has_true_labels:
            yield (
                f"{self.place}.weights: a stand-in needs true labels; found: data.source '{source.name}'; "
                "allowed: the path of real weights; hint: 'stand_in' works with the phantom only"
            )
            return
        known = list(self.class_values())
        for name in classes:
            if name not in known:
                yield not_among(f"{self.place}.classes", name, known, "TotalSegmentator has no such class")
        if not self.has_logits:
            yield f"{self.place}.task: a stand-in is one network; found: 'total'; allowed: fast, fastest"
        yield from class_problems(self.place, classes, source.label_names())

    def _weight_problems(self) -> Iterable[str]:
        weights, task = self.options["weights"], self.options["task"]
        folder = self.task.root / weights
        if not folder.is_dir():
            yield no_folder(f"{self.place}.weights", weights, self.task.root)
            return
        for number in DATASETS[task]:
            if not any(folder.glob(f"Dataset{number}_*")):
                yield (
                    f"{self.place}.weights: {weights} has no folder Dataset{number}_*, which the task "
                    f"'{task}' needs; hint: TotalSegmentator keeps them in ~/.totalsegmentator/nnunet/results"
                )
