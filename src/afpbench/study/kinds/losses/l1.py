"""L1 between images."""

from .voxels import VoxelLoss


class L1(VoxelLoss):
    """Mean absolute difference of the normalised CT.

    The reconstruction loss of the paper's baselines (section 2.3).
    """

    name = "l1"
    citation = "Isola et al., Image-to-image translation with conditional adversarial networks, CVPR 2017"

    @staticmethod
    def difference(synthetic, real, reduction):
        from torch.nn.functional import l1_loss

        return l1_loss(synthetic, real, reduction=reduction)
