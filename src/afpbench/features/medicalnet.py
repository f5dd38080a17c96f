"""MedicalNet's 3D ResNets as feature networks (Chen, Ma and Zheng 2019, "Med3D: Transfer learning for 3D medical
image analysis"), for the perceptual loss of the paper. The layout is MedicalNet's own: MONAI's ResNets differ in
strides and dilations, so that the same weights give other features there."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from ..base.atomic import sha256_of
from ..base.errors import ModelError
from ..study.records import read_record
from .base import FeatureNetwork, choose_layers
from .checkpoints import load_checkpoint
from .mapping import InputMapping

BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
LAYER_NAMES = ("relu1", "layer1", "layer2", "layer3", "layer4")
STRIDES = {"relu1": 2, "layer1": 4, "layer2": 8, "layer3": 8, "layer4": 8}


class MedicalNetFeatures(FeatureNetwork):
    """Features after MedicalNet's first ReLU (`relu1`) and its four layers (`layer1` to `layer4`).

    weights: a checkpoint of MedicalNet (`resnet_10_23dataset.pth`, `resnet_50.pth`, ...): `state_dict` with keys that
    begin with `module.`. Depth (10, 18, 34, 50) and kind of shortcut are read from it; its segmentation head is left.
    mean_hu, std_hu: the input is (HU - mean) / SD. By default the patch's own, as MedicalNet normalises each image, so
    that the features see neither an offset nor a factor of HU; fixed values let them see both.
    statistics: a normalization.json that has them, those of the training cases' CT.
    sha256: of the checkpoint, where it is known; another file is refused before it is read.
    """

    def __init__(
        self,
        weights: str | Path,
        spacing_mm: Sequence[float],
        layers: str | int | Sequence[str] | None = None,
        mean_hu: float | None = None,
        std_hu: float | None = None,
        statistics: str | Path | None = None,
        sha256: str | None = None,
    ):
        super().__init__()
        if (mean_hu is None) != (std_hu is None):
            raise ModelError("MedicalNet: mean_hu and std_hu go together", found=f"mean_hu {mean_hu}, std_hu {std_hu}")
        if statistics is not None:
            mean_hu, std_hu = (read_record(statistics)["ct"][key] for key in ("mean_hu", "std_hu"))
        what = f"MedicalNet {weights}"
        groups = {"all": list(LAYER_NAMES)}
        self.layer_names = choose_layers(layers, groups, LAYER_NAMES, what)
        self.strides = [(STRIDES[name],) * 3 for name in self.layer_names]
        self.mapping = InputMapping(
            spacing_mm,
            normalization="ZScoreNormalization" if mean_hu is None else "CTNormalization",
            properties={
                "mean": mean_hu,
                "std": std_hu,
                "percentile_00_5": -float("inf"),
                "percentile_99_5": float("inf"),
            },
        )
        self.network = load_medicalnet(weights, sha256)
        deepest = max(LAYER_NAMES.index(name) for name in self.layer_names)
        for name in LAYER_NAMES[deepest + 1 :]:
            delattr(self.network, name)
        self.freeze()

    def extract(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The features of `x` (B, 1, z, y, x), already normalised."""
        return self.network(x, self.layer_names)


class ResNet(nn.Module):
    """MedicalNet's 3D ResNet without its head: a 7x7x7 stem of stride 2, max-pooling, four layers of which the second
    has stride 2 and the last two dilation 2 and 4 in place of strides."""

    def __init__(self, depth: int, projections: bool):
        """depth: 10, 18, 34 or 50. projections: shortcuts of type B (1x1x1 convolution); else A (zero channels)."""
        super().__init__()
        block = Bottleneck if depth >= 50 else BasicBlock
        self.conv1 = nn.Conv3d(1, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        channels = 64
        plan = zip((64, 128, 256, 512), BLOCKS[depth], (1, 2, 1, 1), (1, 1, 2, 4), strict=True)
        for number, (width, count, stride, dilation) in enumerate(plan, start=1):
            blocks = []
            for index in range(count):
                blocks.append(block(channels, width, stride if index == 0 else 1, dilation, projections))
                channels = width * block.EXPANSION
            setattr(self, f"layer{number}", nn.Sequential(*blocks))

    def forward(self, x: torch.Tensor, names: Sequence[str] = LAYER_NAMES) -> list[torch.Tensor]:
        """The tensors of the layers named; nothing runs after the last of them."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        found = {"relu1": x}
        for name in LAYER_NAMES[1 : max(LAYER_NAMES.index(n) for n in names) + 1]:
            x = getattr(self, name)(F.max_pool3d(x, 3, 2, 1) if name == "layer1" else x)
            found[name] = x
        return [found[name] for name in names]


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions and a shortcut."""

    EXPANSION = 1

    def __init__(self, channels: int, width: int, stride: int, dilation: int, projections: bool):
        super().__init__()
        self.conv1 = nn.Conv3d(channels, width, 3, stride, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.downsample = _shortcut(channels, width, stride, projections)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.downsample(x), inplace=True)


class Bottleneck(nn.Module):
    """1x1x1, 3x3x3 and 1x1x1 convolutions, four times as many channels out, and a shortcut."""

    EXPANSION = 4

    def __init__(self, channels: int, width: int, stride: int, dilation: int, projections: bool):
        super().__init__()
        self.conv1 = nn.Conv3d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, width * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(width * 4)
        self.downsample = _shortcut(channels, width * 4, stride, projections)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        return F.relu(out + self.downsample(x), inplace=True)


class ZeroChannels(nn.Module):
    """Shortcut of type A: every stride-th voxel, and zeros for the channels that are missing."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.channels = channels
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x[:, :, :: self.stride, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, 0, 0, self.channels - x.shape[1]))


def _shortcut(channels: int, out: int, stride: int, projections: bool) -> nn.Module:
    if stride == 1 and channels == out:
        return nn.Identity()
    if not projections:
        return ZeroChannels(out, stride)
    return nn.Sequential(nn.Conv3d(channels, out, 1, stride, bias=False), nn.BatchNorm3d(out))


def load_medicalnet(path: str | Path, sha256: str | None = None) -> ResNet:
    """A ResNet with the weights of a MedicalNet checkpoint, its head left out.

    Raises ModelError when the file is missing, damaged, or not of one of MedicalNet's depths.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(
            f"MedicalNet: no such file: {path}",
            expected="a checkpoint such as resnet_50_23dataset.pth",
            hint="download MedicalNet's weights from its authors and name the file: weights: path",
        )
    if sha256 is not None and (found := sha256_of(path)) != sha256:
        raise ModelError(
            f"MedicalNet: the wrong file lies at {path}",
            found=f"sha256 {found}",
            expected=f"sha256 {sha256}",
            hint="delete it and run again: it is then downloaded",
        )
    content = load_checkpoint(path)
    state = content.get("state_dict", content)
    state = {key.removeprefix("module."): value for key, value in state.items()}
    state = {key: value for key, value in state.items() if not key.startswith(("conv_seg.", "fc."))}
    network = ResNet(_depth(state, path), any(".downsample." in key for key in state))
    missing, unexpected = network.load_state_dict(state, strict=False) if _fits(network, state) else (["shapes"], [])
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ModelError(
            f"MedicalNet: the weights do not fit: {path}",
            found=f"missing {', '.join(missing[:3]) or 'none'}; unexpected {', '.join(unexpected[:3]) or 'none'}",
            expected="the parameters of MedicalNet's ResNet",
        )
    return network


def _depth(state: dict, path: Path) -> int:
    """The depth that the keys show."""
    counts = tuple(
        len({match[1] for key in state if (match := re.match(rf"layer{layer}\.(\d+)\.", key))}) for layer in range(1, 5)
    )
    bottleneck = any(re.match(r"layer1\.0\.conv3\.", key) for key in state)
    for depth, blocks in BLOCKS.items():
        if blocks == counts and (depth >= 50) == bottleneck:
            return depth
    raise ModelError(
        f"not a checkpoint of MedicalNet: {path}",
        found=f"blocks per layer {counts}{', bottlenecks' if bottleneck else ''}",
        expected=f"ResNet-{', '.join(map(str, BLOCKS))}",
    )


def _fits(network: nn.Module, state: dict) -> bool:
    own = network.state_dict()
    return all(own[key].shape == value.shape for key, value in state.items() if key in own)
