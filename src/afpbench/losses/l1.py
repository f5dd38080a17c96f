"""L1 between images."""

import torch

from .base import LossTerm


class L1Loss(LossTerm):
    """Mean absolute difference between normalised synthetic and real CT.

    The reconstruction loss of the paper's baselines (section 2.3), as in pix2pix (Isola et al. 2017).
    """

    TERM = "l1"

    def forward(self, synthetic, real, mask=None):
        return torch.nn.functional.l1_loss(synthetic.float(), real.float())
