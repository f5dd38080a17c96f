"""What the AFP and the perceptual loss share: Eq. 1, over any frozen networks."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..errors import ConfigError
from ..features import FeatureNetwork
from .base import LossContext, LossTerm, named_weights
from .distance import l1_mean, mse_mean, weighted_mean


class FeatureDistance(LossTerm):
    """The mean over N layers of the distance between the features of synthetic and real CT (Eq. 1 of the paper).

    Both images go to HU and through the same mapping into each network's input space. The real CT's features take no
    gradient; networks are frozen. Several networks: their losses averaged with the given weights.
    """

    def __init__(self, options: Mapping, context: LossContext):
        super().__init__(options, context)
        self.shares = named_weights(self.options["networks"])
        self.networks = nn.ModuleList(context.load_network(name, self.options["layers"]) for name in self.shares)
        self.layer_weights = {
            name: layer_weights(self.options["layer_weights"], network.layer_names, name)
            for name, network in zip(self.shares, self.networks, strict=True)
        }

    def forward(self, synthetic, real, mask=None):
        synthetic_hu, real_hu = self.to_hu(synthetic), self.to_hu(real.detach())
        region = self.region(mask)
        total = synthetic_hu.new_zeros(())
        for name, network in zip(self.shares, self.networks, strict=True):
            total = total + self.shares[name] * self._distance(network, name, synthetic_hu, real_hu, region)
        return total

    def _distance(
        self, network: FeatureNetwork, name: str, synthetic_hu, real_hu, mask: torch.Tensor | None
    ) -> torch.Tensor:
        with torch.no_grad():
            targets = network(real_hu)
            regions = [None] * len(targets) if mask is None else network.regions(mask, targets)
        features = network(synthetic_hu)
        weights = self.layer_weights[name]
        terms = [
            weight * self._layer(feature, target, region)
            for weight, feature, target, region in zip(weights, features, targets, regions, strict=True)
            if weight
        ]
        total = torch.stack(terms).sum()
        return total / len(weights) if self.options["layer_reduction"] == "mean" else total

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
