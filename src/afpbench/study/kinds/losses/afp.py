"""The anatomical feature-prioritized loss."""

from .features import FeatureLoss


class Afp(FeatureLoss):
    """Anatomical feature-prioritized loss (Eq. 1): L1 distance between features of a frozen segmentation network.

    L_AFP(x, y) = 1/N sum_i || phi_i(x) - phi_i(y) ||_1, with phi_i the i-th feature layer of a frozen segmentation
    network, taken after the activation of a convolutional block. With `reduction: mean` (the default) the norm is
    divided by the layer's number of elements.
    """

    name = "afp"
    citation = (
        "Longuefosse et al., Anatomical feature-prioritized loss for enhanced MR to CT translation, "
        "Physics in Medicine & Biology 2025, doi:10.1088/1361-6560/adea07"
    )
