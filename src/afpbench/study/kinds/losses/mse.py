"""Squared error between images."""

from .voxels import VoxelLoss


class Mse(VoxelLoss):
    """Mean squared difference of the normalised CT.

    The loss of the authors' first adaptation of nnU-Net to synthesis (see section 2.3 of the paper).
    """

    name = "mse"
    citation = "Longuefosse et al., Adapted nnU-Net: a robust baseline for cross-modality synthesis, 2024"

    @staticmethod
    def difference(synthetic, real, reduction):
        from torch.nn.functional import mse_loss

        return mse_loss(synthetic, real, reduction=reduction)
