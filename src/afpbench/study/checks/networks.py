"""What a schema cannot see of a task's feature networks. Standard library only; see config_checks."""

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..schema import nearest, not_among

STAND_IN = "stand_in"
DOWNLOADS = "resources/networks"
NO_LOGITS = ("medicalnet", "torchscript", "naviairway")  # the term `segmentation` reads an nnU-Net's logits
STAND_IN_KEYS = ("depth", "training", "patch_size")


def is_stand_in(network: dict) -> bool:
    """Whether the workflow trains the network's weights itself."""
    return network.get("weights") == STAND_IN


def download_path(weights: dict) -> str:
    """Where downloaded weights lie: a folder named by their checksum, so that other files never meet."""
    return f"{DOWNLOADS}/{weights['sha256'][:12]}/{unquote(urlsplit(weights['url']).path).rsplit('/', 1)[-1]}"


def unused_keys(name: str, task: dict) -> list[str]:
    """Keys of a stand-in, given where there are weights. `task`: as the user wrote it."""
    return [
        f"tasks.{name}.feature_networks.{key}.{part}: has no effect, since weights are given; hint: remove it, "
        f"or set weights to '{STAND_IN}'"
        for key, network in task.get("feature_networks", {}).items()
        if network["kind"] == "medicalnet" and not is_stand_in(network)
        for part in STAND_IN_KEYS
        if part in network
    ]


def check_feature_networks(where: str, task: dict, root: Path) -> list[str]:
    """Names differ from the segmenters', files are there, and numbers that go together are together."""
    lines = []
    for name, network in task["feature_networks"].items():
        place = f"{where}.feature_networks.{name}"
        if name in task["segmenters"]:
            lines.append(f"{place}: also the name of a segmenter; hint: give one of the two another name")
        lines += _CHECKS[network["kind"]](place, network, root)
    return lines


def check_networks(place: str, variant: dict, task: dict) -> list[str]:
    """The networks that a variant's loss names are there, and can do what the term asks of them."""
    lines, segmenters, others = [], task["segmenters"], task["feature_networks"]
    for index, term in enumerate(variant["loss"]):
        spot = f"{place}.loss[{index}].networks"
        for network in term.get("networks") or []:
            name = network.get("name") if isinstance(network, dict) else network
            if name not in segmenters and name not in others:
                what = "no such segmenter or feature network" if others else "no such segmenter"
                lines.append(not_among(spot, name, [*segmenters, *others], what))
            elif segmenters.get(name, {}).get("task") == "total":
                hint = "hint: name the model folder of each under feature_networks"
                lines.append(
                    f"{spot}: {name} is TotalSegmentator's `total`, five networks; allowed: fast, fastest; {hint}"
                )
            elif term["term"] == "segmentation" and (kind := {**others, **segmenters}[name]["kind"]) in NO_LOGITS:
                what = f"not for the term segmentation; found: {name}, kind {kind}"
                lines.append(f"{spot}: {what}; allowed: an nnU-Net of any kind")
    return lines


def check_model_folder(place: str, segmenter: dict, root: Path) -> list[str]:
    """An nnU-Net model folder has what loading it needs."""
    folder = root / segmenter["folder"]
    if not folder.is_dir():
        return [no_folder(f"{place}.folder", segmenter["folder"], root)]
    needed = ["plans.json", "dataset.json", *(f"fold_{fold}/checkpoint_final.pth" for fold in segmenter["folds"])]
    lines = [
        f"{place}.folder: {segmenter['folder']} has no {file}; hint: give the folder that holds plans.json and fold_0"
        for file in needed
        if not (folder / file).is_file()
    ]
    if (folder / "dataset.json").is_file() and dataset_classes(folder) is None:
        lines.append(f"{place}.folder: {segmenter['folder']}/dataset.json has no readable `labels`")
    return lines


def dataset_classes(folder: Path) -> list[str] | None:
    """The class names in a model folder's dataset.json; None where it cannot say."""
    try:
        labels = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["labels"]
        return [name for name in labels if name != "background"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def no_folder(where: str, found: str, root: Path) -> str:
    """The line for a folder that is not there."""
    return f"{where}: no such folder; found: '{found}'; hint: {_relative(root)}"


def _check_medicalnet(place: str, network: dict, root: Path) -> list[str]:
    lines = []
    if (network["mean_hu"] is None) != (network["std_hu"] is None):
        lines.append(f"{place}: mean_hu and std_hu go together; hint: give both, or none for each patch's own")
    weights = network["weights"]
    if isinstance(weights, str) and weights != STAND_IN and not (root / weights).is_file():
        hint = f"did you mean '{STAND_IN}'?" if nearest(weights, [STAND_IN]) else _relative(root)
        lines.append(f"{place}.weights: no such file; found: '{weights}'; hint: {hint}")
    if isinstance(weights, dict) and download_path(weights).endswith("/"):
        lines.append(f"{place}.weights.url: names no file; found: '{weights['url']}'; allowed: the address of a file")
    return lines


def check_naviairway(place: str, network: dict, root: Path) -> list[str]:
    """Every checkpoint of NaviAirway is there."""
    return [
        f"{place}.weights[{index}]: no such file; found: '{path}'; hint: {_relative(root)}"
        for index, path in enumerate(network["weights"])
        if not (root / path).is_file()
    ]


def _check_torchscript(place: str, network: dict, root: Path) -> list[str]:
    lines, clip = [], network["clip_hu"]
    if not (root / network["path"]).is_file():
        lines.append(f"{place}.path: no such file; found: '{network['path']}'; hint: {_relative(root)}")
    if clip is not None and clip[0] >= clip[1]:
        lines.append(f"{place}.clip_hu: the lower limit must come first; found: {clip}; allowed: two rising numbers")
    return lines


def _check_nnunet(place: str, network: dict, root: Path) -> list[str]:
    folds = network["folds"]
    if isinstance(folds, str):
        folds = ["all"] if folds == "all" else []
    return check_model_folder(place, {"folder": network["folder"], "folds": folds}, root)


def _relative(root: Path) -> str:
    return f"relative paths start from {root.resolve()}"


_CHECKS = {
    "medicalnet": _check_medicalnet,
    "torchscript": _check_torchscript,
    "nnunet": _check_nnunet,
    "naviairway": check_naviairway,
}
