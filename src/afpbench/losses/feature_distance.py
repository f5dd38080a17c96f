"""What the AFP and the perceptual loss share: Eq. 1, over any frozen networks."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from ..base.errors import ConfigError
from ..features import FeatureNetwork
from .base import LossContext, LossTerm, named_weights
from .distance import absolute_sum, l1_sum, mse_sum
from .gradients import with_gradient
from .scaling import SCALINGS
from .segmented_region import SegmentedRegion
from .weighting import build_weighting


class FeatureDistance(LossTerm):
    """The mean over N layers of the distance between the features of synthetic and real CT (Eq. 1 of the paper).

    Both images go to HU and through the same mapping into each network's input space. The real CT's features take no
    gradient; networks are frozen. Several networks: their losses averaged with the given weights. With the option
    `weighting` the layers' weights are learned: see `losses.weighting`.

    Patches go through the networks one by one, layers are compared as soon as both images have them, and with fixed
    weights each patch's gradient is found before the next, so that the features of one patch is all there is in memory.
    """

    def __init__(self, options: Mapping, context: LossContext):
        super().__init__(options, context)
        if self.options["weighting"] != "uniform" and self.options["layer_weights"] is not None:
            raise ConfigError(
                f"loss term {self.term}: layer_weights beside weighting: {self.options['weighting']}",
                expected="one of the two",
                hint="choose the layers by `layers`",
            )
        if self.options["crop"] < 1 and self.options["region"] != "all":
            raise ConfigError(f"loss term {self.term}: crop beside region", expected="one of the two")
        self.scaling = SCALINGS.get(self.options["scale"], lambda features: features)
        self.shares = named_weights(self.options["networks"])
        networks = [context.load_network(name, self.options["layers"]) for name in self.shares]
        self.networks: Any = nn.ModuleList(networks)
        self.layer_weights = {
            name: layer_weights(self.options["layer_weights"], network.layer_names, name)
            for name, network in zip(self.shares, networks, strict=True)
        }
        by, side = self.options["region_by"], self.options["region"]
        chosen = by is not None and side != "all"
        self.segmented = SegmentedRegion(by, self.options["region_of"] or (), context) if chosen else None
        self.weightings: Any = nn.ModuleList(
            build_weighting(self.options["weighting"], len(weights), self.options["gradient_norm_alpha"])
            for weights in self.layer_weights.values()
        ).to(context.device)

    def region(self, mask, real):
        if self.segmented is None:
            return super().region(mask, real)
        inside = self.segmented(self.to_hu(real.detach()))
        return inside if self.options["region"] == "inside" else 1.0 - inside

    def forward(self, synthetic, real, mask=None):
        region = self.region(mask, real)
        if region is not None and not region.any():
            return self.to_hu(synthetic).sum() * 0.0
        total = torch.zeros((), device=synthetic.device)
        for index, (name, network) in enumerate(zip(self.shares, self.networks, strict=True)):
            box = self._box(network, synthetic.shape[2:])
            real_hu = self.to_hu(real[box].detach())
            value = self._network(self.weightings[index], network, name, synthetic[box], real_hu, region)
            count = len(network.layer_names) if self.options["layer_reduction"] == "mean" else 1
            total = total + self.shares[name] * value / count
        return total

    def found(self) -> dict[str, float]:
        return {
            f"{name}_{layer}": weight
            for name, network, weighting in zip(self.shares, self.networks, self.weightings, strict=True)
            for layer, weight in zip(network.layer_names, weighting.weights(), strict=False)
        }

    def _box(self, network: FeatureNetwork, shape: Sequence[int]) -> tuple:
        """The part of the patches that is compared: all, or while training with `crop` a box at a random place."""
        if self.options["crop"] == 1 or not torch.is_grad_enabled():
            return (...,)
        sides = [
            min(n, max(1, round(n * self.options["crop"] / step)) * step)
            for n, step in zip(shape, network.mapping.steps(), strict=True)
        ]
        starts = [int(torch.randint(n - side + 1, ())) for n, side in zip(shape, sides, strict=True)]
        return (..., *(slice(start, start + side) for start, side in zip(starts, sides, strict=True)))

    def _network(self, weighting, network: FeatureNetwork, name: str, synthetic, real_hu, region) -> torch.Tensor:
        """The sum of one network's layers, each with its weight."""
        parts = [slice(i, i + 1) for i in range(len(real_hu))] if network.one_by_one else [slice(None)]
        batch = _Batch(network, real_hu, region, parts, scaled=self.options["scale"] == "real_magnitude")

        def layers(part: slice, image: torch.Tensor) -> torch.Tensor:
            return self._layers(batch, self.layer_weights[name], image, part)

        def summed(part: slice, image: torch.Tensor) -> torch.Tensor:
            return layers(part, image).sum()

        if self.options["weighting"] != "uniform":  # their weights are not known before the last patch
            return weighting(torch.stack([layers(part, synthetic[part]) for part in parts]).sum(0), synthetic)
        return torch.stack([with_gradient(partial(summed, part), synthetic[part]) for part in parts]).sum()

    def _layers(self, batch: "_Batch", layer_weights: list[float], image: torch.Tensor, part: slice) -> torch.Tensor:
        """What a part of the batch adds to each layer whose given weight is not 0, times that weight."""
        distance = mse_sum if self.options.get("distance", "l1") == "mse" else l1_sum
        summed = self.options["reduction"] == "sum"
        values = {}
        both = zip(batch.real(part), batch.network.stream(self.to_hu(image)), strict=True)
        for (place, target), (_, feature) in both:
            if weight := layer_weights[place]:
                value = distance(self.scaling(feature), self.scaling(target), batch.region(place, part))
                count = len(batch.real_hu) if summed else batch.elements(place, target)
                values[place] = weight * value / (count * batch.magnitudes[place])
        return torch.stack([values[place] for place in sorted(values)])


class _Batch:
    """The real side of a comparison: its features patch by patch, the region, and what the layers are divided by."""

    @torch.no_grad()
    def __init__(self, network: FeatureNetwork, real_hu: torch.Tensor, region, parts: list[slice], scaled: bool):
        """region: (B, 1, z, y, x) or None. scaled: whether layers are divided by the real features' magnitude."""
        self.network, self.real_hu = network, real_hu
        count = len(network.layer_names)
        features = network(real_hu[:1]) if region is not None and network.strides is None else ()
        self.regions = [None] * count if region is None else network.regions(region, features)
        self.magnitudes = [torch.ones((), device=real_hu.device)] * count
        if scaled:
            sums = [torch.zeros((), device=real_hu.device) for _ in range(count)]
            for part in parts:
                for place, target in self.real(part):
                    sums[place] += absolute_sum(target, self.region(place, part)) / self.elements(place, target)
            self.magnitudes = [value.clamp_min(1e-6) for value in sums]

    @torch.no_grad()
    def real(self, part: slice) -> Iterator[tuple[int, torch.Tensor]]:
        """Place and tensor of each layer of some patches, without a gradient."""
        yield from self.network.stream(self.real_hu[part])

    def region(self, place: int, part: slice) -> torch.Tensor | None:
        weights = self.regions[place]
        return None if weights is None else weights[part]

    def elements(self, place: int, feature: torch.Tensor) -> torch.Tensor | int:
        """How many elements a mean over the batch goes over; in a region, their weights' sum."""
        if (weights := self.regions[place]) is None:
            return len(self.real_hu) * feature[0].numel()
        total = weights.sum(dtype=torch.float32) * feature.shape[1]
        return total.clamp_min(torch.finfo(torch.float32).tiny)


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
