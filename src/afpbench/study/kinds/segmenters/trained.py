"""nnU-Nets that the workflow trains on the labels of the cases."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ...messages import not_among
from ...paths import FoldPaths
from ..layers import unknown_unet_layers
from ..segmenter import Segment, Segmenter
from ..training import PATCH_SIZE, inherit_training, planner_option, training_option


def classes_option(description: str, of_each: str, what: str) -> dict[str, Any]:
    """The option `classes`: class name -> what it joins."""
    return {
        "description": description,
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"$ref": "#/$defs/name"},
        "x-name": "class",
        "additionalProperties": {
            "description": of_each,
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "uniqueItems": True,
            "x-allowed": f"a list of {what} names",
        },
    }


def class_problems(
    place: str, classes: Mapping[str, Sequence[str]], available: Sequence[str], what: str = "the data has no such label"
) -> Iterable[str]:
    """Every label exists where it comes from, and belongs to one class."""
    owner: dict[str, str] = {}
    for name, labels in classes.items():
        if name == "background":
            yield f"{place}.classes.background: a reserved name; hint: everything else is background by itself"
        for label in labels:
            if label not in available:
                yield not_among(f"{place}.classes.{name}", label, available, what)
            elif label in owner:
                yield (
                    f"{place}.classes.{name}: the label '{label}' is already in the class '{owner[label]}'; "
                    "hint: a voxel can belong to one class only"
                )
            owner.setdefault(label, name)


class TrainedSegmenter(Segmenter):
    """An nnU-Net of the task: what segmenters share whose option `classes` says what they learn."""

    implementation: ClassVar[str] = "afpbench.segmenters.prediction:open_nnunet"

    @property
    def trained_here(self) -> bool:
        return True

    @property
    def has_logits(self) -> bool:
        return True

    def complete(self, options: dict[str, Any]) -> None:
        inherit_training(options, self.task)

    def class_values(self) -> dict[str, int]:
        return {name: value for value, name in enumerate(self.options["classes"], start=1)}

    def model_folder(self, fold_folder: str) -> str:
        return FoldPaths.of(fold_folder).segmenter(self.entry).folder

    def inputs(self, fold_folder: str) -> list[str]:
        return [FoldPaths.of(fold_folder).segmenter(self.entry).checkpoint]

    def features(self, fold_folder: str) -> dict[str, Any]:
        return {"kind": "nnunet", "folder": self.model_folder(fold_folder)}

    def open(self, folder: Path, device: str, threads: int) -> Segment:
        segment: Segment = self.implement()(folder, None, device, threads)
        return segment

    def layer_problem(self, layers: object) -> str | None:
        return unknown_unet_layers(self.entry, layers)


class Trained(TrainedSegmenter):
    """An nnU-Net that the workflow trains on the labels of the training cases, at the task's spacing."""

    name = "trained"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "classes": classes_option(
            "The classes to learn, each with the labels of the data source that it joins. Class ids follow this "
            "order, from 1.",
            "Labels of the data source that make this class.",
            "label",
        ),
        "training": training_option("How it is trained."),
        "planner": planner_option("Size of the network."),
        "patch_size": PATCH_SIZE,
    }
    required = ("classes",)

    def label_groups(self) -> dict[str, list[int]]:
        ids = self.task.source.label_ids()
        return {name: [ids[label] for label in labels] for name, labels in self.options["classes"].items()}

    def problems(self) -> Iterable[str]:
        return class_problems(self.place, self.options["classes"], self.task.source.label_names())
