"""The network of a generator that is a class with the method `network`, as nnU-Net builds it from its plans."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..base.errors import ConfigError, ModelError
from ..study.kinds.registry import GENERATORS


class RegisteredGenerator(nn.Module):
    """MR (B, C, z, y, x) to normalised CT (B, 1, z, y, x), by the network that a generator's class makes.

    input_channels, num_classes, deep_supervision: as nnU-Net gives them to any network; there is one output.
    kind: the generator's name in the study file. options: its entry there.
    Raises ConfigError where `network` gives no module, ModelError for an output of another shape than the MR's.
    """

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        kind: str,
        options: Mapping[str, Any],
        deep_supervision: bool = False,
    ):
        super().__init__()
        self.kind = kind
        network = GENERATORS[kind].network(input_channels, options)
        if not isinstance(network, nn.Module):
            raise ConfigError(
                f"generators '{kind}': its `network` gives no network",
                found=type(network).__name__,
                expected="a torch.nn.Module",
            )
        self.network = network

    def forward(self, mr: torch.Tensor) -> torch.Tensor:
        ct: torch.Tensor = self.network(mr)
        expected = (mr.shape[0], 1, *mr.shape[2:])
        if ct.shape != expected:  # torch would spread a smaller one over the patch without a word
            raise ModelError(
                f"generators '{self.kind}': its network gives another shape than the MR's",
                found=tuple(ct.shape),
                expected=f"{expected}, one channel of normalised CT",
                hint="pad inside the network for sizes that it cannot halve",
            )
        return ct
