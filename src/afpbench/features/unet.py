"""nnU-Net's U-Nets, run block by block, so that features can be taken anywhere and nothing runs after the last."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from ..base.errors import ModelError
from .base import choose_layers


class UNetLayers(nn.Module):
    """The features of a U-Net of dynamic_network_architectures (PlainConvUNet, ResidualEncoderUNet and their kin).

    Layers are named by where they are: `encoder.2` is the output of the third encoder stage (after its last block's
    activation), `encoder.2.0` that of its first convolutional block, `encoder.stem` the stem of a residual encoder,
    `decoder.0` the lowest decoder stage, `logits` the network's output. Groups: `stages` (every encoder and decoder
    stage; the default), `encoder`, `decoder`, `all` (every convolutional block).
    Only the blocks up to the last layer used are kept, and run.
    """

    stem: Any
    head: Any
    encoder: Any
    decoder: Any

    def __init__(self, network: Any, layers: str | int | Sequence[str] | None = None, what: str = "U-Net"):
        super().__init__()
        _check_architecture(network, what)
        stem = network.encoder.stem if getattr(network.encoder, "stem", None) is not None else None
        encoder = [_blocks(stage) for stage in network.encoder.stages]
        decoder = [_blocks(stage) for stage in network.decoder.stages]
        groups, order, all_strides = _names(encoder, decoder, stem is not None, network.encoder.strides)
        self.layer_names = choose_layers(layers, groups, list(order), what)
        self.strides = [all_strides[".".join(name.split(".")[:2])] for name in self.layer_names]
        last = max(order[name] for name in self.layer_names)
        self.stem = stem
        self.encoder = _kept("encoder", encoder, order, last)
        self.decoder = _kept("decoder", decoder, order, last)
        self.transpconvs = nn.ModuleList(network.decoder.transpconvs[: len(self.decoder)])
        self.head = network.decoder.seg_layers[-1] if "logits" in self.layer_names else None
        self.reduction = all_strides[f"encoder.{max(len(self.encoder) - 1, 0)}"]

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """x: the network's input (B, C, z, y, x), divisible by `reduction`. One tensor per name in `layer_names`."""
        features = dict(self.stream(x))
        return [features[place] for place in range(len(features))]

    def stream(self, x: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """The same as soon as each is computed, with its place in `layer_names`; nothing else is held on to."""
        for name, feature in self._run(x):
            yield from ((place, feature) for place, wanted in enumerate(self.layer_names) if wanted == name)

    def _run(self, x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """The output of every part by its name; a stage's is also that of its last block."""
        if self.stem is not None:
            x = self.stem(x)
            yield "encoder.stem", x
        skips = []
        for index, stage in enumerate(self.encoder):
            x = yield from _stage(f"encoder.{index}", stage, x)
            if index < len(self.encoder) - 1 and len(self.decoder):
                skips.append(x)
        for index, (up, stage) in enumerate(zip(self.transpconvs, self.decoder, strict=True)):
            x = torch.cat((up(x), skips.pop()), 1)
            x = yield from _stage(f"decoder.{index}", stage, x)
        if self.head is not None:
            yield "logits", self.head(x)


def _stage(
    name: str, blocks: nn.ModuleList, x: torch.Tensor
) -> Generator[tuple[str, torch.Tensor], None, torch.Tensor]:
    for number, block in enumerate(blocks):
        x = block(x)
        yield f"{name}.{number}", x
    yield name, x
    return x


def _blocks(stage: nn.Module) -> list[nn.Module]:
    """The convolutional blocks of a stage, in the order in which they run."""
    inner = getattr(stage, "convs", None) or getattr(stage, "blocks", None)
    if inner is not None:
        return list(inner)
    if isinstance(stage, nn.Sequential):
        return [block for child in stage for block in _blocks(child)]
    return [stage]


def _names(encoder: list, decoder: list, stem: bool, strides: list) -> tuple[dict, dict[str, int], dict]:
    """The groups of layer names, every name with its place in the order of running, and each stage's total stride."""
    order: dict[str, int] = {}
    totals: dict[str, tuple[int, int, int]] = {}
    total: tuple[int, int, int] = (1, 1, 1)
    place = 0
    if stem:
        order["encoder.stem"], totals["encoder.stem"] = 0, total
    for part, stages in (("encoder", encoder), ("decoder", decoder)):
        for index, blocks in enumerate(stages):
            for number, _ in enumerate(blocks):
                place += 1
                order[f"{part}.{index}.{number}"] = place
            order[f"{part}.{index}"] = place
            if part == "encoder":
                z, y, x = (int(a) * int(b) for a, b in zip(total, strides[index], strict=True))
                total = z, y, x
                totals[f"encoder.{index}"] = total
            else:
                totals[f"decoder.{index}"] = totals[f"encoder.{len(encoder) - 2 - index}"]
    order["logits"] = place + 1
    totals["logits"] = totals["encoder.0"]
    encoder_stages = [f"encoder.{index}" for index in range(len(encoder))]
    decoder_stages = [f"decoder.{index}" for index in range(len(decoder))]
    groups = {
        "stages": encoder_stages + decoder_stages,
        "encoder": encoder_stages,
        "decoder": decoder_stages,
        "all": [name for name in order if name.count(".") == 2 or name == "encoder.stem"],
    }
    return groups, order, totals


def _kept(part: str, stages: list, order: dict[str, int], last: int) -> nn.ModuleList:
    """The blocks of the encoder or decoder that run no later than place `last`."""
    kept = [
        nn.ModuleList(block for number, block in enumerate(blocks) if order[f"{part}.{index}.{number}"] <= last)
        for index, blocks in enumerate(stages)
    ]
    return nn.ModuleList(stage for stage in kept if len(stage))


def _check_architecture(network: nn.Module, what: str) -> None:
    parts = [("encoder", "stages"), ("encoder", "strides"), ("decoder", "stages"), ("decoder", "transpconvs")]
    if not all(hasattr(getattr(network, part, None), name) for part, name in parts):
        raise ModelError(
            f"{what}: features cannot be taken from this architecture",
            found=type(network).__name__,
            expected="a U-Net with encoder and decoder stages (PlainConvUNet, ResidualEncoderUNet)",
            hint="export the network as a TorchScript module that returns its features, and use kind: torchscript",
        )
