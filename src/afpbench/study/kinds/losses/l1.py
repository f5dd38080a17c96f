"""L1 between images."""

from ..loss import Loss


class L1(Loss):
    """Mean absolute difference of the normalised CT.

    The reconstruction loss of the paper's baselines (section 2.3).
    """

    name = "l1"
    citation = "Isola et al., Image-to-image translation with conditional adversarial networks, CVPR 2017"

    def value(self, synthetic, real, region=None):
        from torch.nn.functional import l1_loss

        return l1_loss(synthetic.float(), real.float())
