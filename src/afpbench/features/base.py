"""What every feature network is, and how one is loaded from its specification."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

import torch
from torch import nn
from torch.nn import functional as F

from ..base.errors import ConfigError, ModelError
from ..study.kinds.registry import NETWORKS
from .frozen import lean
from .mapping import InputMapping


class FeatureNetwork(nn.Module):
    """A frozen network that turns CT in HU into a list of feature tensors, differentiable in the CT.

    A subclass sets `mapping` (HU on the training grid to the network's input), `layer_names` and `strides` (one z, y, x
    stride per layer in the network's axes, or None where it is not known, which forbids padding), implements
    `extract(x)` or `extract_each(x)`, and calls `freeze()` last.
    one_by_one: whether single patches run as fast as a batch; losses then go through a batch patch by patch.
    """

    mapping: InputMapping
    layer_names: list[str]
    strides: list[tuple[int, int, int]] | None = None
    one_by_one = True

    def forward(self, ct_hu: torch.Tensor) -> list[torch.Tensor]:
        """The features of a batch of CT patches.

        ct_hu: (B, 1, z, y, x) in HU on the training grid. Returns one (B, C, z', y', x') tensor per name in
        `layer_names`, in the network's own axes; what belongs to padding only is cropped away.
        """
        features = dict(self.stream(ct_hu))
        return [features[place] for place in range(len(features))]

    def stream(self, ct_hu: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """The same features as soon as each is computed: its place in `layer_names`, and the tensor."""
        if ct_hu.ndim != 5 or ct_hu.shape[1] != 1:
            raise ModelError(
                f"{type(self).__name__}: wrong input shape", found=tuple(ct_hu.shape), expected="(batch, 1, z, y, x)"
            )
        size = self.mapping.size(ct_hu.shape[2:])
        for place, feature in self.extract_each(self.mapping(ct_hu)):
            yield place, self._crop(feature, place, size)

    def extract(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The features of `x`, a batch in the network's own input space (after the mapping)."""
        features = dict(self.extract_each(x))
        return [features[place] for place in range(len(features))]

    def extract_each(self, x: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """The same one by one, in the order in which they are computed: its place in `layer_names`, and the tensor."""
        yield from enumerate(self.extract(x))

    def regions(self, mask: torch.Tensor, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """A mask (B, 1, z, y, x) on the training grid as one weight map in [0, 1] per feature tensor.

        Each weight is the share of the feature voxel's own cell (not of its receptive field) that the mask covers.
        """
        mapped = self.mapping.region(mask)
        if self.strides is None:
            return [F.adaptive_avg_pool3d(mapped, (f.shape[2], f.shape[3], f.shape[4])) for f in features]
        pooled = [F.avg_pool3d(mapped, stride, stride, ceil_mode=True) for stride in self.strides]
        size = self.mapping.size(mask.shape[2:])
        return [self._crop(weights, place, size) for place, weights in enumerate(pooled)]

    def freeze(self) -> "FeatureNetwork":
        """Evaluation mode for good, and no parameter takes a gradient; see `features.frozen`."""
        lean(self.requires_grad_(False))
        return self.train(False)

    def train(self, mode: bool = True) -> "FeatureNetwork":
        """Stays in evaluation mode, also when the loss that holds it is set to training."""
        return super().train(False)

    def _crop(self, feature: torch.Tensor, place: int, size: Sequence[int]) -> torch.Tensor:
        if self.strides is None:
            return feature
        keep = [-(-n // s) for n, s in zip(size, self.strides[place], strict=True)]
        z, y, x = (slice(0, n) for n in keep)
        return feature if list(feature.shape[2:]) == keep else feature[:, :, z, y, x]


def load(
    spec: dict, spacing_mm: Sequence[float], layers: str | int | Sequence[str] | None = None, device="cpu"
) -> FeatureNetwork:
    """Load a feature network, frozen, onto a device.

    spec: {"kind": one of study.kinds.registry.NETWORKS, ...}; the other keys are the options of that kind (for
    nnunet: `folder`, `fold`, `checkpoint`, `configuration`). `channels_last: true` stores the weights with channels
    last on a GPU, too, as they always are on a CPU: its convolutions are up to twice as fast so.
    spacing_mm: the spacing (z, y, x) of the patches that it will be given.
    layers: `None` for the kind's default, a group's name, or a list of layer names.
    """
    options = dict(spec)
    kind = options.pop("kind", None)
    channels_last = options.pop("channels_last", False)
    if kind not in NETWORKS:
        raise ConfigError(
            "feature network: unknown kind",
            found=repr(kind),
            expected=", ".join(sorted(NETWORKS)),
            hint="a segmenter that is trained, distilled or TotalSegmentator's is used through its nnU-Net folder",
        )
    try:
        network = NETWORKS[kind].load(spacing_mm=spacing_mm, layers=layers, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error) and "required" not in str(error):
            raise
        raise ConfigError(f"feature network of kind {kind}: wrong options", found=str(error)) from error
    network = network.to(device)
    if channels_last or torch.device(device).type == "cpu":
        network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def choose_layers(
    layers: str | int | Sequence[str] | None, groups: dict[str, list[str]], known: Sequence[str], what: str
) -> list[str]:
    """The layer names that `layers` means: a group's name, how many encoder stages from the first, or a list of names.

    groups: the names that stand for several layers; the first is the default, and gives the layers that a number counts
    where there is no `encoder`. known: every layer name there is. what: the network, for the error message.
    """
    default = next(iter(groups))
    if layers is None:
        layers = default
    if isinstance(layers, int):
        return _first_layers(layers, groups.get("encoder", groups[default]), what)
    if isinstance(layers, str):
        if layers in groups:
            return groups[layers]
        layers = [layers]
    wrong = [name for name in layers if name not in known]
    if wrong or not layers:
        near = get_close_matches(wrong[0], [*groups, *known], n=1) if wrong else []
        raise ConfigError(
            f"{what}: unknown feature layers",
            found=", ".join(wrong) or "an empty list",
            expected=f"{', '.join(groups)}, or a list of {', '.join(known)}",
            hint=f"did you mean {near[0]}?" if near else "",
        )
    return list(layers)


def _first_layers(count: int, stages: list[str], what: str) -> list[str]:
    if not 1 <= count <= len(stages):
        raise ConfigError(
            f"{what}: it has another number of stages",
            found=f"layers: {count}",
            expected=f"1 to {len(stages)}: {', '.join(stages)}",
        )
    return stages[:count]
