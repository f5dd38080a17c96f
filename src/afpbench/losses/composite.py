"""The weighted sum of loss terms, and the check that each of them moves the synthetic CT."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..base.errors import ConfigError, TrainingError
from ..study.kinds.registry import LOSSES
from ..study.label_names import label_regions
from .base import LossContext, LossTerm
from .gradients import image_gradient


class CompositeLoss(nn.Module):
    """The weighted sum of loss terms. A term's name is its kind; a second of the same kind is `afp_2`, and so on."""

    def __init__(self, terms: Mapping[str, LossTerm], weights: Mapping[str, float]):
        super().__init__()
        self.terms: Any = nn.ModuleDict(terms)
        self.weights = {name: float(weights[name]) for name in terms}

    def forward(
        self, synthetic: torch.Tensor, real: torch.Tensor, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The total, float32 and differentiable in `synthetic`, and each term's own value (unweighted, detached).

        synthetic, real: normalised CT (B, 1, z, y, x); mask: (B, 1 + R, z, y, x), the body and then the regions of
        terms that are limited to some labels, in the order of `label_regions`.
        """
        values = {name: term(synthetic, real, mask) for name, term in self.terms.items()}
        total = torch.stack([self.weights[name] * value for name, value in values.items()]).sum()
        return total, {name: value.detach() for name, value in values.items()}

    def learnable(self) -> list[nn.Parameter]:
        """What the optimiser steps besides the generator: weights that terms find themselves."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def learned_state(self) -> dict[str, torch.Tensor]:
        """The state of such weights, for a checkpoint."""
        return {key: value.cpu().clone() for key, value in self.state_dict().items() if ".weightings." in key}

    def load_learned_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take back what `learned_state` gave."""
        own = self.state_dict()
        for key in self.learned_state():
            own[key].copy_(state[key])

    def layer_weights(self) -> dict[str, float]:
        """The weights that terms have found so far: `<term>_<network>_<layer>` -> weight."""
        return {
            f"{name}_{layer}": weight for name, term in self.terms.items() for layer, weight in term.found().items()
        }


def build_loss(terms: Sequence[Mapping], context: LossContext) -> CompositeLoss:
    """The loss of a variant: one entry per term, {"term": name, "weight": 1, ...the term's options}.

    Loads the feature networks. Raises ConfigError for an unknown term or option, ModelError for a network that does
    not load.
    """
    if not terms:
        raise ConfigError("loss: no terms", expected="a list with at least one of " + ", ".join(LOSSES))
    losses = [LOSSES.filled(entry) for entry in terms]
    context = replace(context, regions=label_regions(terms))
    built: dict[str, LossTerm] = {}
    weights: dict[str, float] = {}
    for loss in losses:
        kind = loss.name
        count = sum(name == kind or name.startswith(f"{kind}_") for name in built) + 1
        name = kind if count == 1 else f"{kind}_{count}"
        built[name] = loss.build(context)
        weights[name] = loss.options["weight"]
    return CompositeLoss(built, weights)


def check_gradient(
    loss: CompositeLoss,
    synthetic: torch.Tensor,
    real: torch.Tensor,
    mask: torch.Tensor | None = None,
    names: Collection[str] | None = None,
) -> dict[str, float]:
    """Each term's mean absolute gradient with respect to the synthetic CT, per unit of its weight.

    Call it with the first patches of a training. names: the terms to check, by default all. A term whose region is
    empty in these patches is left out of the answer: ask for it again with the next. Raises TrainingError for a term
    without gradient (the training would silently go on without it), or with one that is not finite.
    """
    found: dict[str, float] = {}
    for name, term in loss.terms.items():
        if (names is not None and name not in names) or not term.sees(mask, real):
            continue
        probe = synthetic.detach().clone().requires_grad_()
        # What a term draws here would be drawn twice in a training that goes on from a checkpoint.
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            value = term(probe, real, mask)
            gradient = image_gradient(value, probe)
        if gradient is not None and not torch.isfinite(gradient).all():
            raise TrainingError(
                f"loss term {name}: its gradient is not finite",
                found=f"value {value.item():.4g}",
                hint="a feature network may have overflowed: try runtime.precision: float32",
            )
        if gradient is None or not gradient.any():
            raise TrainingError(
                f"loss term {name}: its gradient with respect to the synthetic CT is exactly zero",
                found=f"value {value.item():.4g}",
                expected="a gradient that is not zero everywhere",
                hint="the synthetic CT may lie wholly outside the HU range of the feature network, the region may be "
                "empty, or the network's weights may be zero",
            )
        found[name] = gradient.abs().mean().item()
    return found
