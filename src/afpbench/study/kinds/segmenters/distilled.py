"""nnU-Nets that the workflow trains on what another segmenter finds."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ...messages import not_among
from ..training import PATCH_SIZE, planner_option, training_option
from .trained import TrainedSegmenter, class_problems, classes_option


class Distilled(TrainedSegmenter):
    """An nnU-Net that the workflow trains on what another segmenter finds in the training cases, at the task's
    spacing. So the paper makes one fused network of TotalSegmentator's five.
    """

    name = "distilled"
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "teacher": {
            "description": "The segmenter of this task that labels the real CT of training and validation cases; not "
            "a distilled one.",
            "type": "string",
        },
        "classes": classes_option(
            "The classes to learn, each with the teacher's classes that it joins. Class ids follow this order, from 1.",
            "Classes of the teacher that make this class.",
            "class",
        ),
        "training": training_option("How it is trained."),
        "planner": planner_option("Size of the network."),
        "patch_size": PATCH_SIZE,
    }
    required = ("teacher", "classes")

    @property
    def teacher(self) -> str:
        name: str = self.options["teacher"]
        return name

    def label_groups(self) -> dict[str, list[int]]:
        values = self.task.segmenters[self.teacher].class_values()
        return {name: [values[member] for member in members] for name, members in self.options["classes"].items()}

    def true_labels(self) -> dict[str, list[int]]:
        """What the true labels have of its teacher's classes, in its own."""
        known = self.task.segmenters[self.teacher].true_labels()
        return {
            name: [value for member in members for value in known.get(member, [])]
            for name, members in self.options["classes"].items()
        }

    def problems(self) -> Iterable[str]:
        """The teacher is another segmenter, not a distilled one itself, and finds the classes."""
        teachers = [name for name, other in self.task.segmenters.items() if other.teacher is None]
        if self.teacher not in teachers:
            what = "no such segmenter that is not distilled itself"
            yield not_among(f"{self.place}.teacher", self.teacher, teachers, what)
            return
        available = self.task.segmenters[self.teacher].classes()
        if available is not None:  # else its folder cannot say, which is a line of its own
            what = f"the teacher '{self.teacher}' has no such class"
            yield from class_problems(self.place, self.options["classes"], available, what)
