"""The study that `afpbench evaluate` writes: real and synthetic CTs, or label maps, and tables by a preset's name."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..base import formats
from ..base.errors import ConfigError
from ..study.kinds.files import dataset_labels, no_folder
from ..study.kinds.kind import expand_path
from ..study.kinds.segmenters.totalsegmentator import totalsegmentator_classes
from ..study.kinds.sources.patterns import CASE

TASK = "evaluation"
HEADER = """\
# Written by `afpbench evaluate`. It can be kept and extended: config/README.md of afpbench describes every key.
# To run it again, in this folder:
#   {command}
"""
# Preset -> whose definitions of the metrics, metrics of images, metrics of structures.
PRESETS: Mapping[str, tuple[str, Sequence[str], Sequence[str]]] = {
    "paper": ("afpbench", ("mae", "ssim"), ("dice", "nsd", "hd95")),
    "synthrad2023": ("synthrad2023", ("mae", "psnr", "ssim"), ("dice", "hd95")),
    "synthrad2025": ("synthrad2025_evaluation", ("mae", "psnr", "ms_ssim"), ("dice", "hd95")),
}
# Structures of TotalSegmentator's classes, by how their names begin.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "bones": ("sacrum", "vertebrae", "humerus", "scapula", "clavicula", "femur", "hip", "skull", "rib", "sternum"),
    "muscles": ("gluteus", "autochthon", "iliopsoas"),
    "lungs": ("lung",),
    "abdomen": ("spleen", "kidney_left", "kidney_right", "liver", "stomach", "pancreas", "urinary_bladder"),
    "heart_and_aorta": ("heart", "aorta"),
}


@dataclass(frozen=True)
class Segmentation:
    """Who segments, and what is made of the classes. structures: name -> its entry, `classes` and what else there is,
    but for the segmenter. tolerance_mm: of NSD."""

    entry: Mapping[str, Any]
    structures: Mapping[str, Mapping[str, Any]]
    tolerance_mm: float


@dataclass(frozen=True)
class Question:
    """What is to be evaluated. Patterns are absolute paths with `{case}`.

    rows: name -> the pattern of its synthetic CTs. Where there are label maps alone it is None, as `ct` is, and
    `label_map` is the pattern of the real ones.
    """

    ct: str | None
    rows: Mapping[str, str | None]
    reference: str
    label_map: str | None = None
    mr: str | None = None
    mask: str | None = None
    segmentation: Segmentation | None = None
    tables: str = "paper"
    resample: bool = False
    failed_cases: str = "stop"


def pattern_of(path: Path, what: str) -> str:
    """Where a folder has the image of each case, as an absolute pattern; a path with `{case}` is one already.

    The folder has an image of one ending for each case, named by its id, or a folder for each case with one image of
    the same name in each. what: the argument, for messages. Raises ConfigError for any other folder.
    """
    if CASE in str(path):
        return os.path.abspath(path.expanduser())
    folder = Path(os.path.abspath(path.expanduser()))
    if not folder.is_dir():
        raise ConfigError(
            f"{what}: no such folder", found=str(path), expected=f"a folder of images, or a path with {CASE}"
        )
    images = [entry for entry in sorted(folder.iterdir()) if entry.is_file() and formats.is_volume_name(entry)]
    names = {f"{CASE}{entry.name[len(formats.stem(entry)) :]}" for entry in images} or _in_folders(folder)
    if len(names) == 1:
        return str(folder / names.pop())
    raise ConfigError(
        f"{what}: the images of the cases are not named alike",
        found=", ".join(sorted(names)) or f"no image in {folder}",
        expected=f"one name, such as {CASE}.nii.gz or {CASE}/ct.nii.gz",
        hint=f"say it: {what} '{path}/{CASE}.nii.gz', where {CASE} stands for the id and * for any text",
    )


def _in_folders(folder: Path) -> set[str]:
    """The names of the images in the folders of the cases."""
    cases = [entry for entry in folder.iterdir() if entry.is_dir() and not formats.is_hidden(entry)]
    return {f"{CASE}/{image.name}" for case in cases for image in case.iterdir() if formats.is_volume_name(image)}


def structures_of(kind: str, folder: Path | None) -> dict[str, list[str]]:
    """The structures that are compared unless others are named: GROUPS, or each class of an nnU-Net."""
    if kind == "totalsegmentator":
        names = list(totalsegmentator_classes().values())
        return {group: [name for name in names if name.startswith(begin)] for group, begin in GROUPS.items()}
    found = expand_path(str(folder), Path())
    if not Path(found).is_dir():
        raise ConfigError(no_folder("afpbench evaluate: --segmenter", found, Path()))
    labels = dataset_labels(Path(found))
    if labels is None:
        raise ConfigError(
            "afpbench evaluate: the model folder does not say its classes",
            found=str(folder),
            expected="a folder with dataset.json, plans.json and fold_0",
            hint="give the folder named Trainer__Plans__configuration",
        )
    return {name: [name] for name, value in labels.items() if name != "background" and isinstance(value, int)}


def study_of(question: Question) -> dict[str, Any]:
    """The study file, as a dict that is written in this order."""
    images = {"ct": question.ct, "label_map": question.label_map, "mr": question.mr, "mask": question.mask}
    given = {role: pattern for role, pattern in images.items() if pattern}
    root = os.path.commonpath([pattern.split(CASE)[0].rpartition("/")[0] or "/" for pattern in given.values()])
    row = {"resample": True} if question.resample else {}
    definition, _, _ = PRESETS[question.tables]
    structures = question.segmentation.structures if question.segmentation else {}
    task = {
        "title": "Evaluation",
        "data": {
            "source": "folder",
            "root": root,
            **({} if question.ct else {"ct": None}),
            **{role: os.path.relpath(path, root) for role, path in given.items()},
        },
        "spacing_mm": None,
        **({"registration": {"method": "none"}} if question.mr else {}),
        "definition": definition,
        **_segmentation(question.segmentation),
        "variants": {name: {"synthetic": pattern, **row} for name, pattern in question.rows.items()},
        "reference": question.reference,
        "tables": tables_of(question.tables, list(structures), images=question.ct is not None),
    }
    return {"failed_cases": question.failed_cases, "tasks": {TASK: task}}


def tables_of(preset: str, structures: Sequence[str], images: bool = True) -> dict[str, Any]:
    """The tables of a preset: the images, where there are such, and each metric of the structures."""
    _, image_metrics, structure_metrics = PRESETS[preset]
    tables: dict[str, Any] = {"images": {"columns": [{"metric": metric} for metric in image_metrics]}} if images else {}
    for metric in structure_metrics if structures else ():
        tables[metric] = {"columns": [{"metric": metric, "structure": structure} for structure in structures]}
    return tables


def text_of(study: Mapping[str, Any], command: str) -> str:
    """The study file's text. command: that runs it."""
    return HEADER.format(command=command) + yaml.safe_dump(dict(study), sort_keys=False, allow_unicode=True, width=120)


def _segmentation(asked: Segmentation | None) -> dict[str, Any]:
    if asked is None:
        return {}
    segmenter = str(asked.entry["kind"])
    structures = {name: {"segmenter": segmenter, **entry} for name, entry in asked.structures.items()}
    return {
        "tolerance_mm": asked.tolerance_mm,
        "segmenters": {segmenter: dict(asked.entry)},
        "structures": structures,
    }
