"""What a segmenter is, as a study file names it."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .kind import Kind, expand_path

if TYPE_CHECKING:
    import numpy as np

    from ...volumes.io import Volume
    from ..file_rows import FileRow

Segment = Callable[["Volume"], "np.ndarray"]
LABEL: dict[str, Any] = {"$ref": "#/$defs/label"}


class Segmenter(Kind):
    """A frozen network that segments CT: real and synthetic alike.

    A subclass says which classes it finds (`class_values`), where its weights are, and how it is opened (`open`); as a
    feature network of losses, how it is loaded (`features`).
    """

    GROUP: ClassVar[str] = "segmenters"
    SECTION: ClassVar[str] = "segmenters"
    PATHS: ClassVar[tuple[str, ...]] = ("folder", "weights", "path")  # options that name files: see `expand_path`
    reader: ClassVar[str] = "SimpleITKIO"  # nnU-Net's, of the images that it learns from where it is trained here

    @classmethod
    def shared_properties(cls) -> Mapping[str, Mapping[str, Any]]:
        return {"label": LABEL}

    def complete(self, options: dict[str, Any]) -> None:
        """Fill in what the entry inherits from its task, in place; its paths as `expand_path` has them."""
        expand_paths(options, self.PATHS, self.task.root)

    @classmethod
    def to_write(cls) -> Iterable[tuple[str, ...]]:
        return ("class_values",), ("model_folder",), ("open",)

    # --- what it finds

    def class_values(self) -> dict[str, int]:
        """Class name -> its value in the label maps. Raises OSError or KeyError where its files cannot say."""
        raise NotImplementedError(f"{type(self).__name__}.class_values")

    def classes(self) -> list[str] | None:
        """The names of the classes that structures may name; None where its files cannot say."""
        try:
            return list(self.class_values())
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def known_values(self) -> dict[str, int]:
        """The values that its label maps may hold, by class; {} where it does not say. Others are an error."""
        return self.class_values()

    # --- where it comes from

    @property
    def trained_here(self) -> bool:
        """Whether the workflow trains its weights, through nnU-Net."""
        return False

    @property
    def teacher(self) -> str | None:
        """The segmenter whose label maps it learns from; None where it learns from the cases', or does not learn."""
        return None

    def label_groups(self) -> dict[str, list[int]]:
        """Class name -> values in the label maps that it learns from, or stands for; {} where there are none.

        Where it learns from the cases' own label maps (`teacher` is None) these are their values.
        """
        return {}

    def true_labels(self) -> dict[str, list[int]]:
        """Class name -> values in the cases' true label maps, where the source has such; {} otherwise."""
        return self.label_groups() if self.task.source.has_true_labels else {}

    def model_folder(self, fold_folder: str) -> str:
        """The folder of its weights. fold_folder: `results/<task>/<fold>`, where trained networks lie."""
        raise NotImplementedError(f"{type(self).__name__}.model_folder")

    def inputs(self, fold_folder: str) -> list[str]:
        """The files or folders that stand for its weights in a rule's input."""
        return [self.model_folder(fold_folder)]

    def label_files(self, root: Path) -> "dict[str, FileRow]":
        """Image (`ct` for the real CT, or a row) -> where its label maps lie, of one that makes none itself.

        root: the folder that relative paths start from.
        """
        return {}

    # --- what is done with it

    def features(self, fold_folder: str) -> dict[str, Any] | None:
        """Itself as a feature network: what `features.load` takes; None where it is no single network."""
        return None

    @property
    def has_logits(self) -> bool:
        """Whether losses can read its output (the term `segmentation`, the option `region_by`): an nnU-Net."""
        return False

    def open(self, folder: Path, device: str, threads: int) -> Segment:
        """Load the network; return a function from a CT volume (HU) to a label map (z, y, x) on the same grid.

        folder: what `model_folder` said. Called once in a job, for all of its cases.
        """
        raise NotImplementedError(f"{type(self).__name__}.open")

    def layer_problem(self, layers: object) -> str | None:
        """What is wrong with the option `layers` of a loss that uses it; None where nothing is, or nobody can know."""
        return None

    def unused(self) -> Iterable[str]:
        """Options given in vain, one `key: what; hint` each. Asked before defaults are filled in."""
        return ()


def expand_paths(options: dict[str, Any], keys: Iterable[str], root: Path) -> None:
    """`~` and `pretrained:` in the options that name files, in place."""
    for key in keys:
        if isinstance(options.get(key), str):
            options[key] = expand_path(options[key], root)
        elif isinstance(options.get(key), list):
            options[key] = [expand_path(path, root) for path in options[key]]
