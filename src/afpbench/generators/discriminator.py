"""The multi-scale PatchGAN discriminator of pix2pixHD, with SPADE's spectral normalisation; each scale is MONAI's.

Source: T.-C. Wang et al., CVPR 2018 (scales); T. Park et al., CVPR 2019 (paddings, and spectral norm on the
convolutions that instance normalisation follows: neither the first nor the last); T. Miyato et al., Spectral
normalization for generative adversarial networks, ICLR 2018.
"""

import torch
from monai.networks.nets.patchgan_discriminator import PatchDiscriminator
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from .adversarial import Features, Scores

ENDS = ("initial_conv", "final_conv")  # MONAI's names of the two convolutions without normalisation


class MultiScaleDiscriminator(nn.Module):
    """Judges patches of MR and CT: PatchGANs of one form, each on images half as large as the one before.

    (MONAI's own multi-scale discriminator makes the second network deeper instead of its image smaller, which for
    four layers means a 256-fold reduction.) layers: convolutions with features, the first included; all but the last
    halve the resolution. features: of the first; they double with each. channels: those of the MR, and the CT.
    """

    def __init__(self, scales: int, layers: int, features: int, channels: int = 2):
        super().__init__()
        # MONAI does not count the first layer. Padding 2 keeps small patches alive, as in SPADE.
        self.scales = nn.ModuleList(
            PatchDiscriminator(3, features, channels, num_layers_d=layers - 1, norm="INSTANCE", padding=2)
            for _ in range(scales)
        )
        for network in self.scales:
            for name, block in network.named_children():
                if name not in ENDS:
                    spectral_norm(block.get_submodule("conv"))

    def forward(self, mr: torch.Tensor, ct: torch.Tensor) -> tuple[Scores, Features]:
        """Per scale: the map of scores, and the features of its layers. mr: (B, C, z, y, x), ct: (B, 1, z, y, x)."""
        x = torch.cat([mr, ct], dim=1)
        scores, features = [], []
        for number, network in enumerate(self.scales):
            if number:
                x = functional.avg_pool3d(x, 3, stride=2, padding=1, count_include_pad=False)
            *inner, score = network(x)
            scores.append(score)
            features.append(inner)
        return scores, features
