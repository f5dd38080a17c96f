"""The perceptual loss."""

from .feature_distance import FeatureDistance


class PerceptualLoss(FeatureDistance):
    """Perceptual loss (Johnson et al. 2016) with 3D medical features, the paper's second baseline (section 3.1).

    The network is MedicalNet (Chen et al. 2019, "Med3D"): features after its first ReLU and its four layers.
    """

    TERM = "perceptual"
