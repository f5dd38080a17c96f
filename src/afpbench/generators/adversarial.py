"""The adversarial hinge loss and the feature matching loss, on the outputs of a multi-scale discriminator.

Source: J. H. Lim and J. C. Ye, Geometric GAN, arXiv:1705.02894 (hinge), as T. Park et al., CVPR 2019 use it;
T.-C. Wang et al., CVPR 2018 (feature matching). MONAI's hinge puts the scores through a tanh first, so that no score
ever gets past the margin of 1, which is the point of the hinge; hence the three lines here.
"""

import torch

Scores = list[torch.Tensor]  # per scale
Features = list[list[torch.Tensor]]  # per scale, per layer


def game_dtype(dtype: torch.dtype | None) -> torch.dtype | None:
    """The number format of the discriminator beside a generator in `dtype`; None is float32.

    In bfloat16 on a CPU the discriminator's gradient has come out as NaN after a few iterations.
    """
    return None if dtype == torch.bfloat16 else dtype


def hinge_real(scores: Scores) -> torch.Tensor:
    """The discriminator's loss on real CT: mean of max(0, 1 - score), averaged over scales; float32."""
    return _mean([(1 - score.float()).relu() for score in scores])


def hinge_synthetic(scores: Scores) -> torch.Tensor:
    """The discriminator's loss on synthetic CT: mean of max(0, 1 + score), averaged over scales; float32."""
    return _mean([(1 + score.float()).relu() for score in scores])


def adversarial(scores: Scores) -> torch.Tensor:
    """The generator's loss: the negative mean score of synthetic CT, averaged over scales; float32."""
    return _mean([-score.float() for score in scores])


def feature_matching(synthetic: Features, real: Features) -> torch.Tensor:
    """Mean absolute difference of the discriminator's features, summed over layers, averaged over scales; float32."""
    per_scale = [
        torch.stack([(a.float() - b.float()).abs().mean() for a, b in zip(ours, theirs, strict=True)]).sum()
        for ours, theirs in zip(synthetic, real, strict=True)
    ]
    return torch.stack(per_scale).mean()


def _mean(maps: Scores) -> torch.Tensor:
    return torch.stack([values.mean() for values in maps]).mean()
