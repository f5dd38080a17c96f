"""NaviAirway as a feature network (Wang, Tam and Poon 2022, "NaviAirway: a bronchiole-sensitive deep learning-based
airway segmentation pipeline").

The network is written from its published description; names of parameters follow its checkpoints, so that they load
strictly. A U-Net of four levels with 32, 64, 128 and 256 features, each convolution behind a GroupNorm and before a
ReLU; every level has a dilated branch, weighted by squeeze-and-excitation and added to what it came from.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..base.errors import ModelError
from .base import FeatureNetwork, choose_layers
from .checkpoints import load_checkpoint
from .mapping import InputMapping

ENCODER = ((1, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128, 256))  # features in, inside, out
DECODER = ((256, 384, 128, 128), (128, 192, 64, 64), (64, 96, 32, 32))  # from below, with the skip, inside, out
CLASSES = 2  # background and airway
GROUPS = 8
DILATION = 4
SQUEEZED = 8
DIVISOR = 2 ** (len(ENCODER) - 1)
ENCODER_NAMES = [f"encoder.{index}" for index in range(len(ENCODER))]
DECODER_NAMES = [f"decoder.{index}" for index in range(len(DECODER))]
LAYER_NAMES = [*ENCODER_NAMES, *DECODER_NAMES, "logits", "probabilities"]
LAYER_GROUPS = {
    "stages": ENCODER_NAMES + DECODER_NAMES,
    "encoder": ENCODER_NAMES,
    "decoder": DECODER_NAMES,
    "all": ENCODER_NAMES + DECODER_NAMES,
}
STRIDES = {f"encoder.{k}": 2**k for k in range(4)} | {f"decoder.{k}": 2 ** (2 - k) for k in range(3)}


class NaviAirwayFeatures(FeatureNetwork):
    """Features after the four encoder and three decoder levels of one or more NaviAirway checkpoints.

    weights: one checkpoint (`.pkl` with `model_state_dict`), or a list; the layers of several stand side by side, named
    `0/encoder.0`, `1/encoder.0`, ... The input is scaled as NaviAirway scales its crops, per patch: HU clipped to
    [-1000, 600], minus the minimum, over the 99th percentile, times 255. `decoder.0` is the lowest decoder level;
    `logits` and `probabilities` are the output before and after the softmax. Groups: `stages` (the default, every
    level), `encoder`, `decoder`. The network has no spacing of its own: it runs on the task's grid.
    """

    def __init__(
        self,
        weights: str | Path | Sequence[str | Path],
        spacing_mm: Sequence[float],
        layers: str | int | Sequence[str] | None = None,
    ):
        super().__init__()
        paths = [weights] if isinstance(weights, str | Path) else list(weights)
        self._wanted = choose_layers(layers, LAYER_GROUPS, LAYER_NAMES, f"NaviAirway {paths[0]}")
        self.networks = nn.ModuleList(load_naviairway(path) for path in paths)
        networks: list[Any] = list(self.networks)
        for network in networks:
            network.cut(self._wanted)
        prefixes = [""] if len(paths) == 1 else [f"{index}/" for index in range(len(paths))]
        self.layer_names = [prefix + name for prefix in prefixes for name in self._wanted]
        self.strides = [(STRIDES.get(name, 1),) * 3 for _ in prefixes for name in self._wanted]
        self.mapping = InputMapping(spacing_mm, normalization="NaviAirway", divisor=(DIVISOR,) * 3)
        self.freeze()

    def extract(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The features of `x` (B, 1, z, y, x), already scaled; those of one checkpoint after those of the other."""
        networks: list[Any] = list(self.networks)
        return [feature for network in networks for feature in network.features(x, self._wanted)]


class SegAirwayModel(nn.Module):
    """NaviAirway's network: a scaled CT crop (B, 1, z, y, x) to probabilities (B, 2, z, y, x); sizes divisible by 8."""

    def __init__(self):
        super().__init__()
        self.encoders = nn.ModuleList(Level(*widths) for widths in ENCODER)
        self.decoders = nn.ModuleList(UpLevel(*widths) for widths in DECODER)
        self.final_conv = nn.Conv3d(DECODER[-1][-1], CLASSES, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The probability of each class."""
        return self.features(x, ["probabilities"])[0]

    def cut(self, names: Sequence[str]) -> None:
        """Throw away what runs after the last of these layers."""
        last = max(LAYER_NAMES.index(name) for name in names)
        self.encoders = self.encoders[: last + 1]
        self.decoders = self.decoders[: max(last + 1 - len(ENCODER), 0)]
        if last < LAYER_NAMES.index("logits"):
            self.final_conv = None

    def features(self, x: torch.Tensor, names: Sequence[str]) -> list[torch.Tensor]:
        """The tensors of the layers named, in that order."""
        found, skips = {}, []
        for index, encoder in enumerate(self.encoders):
            x = encoder(nn.functional.max_pool3d(x, 2) if index else x)
            found[f"encoder.{index}"] = x
            skips.append(x)
        for index, decoder in enumerate(self.decoders):
            x = decoder(x, skips[-(index + 2)])
            found[f"decoder.{index}"] = x
        if self.final_conv is not None:
            found["logits"] = self.final_conv(x)
            found["probabilities"] = found["logits"].softmax(1)
        return [found[name] for name in names]


class Level(nn.Module):
    """Two convolutions, with a dilated branch between them."""

    def __init__(self, channels: int, middle: int, out: int):
        super().__init__()
        self.conv1 = _conv(channels, middle)
        self.conv2 = _conv(middle, out)
        self.dilation_conv = _conv(middle, middle, DILATION)
        self.att = SqueezeExcitation(middle)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x)
        return self.conv2(x + self.att(self.dilation_conv(x)))


class UpLevel(Level):
    """A transposed convolution to twice the size, the encoder's features beside it, then a level."""

    def __init__(self, below: int, channels: int, middle: int, out: int):
        super().__init__(channels, middle, out)
        self.upsample = nn.ConvTranspose3d(below, below, 4, stride=2, padding=1)

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        skips = () if skip is None else (skip,)
        return super().forward(torch.cat((*skips, self.upsample(x)), 1))


class SqueezeExcitation(nn.Module):
    """Each channel times a factor in (0, 1) that the means of all channels decide."""

    def __init__(self, channels: int):
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, SQUEEZED, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(SQUEEZED, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.fc(x.mean((2, 3, 4)))[:, :, None, None, None]


def _conv(channels: int, out: int, dilation: int = 1) -> nn.Sequential:
    block = nn.Sequential()
    block.add_module("groupnorm", nn.GroupNorm(GROUPS if channels >= GROUPS else 1, channels))
    block.add_module("conv", nn.Conv3d(channels, out, 3, padding=dilation, dilation=dilation, bias=False))
    block.add_module("ReLU", nn.ReLU(inplace=True))
    return block


def load_naviairway(path: str | Path) -> SegAirwayModel:
    """The network with the weights of a checkpoint, strictly. Raises ModelError where they are absent or do not fit."""
    path = Path(path)
    if not path.is_file():
        raise ModelError(
            f"NaviAirway: no such file: {path}",
            expected="a checkpoint such as checkpoint.pkl",
            hint="download NaviAirway's checkpoints from its authors and name the files: weights: [path, path]",
        )
    content = load_checkpoint(path)
    if "model_state_dict" not in content:
        raise ModelError(
            f"not a checkpoint of NaviAirway: {path}",
            found=f"keys {', '.join(map(str, list(content)[:5]))}",
            expected="model_state_dict",
        )
    network = SegAirwayModel()
    try:
        network.load_state_dict(content["model_state_dict"], strict=True)
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            f"NaviAirway: the weights do not fit: {path}",
            found="\n    ".join(line.strip() for line in str(error).splitlines()[1:4]),
            expected="the parameters of SegAirwayModel(1, 2)",
        ) from error
    return network.eval()
