"""What the losses that compare the features of frozen networks share: their options, and what can be wrong in them."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ...messages import not_among
from ..loss import Loss

NETWORKS: dict[str, Any] = {
    "description": "The feature networks, by their names in the study: a segmenter, or an entry of `feature_networks`. "
    "Several are averaged; an entry may be `{name: navi, weight: 2}`.",
    "type": "array",
    "minItems": 1,
    "items": {
        "oneOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "Name of the network."},
                    "weight": {"type": "number", "exclusiveMinimum": 0, "default": 1, "description": "Its weight."},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        ]
    },
}

FEATURES: dict[str, Any] = {
    "networks": NETWORKS,
    "layers": {
        "description": "Where features are taken: `stages` (every encoder and decoder stage, after its last "
        "activation), `encoder`, `decoder`, `all` (after every convolutional block), a number (so many of the first "
        "encoder stages, or of the layers of a network without encoder), or a list of layer names such as `encoder.0` "
        "or `decoder.2.1`. null: the network's default (for nnU-Net `stages`).",
        "oneOf": [
            {"type": "null"},
            {"type": "string"},
            {"type": "integer", "minimum": 1},
            {"type": "array", "minItems": 1, "items": {"type": "string"}},
        ],
        "default": None,
    },
    "layer_weights": {
        "description": "A weight for each layer, in the order of `layers`, or by layer name (others keep 1). "
        "null: every layer counts the same.",
        "oneOf": [
            {"type": "null"},
            {"type": "array", "minItems": 1, "items": {"type": "number", "minimum": 0}},
            {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
        ],
        "default": None,
    },
    "weighting": {
        "description": "Weights of the layers that training finds itself: `uniform` for none; `uncertainty` (Kendall "
        "et al. 2018), each layer by a learned uncertainty; `gradient_norm` (GradNorm, Chen et al. 2018), layers that "
        "lag behind get more, at the cost of a backward pass per layer. Not beside `layer_weights`.",
        "enum": ["uniform", "uncertainty", "gradient_norm"],
        "default": "uniform",
    },
    "gradient_norm_alpha": {
        "description": "GradNorm's strength of pulling the layers to a common rate of training; 0 equals their "
        "gradients' norms.",
        "type": "number",
        "minimum": 0,
        "default": 1.5,
    },
    "reduction": {
        "description": "Within a layer: the mean over its elements, or their sum per sample (the L1 norm as Eq. 1 "
        "writes it, so that large layers count more).",
        "enum": ["mean", "sum"],
        "default": "mean",
    },
    "layer_reduction": {
        "description": "Over the layers: the mean (Eq. 1), or the sum (the authors' public code).",
        "enum": ["mean", "sum"],
        "default": "mean",
    },
    "scale": {
        "description": "`real_magnitude` divides each layer's distance by the mean magnitude of the real CT's features "
        "there, so that layers count alike whatever their scale. `unit_norm` compares directions: each voxel's vector "
        "of features is brought to length 1 over the channels. `instance` brings each channel of each patch to mean 0 "
        "and standard deviation 1. Both hide some of the scale from the loss.",
        "enum": ["none", "real_magnitude", "unit_norm", "instance"],
        "default": "none",
    },
    "crop": {
        "description": "In training, compare a box of this share of each of the patch's axes, at a place drawn anew in "
        "each iteration: 0.75 costs half. It is the loss of a smaller patch, not an estimate without bias of "
        "this one. 1: the whole patch, as in validation. Not beside `region`.",
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "default": 1,
    },
    "region": {
        "description": "Where features are compared: `all`, or only `inside` or `outside` what `region_of` names.",
        "enum": ["all", "inside", "outside"],
        "default": "all",
    },
    "region_of": {
        "description": "Structures of the task or labels of the data source, as the label maps of the cases have them; "
        "with `region_by` classes of that segmenter; null: the body.",
        "oneOf": [
            {"type": "null"},
            {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}},
        ],
        "default": None,
    },
    "region_by": {
        "description": "A segmenter whose label map of the real CT, made anew of each patch, gives the region, for "
        "cases without label maps; null: the label maps of the cases.",
        "type": ["string", "null"],
        "default": None,
    },
}


class NetworkLoss(Loss):
    """A term that looks through frozen networks of the task."""

    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {"networks": NETWORKS}
    required: ClassVar[tuple[str, ...]] = ("networks",)
    needs_logits: ClassVar[bool] = False  # it reads the networks' output, not their features

    def network_names(self) -> list[str]:
        names = [entry["name"] if isinstance(entry, dict) else entry for entry in self.options.get("networks") or []]
        return list(dict.fromkeys(names))

    def problems(self) -> Iterable[str]:
        """The networks are there, and can do what the term asks of them."""
        for name in self.network_names():
            yield from self._network_problems(name)

    def _network_problems(self, name: str) -> Iterable[str]:
        task, place = self.task, f"{self.place}.networks"
        network = task.feature_network(name)
        if network is None:
            what = "no such segmenter or feature network" if task.networks else "no such segmenter"
            yield not_among(place, name, [*task.segmenters, *task.networks], what)
        elif five := five_networks(network):
            yield f"{place}: {name} is {five}; hint: name the model folder of each under feature_networks"
        elif network.features("") is None:
            yield f"{place}: {name}, kind {network.name}, gives losses no features; allowed: a network that does"
        elif self.needs_logits and not network.has_logits:
            yield (
                f"{place}: not for the term {self.name}; found: {name}, kind {network.name}; "
                "allowed: an nnU-Net of any kind"
            )


class FeatureLoss(NetworkLoss):
    """A term that compares features of frozen networks: Eq. 1 of the paper, with what it leaves open as options."""

    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = FEATURES
    implementation: ClassVar[str] = "afpbench.losses.feature_distance:FeatureDistance"

    def network_names(self) -> list[str]:
        by = self.options.get("region_by")
        return list(dict.fromkeys([*super().network_names(), *([by] if by else [])]))

    def label_names(self) -> tuple[str, ...]:
        """None for everywhere, for the body, or for classes of a segmenter (`region_by`), which need no label maps."""
        by_labels = self.options["region"] != "all" and not self.options["region_by"]
        return tuple(self.options["region_of"] or ()) if by_labels else ()

    def problems(self) -> Iterable[str]:
        for name in super().network_names():
            yield from self._network_problems(name)
        yield from self._option_problems()
        if self.options["region_by"] is not None:
            yield from self._region_problems(self.options["region_by"])

    def _network_problems(self, name: str) -> Iterable[str]:
        found = list(super()._network_problems(name))
        yield from found
        network = self.task.feature_network(name)
        if network is not None and not found and (problem := network.layer_problem(self.options["layers"])):
            yield f"{self.place}.layers: {problem}"

    def _option_problems(self) -> Iterable[str]:
        """Options that exclude one another."""
        options = self.options
        if options["region_of"] and options["region"] == "all" and not options["region_by"]:
            yield (
                f"{self.place}.region_of: has no effect, since `region` is all; hint: set region to inside or outside"
            )
        if options["crop"] < 1 and options["region"] != "all":
            yield f"{self.place}.crop: not beside region: {options['region']}; hint: remove one of the two"
        if options["weighting"] != "uniform" and options["layer_weights"]:
            yield (
                f"{self.place}.layer_weights: not beside weighting: {options['weighting']}; hint: remove one of the two"
            )

    def _region_problems(self, name: str) -> Iterable[str]:
        """`region_by` is a segmenter of one network, and `region_of` names its classes."""
        place, segmenter = f"{self.place}.region_by", self.task.segmenters.get(name)
        if segmenter is None:
            yield not_among(place, name, self.task.segmenters, "no such segmenter")
        elif five := five_networks(segmenter):
            yield f"{place}: {name} is {five}"
        elif not segmenter.has_logits:
            yield f"{place}: {name} is of kind {segmenter.name}; allowed: an nnU-Net"
        elif not self.options["region_of"] or self.options["region"] == "all":
            yield f"{place}: has no effect without `region_of` and `region`; hint: name classes of {name}"
        else:
            known, what = segmenter.classes(), f"the segmenter '{name}' has no such class"
            for label in self.options["region_of"]:
                if known is not None and label not in known:
                    yield not_among(f"{self.place}.region_of", label, known, what)


def five_networks(network: Any) -> str:
    """What to say of TotalSegmentator's `total`, which is no single network; "" of others."""
    total = network.options.get("task") == "total"
    return "TotalSegmentator's `total`, five networks; allowed: fast, fastest" if total else ""
