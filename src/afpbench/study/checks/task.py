"""What a schema cannot see in a study file: names that must exist elsewhere, numbers that must fit, files on disk.

Each check takes a completed task (see config.load_study) and returns its problems, one line each. Standard library
only.
"""

import functools
import json
from importlib import resources
from pathlib import Path

from ...base.errors import AfpbenchError
from ...generators.architecture import check_depth, is_gan
from ...registration.options import problems as registration_problems
from ..kinds.metric import REGIONS
from ..kinds.sources import open_source
from ..rows import CONTROLS
from ..schema import not_among
from ..split_columns import resolve_splits
from ..task import Task
from . import figures, tables
from .data import case_problems, may_lack_files, missing_files, one_line, source_problems
from .losses import check_losses
from .networks import (
    STAND_IN,
    check_feature_networks,
    check_model_folder,
    check_naviairway,
    check_networks,
    dataset_classes,
    is_stand_in,
    no_folder,
)

TOTALSEGMENTATOR_DATASETS = {"total": (291, 292, 293, 294, 295), "fast": (297,), "fastest": (298,)}
NAVIAIRWAY_CLASSES = {"airway": 1}


def check_task(study: dict, name: str, root: Path) -> list[str]:
    """All problems of one completed task, in the order of the file."""
    task = study["tasks"][name]
    where, parts = f"tasks.{name}", Task(name, task, root, study["seed"])
    return [
        *_check_pairs(where, task),
        *source_problems(parts),
        *_check_registration(where, task, root),
        *case_problems(parts),
        *([] if may_lack_files(study) else missing_files(parts)),
        *_check_segmenters(where, task, root),
        *check_feature_networks(where, task, root),
        *_check_structures(where, task, root),
        *_check_generators(where, task),
        *_check_variants(where, task, root),
        *tables.problems(parts),
        *figures.problems(parts),
    ]


def fill_splits(name: str, task: dict, root: Path) -> list[str]:
    """Put lists of cases in the place of columns in a task's `splits`, in place. Returns the problems."""
    try:
        resolve_splits(task["splits"], Task(name, task, root).source)
    except AfpbenchError as error:
        return [f"tasks.{name}.splits: {one_line(error)}"]
    return []


def warnings(study: dict) -> list[str]:
    """What is allowed but unwise, one line each."""
    lines = []
    for name, task in study["tasks"].items():
        test, alpha = task["splits"]["test"], task["statistics"]["alpha"]
        if test is None:  # folds: every case is a test case
            continue
        count = len(test) if isinstance(test, list) else test
        smallest = 2 / 2**count
        if smallest >= alpha:
            lines.append(
                f"tasks.{name}.splits.test: with {count} test cases the smallest p of a two-sided Wilcoxon test is "
                f"{smallest:.3g}, so nothing can reach p < {alpha:g}"
            )
    return lines


def is_trained_here(segmenter: dict) -> bool:
    """Whether the workflow trains a segmenter itself: `trained`, `distilled`, or TotalSegmentator's stand-in."""
    return segmenter["kind"] in ("trained", "distilled") or segmenter.get("weights") == STAND_IN


def unused_training(name: str, task: dict) -> list[str]:
    """Training keys given in vain: for a segmenter that is only loaded, and momentum for a GAN.

    task: as the user wrote it.
    """
    gans = {key for key, generator in task.get("generators", {}).items() if is_gan({"kind": "nnunet", **generator})}
    return [
        f"tasks.{name}.variants.{key}.training.momentum: has no effect, since a GAN is trained by adam; "
        "hint: remove it, or set adam_betas"
        for key, variant in task["variants"].items()
        if variant["generator"] in gans and "momentum" in variant.get("training", {})
    ] + [
        f"tasks.{name}.segmenters.{key}.{part}: has no effect, since weights are given; hint: remove it, "
        f"or set weights to '{STAND_IN}'"
        for key, segmenter in task["segmenters"].items()
        if not is_trained_here(segmenter)
        for part in ("training", "planner", "patch_size")
        if part in segmenter
    ]


@functools.cache
def totalsegmentator_classes() -> dict[int, str]:
    """The classes of TotalSegmentator's task `total`, `fast` and `fastest` included: id -> name."""
    text = resources.files("afpbench").joinpath("segmenters/totalsegmentator_classes.json").read_text(encoding="utf-8")
    return {int(key): name for key, name in json.loads(text).items()}


def source_labels(data: dict) -> list[str]:
    """The names of the labels that a data source has."""
    return open_source(data, Path()).label_names()


def segmenter_classes(segmenter: dict, data: dict, root: Path) -> list[str] | None:
    """The names of the classes that a segmenter finds; None where its folder cannot say."""
    if segmenter["kind"] in ("trained", "distilled"):
        return list(segmenter["classes"])
    if segmenter["kind"] == "nnunet":
        return dataset_classes(root / segmenter["folder"])
    if segmenter["kind"] == "naviairway":
        return list(NAVIAIRWAY_CLASSES)
    names = list(totalsegmentator_classes().values())
    if segmenter["weights"] == STAND_IN:
        available = set(segmenter.get("classes") or source_labels(data))
        names = [name for name in names if name in available]
    return names


def _check_registration(where: str, task: dict, root: Path) -> list[str]:
    """Keys that go together, and the user's parameter files."""
    options = task["registration"]
    lines = [f"{where}.registration.{line}" for line in registration_problems(options)]
    for index, name in enumerate(options["parameter_files"]):
        if not (root / name).is_file():
            place = f"{where}.registration.parameter_files[{index}]"
            lines.append(f"{place}: no such file; found: '{name}'; allowed: an elastix parameter file")
    return lines


def _check_pairs(where: str, task: dict) -> list[str]:
    """Lower and upper limits in the right order."""
    limits = ("mr_clip_percentiles", "ct_clip_percentiles", "ct_clip_hu")
    pairs = {f"normalization.{key}": task["normalization"][key] for key in limits}
    pairs["figures.window_hu"] = task["figures"]["window_hu"]
    labels = task["data"].get("labels") or {}
    for name, structure in labels.get("structures", {}).items():
        pairs[f"data.labels.structures.{name}.hu"] = structure["hu"]
    return [
        f"{where}.{key}: the lower limit must come first; found: {pair}; allowed: two numbers in rising order"
        for key, pair in pairs.items()
        if pair[0] >= pair[1]
    ]


def _check_segmenters(where: str, task: dict, root: Path) -> list[str]:
    lines = []
    for name, segmenter in task["segmenters"].items():
        place = f"{where}.segmenters.{name}"
        if not isinstance(segmenter.get("training", {}).get("patch_sampling", ""), str):
            lines.append(
                f"{place}.training.patch_sampling: a segmenter's foreground is its classes; "
                "allowed: foreground, uniform; hint: remove the list"
            )
        if segmenter["kind"] == "trained":
            lines += _check_trained(place, segmenter, source_labels(task["data"]))
        elif segmenter["kind"] == "distilled":
            lines += _check_distilled(place, name, task, root)
        elif segmenter["kind"] == "nnunet":
            lines += check_model_folder(place, segmenter, root)
        elif segmenter["kind"] == "naviairway":
            lines += check_naviairway(place, segmenter, root)
        else:
            lines += _check_totalsegmentator(place, segmenter, task["data"], root)
        if is_trained_here(segmenter):
            lines += _check_training(place, segmenter["training"], "segmenters are trained by nnU-Net")
    for name, network in task["feature_networks"].items():
        if is_stand_in(network):
            place = f"{where}.feature_networks.{name}"
            lines += _check_training(place, network["training"], "stand-ins are trained by nnU-Net")
    return lines


def _check_distilled(place: str, name: str, task: dict, root: Path) -> list[str]:
    """The teacher is another segmenter, not a distilled one itself, and finds the classes."""
    segmenter = task["segmenters"][name]
    teachers = [other for other, options in task["segmenters"].items() if options["kind"] != "distilled"]
    if segmenter["teacher"] not in teachers:
        what = "no such segmenter that is not distilled itself"
        return [not_among(f"{place}.teacher", segmenter["teacher"], teachers, what)]
    available = segmenter_classes(task["segmenters"][segmenter["teacher"]], task["data"], root)
    if available is None:  # its folder cannot say, which is a line of its own
        return []
    return _check_trained(place, segmenter, available, f"the teacher '{segmenter['teacher']}' has no such class")


def _check_trained(
    place: str, segmenter: dict, available: list[str], what: str = "the data has no such label"
) -> list[str]:
    """Every label exists where it comes from, and belongs to one class."""
    owner, lines = {}, []
    for name, labels in segmenter["classes"].items():
        if name == "background":
            lines.append(f"{place}.classes.background: a reserved name; hint: everything else is background by itself")
        for label in labels:
            if label not in available:
                lines.append(not_among(f"{place}.classes.{name}", label, available, what))
            elif label in owner:
                lines.append(
                    f"{place}.classes.{name}: the label '{label}' is already in the class '{owner[label]}'; "
                    "hint: a voxel can belong to one class only"
                )
            owner.setdefault(label, name)
    return lines


def _check_totalsegmentator(place: str, segmenter: dict, data: dict, root: Path) -> list[str]:
    """Real weights are there; a stand-in has the phantom's labels to learn from."""
    if segmenter["weights"] == STAND_IN:
        if data["source"] == "phantom":
            classes, known = segmenter.get("classes") or {}, list(totalsegmentator_classes().values())
            lines = [
                not_among(f"{place}.classes", name, known, "TotalSegmentator has no such class")
                for name in classes
                if name not in known
            ]
            if segmenter["task"] == "total":
                lines.append(f"{place}.task: a stand-in is one network; found: 'total'; allowed: fast, fastest")
            return lines + _check_trained(place, {"classes": classes}, source_labels(data))
        return [
            f"{place}.weights: a stand-in needs true labels; found: data.source '{data['source']}'; "
            "allowed: the path of real weights; hint: 'stand_in' works with the phantom only"
        ]
    folder = root / segmenter["weights"]
    if not folder.is_dir():
        return [no_folder(f"{place}.weights", segmenter["weights"], root)]
    return [
        f"{place}.weights: {segmenter['weights']} has no folder Dataset{number}_*, which the task "
        f"'{segmenter['task']}' needs; hint: TotalSegmentator keeps them in ~/.totalsegmentator/nnunet/results"
        for number in TOTALSEGMENTATOR_DATASETS[segmenter["task"]]
        if not any(folder.glob(f"Dataset{number}_*"))
    ]


def _check_structures(where: str, task: dict, root: Path) -> list[str]:
    lines = []
    for name, structure in task["structures"].items():
        place = f"{where}.structures.{name}"
        if name in REGIONS:
            lines.append(f"{place}: a reserved name; hint: it stands for a region of the image metrics")
        segmenter = task["segmenters"].get(structure["segmenter"])
        if segmenter is None:
            found, names = structure["segmenter"], task["segmenters"]
            lines.append(not_among(f"{place}.segmenter", found, names, "no such segmenter"))
            continue
        available = segmenter_classes(segmenter, task["data"], root)
        for label in structure["classes"]:
            if available is not None and label not in available:
                what = f"the segmenter '{structure['segmenter']}' has no such class"
                lines.append(not_among(f"{place}.classes", label, available, what))
    return lines


def _check_generators(where: str, task: dict) -> list[str]:
    """`nnunet` is what its name says; a GAN's patches survive its downsamplings."""
    lines = []
    for name, generator in task["generators"].items():
        place = f"{where}.generators.{name}"
        if name == "nnunet" and is_gan(generator):
            lines.append(f"{place}.kind: found: {generator['kind']}; allowed: nnunet; hint: give it another name")
        if is_gan(generator) and generator["patch_size"] != "auto":
            try:
                check_depth(generator["downsamplings"], generator["patch_size"])
            except AfpbenchError as error:
                lines.append(f"{place}.downsamplings: {one_line(error)}")
    return lines


def _check_training(place: str, training: dict, what: str, gan: bool = False) -> list[str]:
    """Adam is for GANs and for them alone; each GPU takes the same number of patches."""
    lines, fitting = [], ["adam"] if gan else ["sgd", "adamw"]
    found, batch, gpus = (training[key] for key in ("optimizer", "batch_size", "gpus"))
    if found not in fitting:
        lines.append(not_among(f"{place}.training.optimizer", found, fitting, what))
    if batch % gpus:
        lines.append(
            f"{place}.training.gpus: a batch of {batch} patches cannot be shared equally; found: {gpus}; "
            "hint: set batch_size to a multiple of it"
        )
    return lines


def _check_variants(where: str, task: dict, root: Path) -> list[str]:
    lines, variants = [], task["variants"]
    for name, variant in variants.items():
        place = f"{where}.variants.{name}"
        if name in CONTROLS:
            lines.append(f"{place}: a reserved name; hint: it is the name of a control row")
        if variant["generator"] not in task["generators"]:
            found, names = variant["generator"], task["generators"]
            lines.append(not_among(f"{place}.generator", found, names, "no such generator"))
        else:
            generator = task["generators"][variant["generator"]]
            what = f"the generator '{variant['generator']}' is of kind {generator['kind']}"
            lines += _check_training(place, variant["training"], what, is_gan(generator))
        lines += check_networks(place, variant, task)
        labels = source_labels(task["data"])
        lines += check_losses(place, variant, task, labels, lambda s: segmenter_classes(s, task["data"], root))
        lines += _check_start(place, name, variants)
    if task["reference"] not in variants:
        lines.append(not_among(f"{where}.reference", task["reference"], variants, "no such variant"))
    return lines


def _check_start(place: str, name: str, variants: dict) -> list[str]:
    """`init_from` names another variant with the same generator, and no circle comes of it."""
    start = variants[name]["init_from"]
    others = [other for other in variants if other != name]
    if start is None:
        return []
    if start not in others:
        return [not_among(f"{place}.init_from", start, others, "no such other variant")]
    own, its = variants[name]["generator"], variants[start]["generator"]
    if own != its:
        return [f"{place}.init_from: '{start}' has another generator; found: {its}; allowed: {own}"]
    chain = [name, start]
    while (following := variants[chain[-1]]["init_from"]) in variants:
        chain.append(following)
        if following == name:
            circle = " -> ".join(chain)
            return [f"{place}.init_from: a circle: {circle}; hint: one of them must start from random weights"]
        if following in chain[:-1]:
            return []
    return []
