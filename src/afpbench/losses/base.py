"""What a loss term is, and what it is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..base.errors import ConfigError, TrainingError
from ..features import FeatureNetwork, load
from ..volumes.normalization import denormalize_ct

if TYPE_CHECKING:
    from ..study.kinds import Loss


@dataclass(frozen=True)
class LossContext:
    """What terms need to know of the task.

    ct_stats: the `ct` part of normalization.json. spacing_mm: of the training patches (z, y, x).
    networks: specifications of the feature networks by name. device: where the networks live.
    regions: the names behind each channel of the masks after the first (see `study.label_names`).
    """

    ct_stats: Mapping[str, float]
    spacing_mm: Sequence[float]
    networks: Mapping[str, dict] = field(default_factory=dict)
    device: torch.device | str = "cpu"
    regions: Sequence[tuple[str, ...]] = ()

    def load_network(self, name: str, layers: str | int | Sequence[str] | None = None) -> FeatureNetwork:
        """The feature network `name`, frozen, with the layers asked for."""
        if name not in self.networks:
            near = get_close_matches(name, self.networks, n=1)
            raise ConfigError(
                "loss: unknown feature network",
                found=name,
                expected=", ".join(sorted(self.networks)) or "none is defined in this task",
                hint=f"did you mean {near[0]}?" if near else "define it under segmenters or feature_networks",
            )
        return load(self.networks[name], self.spacing_mm, layers, self.device)


class LossTerm(nn.Module):
    """One term of a loss at work. A subclass implements `forward`."""

    def __init__(self, options: Mapping[str, Any], context: LossContext):
        """options: the term's entry in the study file, with its defaults."""
        super().__init__()
        self.term: str = options["term"]
        self.options = options
        self.context = context

    def forward(self, synthetic: torch.Tensor, real: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """The term's value, a float32 scalar.

        synthetic, real: normalised CT (B, 1, z, y, x). mask: (B, 1 + R, z, y, x), above 0 inside: first the body, then
        the context's regions; only terms with the option `region` look at it. The gradient flows into `synthetic` only.
        """
        raise NotImplementedError

    def found(self) -> dict[str, float]:
        """Weights that the term finds while it trains, by name, for the curves."""
        return {}

    def sees(self, mask: torch.Tensor | None, real: torch.Tensor) -> bool:
        """Whether the term can have a value on such patches: False where its region is empty in them."""
        region = self.region(mask, real)
        return region is None or bool(region.any())

    def region(self, mask: torch.Tensor | None, real: torch.Tensor) -> torch.Tensor | None:
        """Where the term looks, (B, 1, z, y, x), 1 inside and 0 outside, float32; None for everywhere."""
        side, names = self.options.get("region", "all"), tuple(self.options.get("region_of") or ())
        if side == "all":
            return None
        channel = 1 + list(self.context.regions).index(names) if names else 0
        if mask is None or mask.shape[1] <= channel:
            raise TrainingError(
                f"loss term {self.term}: region {side!r} needs a mask with every patch",
                found="no mask" if mask is None else f"a mask of {mask.shape[1]} channels",
                expected="the body" + "".join(f", {' + '.join(group)}" for group in self.context.regions),
                hint="set region: all, or use a training set that has labels",
            )
        inside = (mask[:, channel : channel + 1] > 0).float()
        return inside if side == "inside" else 1.0 - inside

    def to_hu(self, normalized: torch.Tensor) -> torch.Tensor:
        """Normalised CT in HU, in float32."""
        return denormalize_ct(normalized.float(), self.context.ct_stats)


class ValueTerm(LossTerm):
    """A term whose kind computes its value itself."""

    def __init__(self, loss: "Loss", context: LossContext):
        super().__init__(loss.options, context)
        self.loss = loss

    def forward(self, synthetic, real, mask=None):
        region = self.region(mask, real)
        if region is not None and not region.any():
            return synthetic.float().sum() * 0.0
        return self.loss.value(synthetic, real, region)


def named_weights(networks: Sequence[str | Mapping]) -> dict[str, float]:
    """The option `networks` as {name: share}; the shares sum to 1."""
    weights: dict[str, float] = {}
    for entry in networks:
        name, weight = (entry, 1.0) if isinstance(entry, str) else (entry["name"], float(entry.get("weight", 1.0)))
        weights[name] = weights.get(name, 0.0) + weight
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}
