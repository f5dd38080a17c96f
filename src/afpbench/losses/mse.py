"""Squared error between images."""

import torch

from .base import LossTerm


class MseLoss(LossTerm):
    """Mean squared difference between normalised synthetic and real CT.

    The loss of the authors' first adaptation of nnU-Net to synthesis (Longuefosse et al. 2024, see section 2.3).
    """

    TERM = "mse"

    def forward(self, synthetic, real, mask=None):
        return torch.nn.functional.mse_loss(synthetic.float(), real.float())
