"""Files that a study names, looked at while it is planned: nnU-Net's model folders, and what is missing."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import pretrained
from ..messages import not_among

if TYPE_CHECKING:
    from .source import Source


def relative_hint(root: Path) -> str:
    """Where relative paths start, as a hint says it."""
    return f"relative paths start from {root.resolve()}"


def no_folder(where: str, found: str, root: Path) -> str:
    """The line for a folder that is not there."""
    return _absent(where, "folder", found, root)


def no_file(where: str, found: str, root: Path, hint: str = "") -> str:
    """The line for a file that is not there. hint: in place of where relative paths start."""
    return _absent(where, "file", found, root, hint)


def _absent(where: str, what: str, found: str, root: Path, hint: str = "") -> str:
    shipped = pretrained.name_of(found, root)
    if shipped is None:
        return f"{where}: no such {what}; found: '{found}'; hint: {hint or relative_hint(root)}"
    name, _, inside = shipped.partition("/")
    if name not in pretrained.names():
        return not_among(where, name, pretrained.names(), "no such pre-trained network")
    said = f"{pretrained.PREFIX}{shipped}"
    if not inside:
        return f"{where}: a folder, where a file is expected; found: '{said}'; hint: {said}/FILE names a file in it"
    return f"{where}: no such {what} in the pre-trained network '{name}'; found: '{said}'"


def missing_files(place: str, paths: Sequence[str], root: Path) -> Iterator[str]:
    """A line for each file of a list that is not there."""
    for index, path in enumerate(paths):
        if not (root / path).is_file():
            yield no_file(f"{place}[{index}]", path, root)


def model_folder_problems(place: str, name: str, folds: Sequence[int | str], root: Path) -> Iterator[str]:
    """What an nnU-Net v2 model folder lacks of what loading it needs. place: of its options in the study file."""
    folder = root / name
    if not folder.is_dir():
        yield no_folder(f"{place}.folder", name, root)
        return
    for file in ("plans.json", "dataset.json", *(f"fold_{fold}/checkpoint_final.pth" for fold in folds)):
        if not (folder / file).is_file():
            yield f"{place}.folder: {name} has no {file}; hint: give the folder that holds plans.json and fold_0"
    if (folder / "dataset.json").is_file() and dataset_labels(folder) is None:
        yield f"{place}.folder: {name}/dataset.json has no readable `labels`"


def dataset_labels(folder: Path) -> dict[str, Any] | None:
    """Class name -> value, or values of a region, in a model folder's dataset.json; None where it cannot say."""
    try:
        labels = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["labels"]
        return dict(labels)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def learned_groups(folder: Path, source: "Source") -> dict[str, list[int]]:
    """Class -> the source's label values that it stands for, as a model folder's dataset.json says (`label_groups`).

    {} for a folder that does not say, and for a source that lacks one of the labels.
    """
    ids = source.label_ids()
    try:
        groups = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["label_groups"]
        return {name: [ids[label] for label in labels] for name, labels in groups.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def one_fold(folds: Any) -> Any:
    """The option `folds` as features.load takes it: one number by itself."""
    return folds[0] if isinstance(folds, list) and len(folds) == 1 else folds
