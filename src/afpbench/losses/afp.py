"""The anatomical feature-prioritized loss."""

from .feature_distance import FeatureDistance


class AfpLoss(FeatureDistance):
    """Anatomical feature-prioritized loss, Eq. 1 of Longuefosse et al., section 2.1.

    L_AFP(x, y) = 1/N sum_i || phi_i(x) - phi_i(y) ||_1, with phi_i the i-th feature layer of a frozen segmentation
    network, taken after the activation of a convolutional block. With `reduction: mean` (the default) the norm is
    divided by the layer's number of elements.
    """

    TERM = "afp"
