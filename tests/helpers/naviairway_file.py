"""NaviAirway checkpoints with random weights for tests, in the form that its authors save."""

from pathlib import Path

import torch

from afpbench.features.naviairway import SegAirwayModel

# Some parameters of its checkpoints: names and shapes.
PARAMETERS = {
    "encoders.0.conv1.groupnorm.weight": [1],
    "encoders.0.conv1.conv.weight": [16, 1, 3, 3, 3],
    "encoders.0.conv2.conv.weight": [32, 16, 3, 3, 3],
    "encoders.0.dilation_conv.conv.weight": [16, 16, 3, 3, 3],
    "encoders.0.att.fc.0.weight": [8, 16],
    "encoders.0.att.fc.2.weight": [16, 8],
    "encoders.3.conv1.groupnorm.bias": [128],
    "encoders.3.conv2.conv.weight": [256, 128, 3, 3, 3],
    "decoders.0.upsample.weight": [256, 256, 4, 4, 4],
    "decoders.0.upsample.bias": [256],
    "decoders.0.conv1.conv.weight": [128, 384, 3, 3, 3],
    "decoders.1.conv1.conv.weight": [64, 192, 3, 3, 3],
    "decoders.2.conv1.conv.weight": [32, 96, 3, 3, 3],
    "decoders.2.conv2.conv.weight": [32, 32, 3, 3, 3],
    "decoders.2.att.fc.0.weight": [8, 32],
    "final_conv.weight": [2, 32, 3, 3, 3],
    "final_conv.bias": [2],
}


def save(path: Path, seed: int = 0) -> Path:
    """Write a checkpoint; returns its path."""
    torch.manual_seed(seed)
    network = SegAirwayModel()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5)
    torch.save({"model_state_dict": network.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, path)
    return path
