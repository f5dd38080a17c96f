"""A network that predicts what a straight line from the MR leaves over."""

from collections.abc import Mapping
from typing import Any

import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from torch import nn


class ResidualHead(nn.Module):
    """MR (B, C, z, y, x) to normalised CT (B, 1, z, y, x): slope * MR + offset, and a network's output on top of it.

    Slopes, one for each channel of the MR, and offset are learned with the network; they begin at 0.
    input_channels, num_classes, deep_supervision: as nnU-Net gives them to any network. architecture: the network's
    entry in nnU-Net's plans.
    """

    def __init__(
        self, input_channels: int, num_classes: int, architecture: Mapping[str, Any], deep_supervision: bool = False
    ):
        super().__init__()
        self.network = get_network_from_plans(
            architecture["network_class_name"],
            architecture["arch_kwargs"],
            architecture["_kw_requires_import"],
            input_channels,
            num_classes,
            allow_init=True,
            deep_supervision=deep_supervision,
        )
        self.slope = nn.Parameter(torch.zeros(1, input_channels, 1, 1, 1))
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, mr: torch.Tensor) -> torch.Tensor:
        line = (self.slope * mr).sum(1, keepdim=True) + self.offset
        ct: torch.Tensor = line + self.network(mr)
        return ct
