"""What the AFP and the perceptual loss share: Eq. 1, over any frozen networks."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..base.errors import ConfigError
from ..features import FeatureNetwork
from .base import LossContext, LossTerm, named_weights
from .distance import l1_mean, mse_mean, weighted_mean
from .segmented_region import SegmentedRegion
from .weighting import build_weighting


class FeatureDistance(LossTerm):
    """The mean over N layers of the distance between the features of synthetic and real CT (Eq. 1 of the paper).

    Both images go to HU and through the same mapping into each network's input space. The real CT's features take no
    gradient; networks are frozen. Several networks: their losses averaged with the given weights. With the option
    `weighting` the layers' weights are learned: see `losses.weighting`.
    """

    def __init__(self, options: Mapping, context: LossContext):
        super().__init__(options, context)
        if self.options["weighting"] != "uniform" and self.options["layer_weights"] is not None:
            raise ConfigError(
                f"loss term {self.term}: layer_weights beside weighting: {self.options['weighting']}",
                expected="one of the two",
                hint="choose the layers by `layers`",
            )
        self.shares = named_weights(self.options["networks"])
        self.networks = nn.ModuleList(context.load_network(name, self.options["layers"]) for name in self.shares)
        self.layer_weights = {
            name: layer_weights(self.options["layer_weights"], network.layer_names, name)
            for name, network in zip(self.shares, self.networks, strict=True)
        }
        by, side = self.options["region_by"], self.options["region"]
        chosen = by is not None and side != "all"
        self.segmented = SegmentedRegion(by, self.options["region_of"] or (), context) if chosen else None
        self.weightings = nn.ModuleList(
            build_weighting(self.options["weighting"], len(weights), self.options["gradient_norm_alpha"])
            for weights in self.layer_weights.values()
        ).to(context.device)

    def region(self, mask, real):
        if self.segmented is None:
            return super().region(mask, real)
        inside = self.segmented(self.to_hu(real.detach()))
        return inside if self.options["region"] == "inside" else 1.0 - inside

    def forward(self, synthetic, real, mask=None):
        synthetic_hu, real_hu = self.to_hu(synthetic), self.to_hu(real.detach())
        region = self.region(mask, real)
        if region is not None and not region.any():
            return synthetic_hu.sum() * 0.0
        total = synthetic_hu.new_zeros(())
        for index, (name, network) in enumerate(zip(self.shares, self.networks, strict=True)):
            layers = self._layers(network, name, synthetic_hu, real_hu, region)
            value = self.weightings[index](layers, synthetic)
            count = len(network.layer_names) if self.options["layer_reduction"] == "mean" else 1
            total = total + self.shares[name] * value / count
        return total

    def found(self) -> dict[str, float]:
        return {
            f"{name}_{layer}": weight
            for name, network, weighting in zip(self.shares, self.networks, self.weightings, strict=True)
            for layer, weight in zip(network.layer_names, weighting.weights(), strict=False)
        }

    def _layers(
        self, network: FeatureNetwork, name: str, synthetic_hu, real_hu, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """The distance in each layer whose given weight is not 0, times that weight."""
        with torch.no_grad():
            targets = network(real_hu)
            regions = [None] * len(targets) if mask is None else network.regions(mask, targets)
        features = network(synthetic_hu)
        weights = self.layer_weights[name]
        return torch.stack([
            weight * self._layer(feature, target, region)
            for weight, feature, target, region in zip(weights, features, targets, regions, strict=True)
            if weight
        ])  # fmt: skip

    def _layer(self, feature, target, region) -> torch.Tensor:
        """One layer's distance."""
        squared = self.options.get("distance", "l1") == "mse"
        if region is None:
            value = (mse_mean if squared else l1_mean)(feature, target)
            size = feature[0].numel()
        else:
            difference = feature.float() - target.float()
            value = weighted_mean(difference.square() if squared else difference.abs(), region)
            size = region.sum() * feature.shape[1] / feature.shape[0]
        if self.options["reduction"] == "sum":
            value = value * size
        if self.options["scale"] == "real_magnitude":
            magnitude = target.abs() if region is None else weighted_mean(target.abs(), region)
            value = value / magnitude.mean(dtype=torch.float32).clamp_min(1e-6)
        return value


def layer_weights(option: Sequence | Mapping | None, names: Sequence[str], network: str) -> list[float]:
    """The option `layer_weights` as one weight per layer name."""
    if option is None:
        return [1.0] * len(names)
    if isinstance(option, Mapping):
        unknown = [name for name in option if name not in names]
        weights = [float(option.get(name, 1.0)) for name in names]
    else:
        unknown = []
        weights = [float(weight) for weight in option]
    if unknown or len(weights) != len(names) or not any(weights):
        raise ConfigError(
            f"loss: layer_weights do not fit network {network}",
            found=", ".join(unknown) if unknown else f"{len(weights)} weights: {weights}",
            expected=f"one weight for each of {len(names)} layers, not all zero: {', '.join(names)}",
        )
    return weights
