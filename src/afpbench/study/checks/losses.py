"""What a schema cannot see of a variant's loss and patches. Standard library only; see config_checks."""

from collections.abc import Callable

from ..kinds.registry import LOSSES
from ..label_names import label_values
from ..schema import not_among
from .networks import NO_LOGITS

Classes = Callable[[dict], list[str] | None]


def check_losses(place: str, variant: dict, task: dict, labels: list[str], classes_of: Classes) -> list[str]:
    """Names in patch sampling and loss regions exist, and options of a term go together.

    labels: those of the data source. classes_of: a segmenter's entry -> its classes, None where it cannot say.
    """
    return [
        *_label_names(place, variant, task, labels),
        *_options(place, variant),
        *_region_segmenters(place, variant, task, classes_of),
    ]


def _label_names(place: str, variant: dict, task: dict, labels: list[str]) -> list[str]:
    """Patch sampling and loss regions name structures or labels that the cases' label maps hold."""
    known = [name for name in label_values(task) if name in labels or name in task["structures"]]
    sampling = variant["training"]["patch_sampling"]
    named = {"training.patch_sampling": [] if isinstance(sampling, str) else sampling}
    for index, term in enumerate(variant["loss"]):
        named[f"loss[{index}].region_of"] = LOSSES.filled(term).label_names()
    what = "no such structure or label in the data's label maps"
    return [
        not_among(f"{place}.{key}", name, known, what)
        for key, names in named.items()
        for name in names
        if name not in known
    ]


def _region_segmenters(place: str, variant: dict, task: dict, classes_of: Classes) -> list[str]:
    """`region_by` is a segmenter of one network, and `region_of` names its classes."""
    lines = []
    for index, term in enumerate(variant["loss"]):
        name, spot = term.get("region_by"), f"{place}.loss[{index}]"
        if name is None:
            continue
        segmenter = task["segmenters"].get(name)
        if segmenter is None:
            lines.append(not_among(f"{spot}.region_by", name, task["segmenters"], "no such segmenter"))
        elif segmenter.get("task") == "total":
            lines.append(
                f"{spot}.region_by: {name} is TotalSegmentator's `total`, five networks; allowed: fast, fastest"
            )
        elif segmenter["kind"] in NO_LOGITS:
            lines.append(f"{spot}.region_by: {name} is of kind {segmenter['kind']}; allowed: an nnU-Net")
        elif not term["region_of"] or term["region"] == "all":
            lines.append(
                f"{spot}.region_by: has no effect without `region_of` and `region`; hint: name classes of {name}"
            )
        else:
            known = classes_of(segmenter)
            what = f"the segmenter '{name}' has no such class"
            lines += [
                not_among(f"{spot}.region_of", label, known, what)
                for label in term["region_of"]
                if known is not None and label not in known
            ]
    return lines


def _options(place: str, variant: dict) -> list[str]:
    """Options of loss terms that exclude one another."""
    lines = []
    for index, term in enumerate(variant["loss"]):
        spot = f"{place}.loss[{index}]"
        if term.get("region_of") and term["region"] == "all" and not term["region_by"]:
            lines.append(
                f"{spot}.region_of: has no effect, since `region` is all; hint: set region to inside or outside"
            )
        if term.get("weighting", "uniform") != "uniform" and term.get("layer_weights"):
            lines.append(
                f"{spot}.layer_weights: not beside weighting: {term['weighting']}; hint: remove one of the two"
            )
    return lines
