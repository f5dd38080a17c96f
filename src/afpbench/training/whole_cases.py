"""Validation on whole cases: what a training's patches do not show."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from ..inference.volume import predict_volume
from ..metrics.image import image_metrics
from ..volumes import normalization


def validate_cases(
    network: torch.nn.Module,
    dataset,
    cases: Iterable[str],
    patch: tuple[int, int, int],
    ct_statistics: dict,
    device: torch.device,
    dtype: torch.dtype | None,
) -> list[dict[str, float]]:
    """The body's image metrics of each whole case, predicted patch by patch with median fusion.

    network: in evaluation mode, normalised MR to normalised CT. dataset: cases of `training_set`; their CT is clipped
    to the percentiles of the normalisation, so that the figures lie a little below those of the tables.
    dtype: of mixed precision, None for float32. No random number is drawn.
    """
    found = []
    for case in cases:
        data, labels, _, _ = dataset.load_case(case)
        images, body = np.asarray(data), np.asarray(labels[0]) > 0
        values, _ = predict_volume(network, images[0], patch, 0.5, "median", device, dtype)
        real, synthetic = (normalization.denormalize_ct(image, ct_statistics) for image in (images[1], values))
        found.append(image_metrics(real, synthetic, body, what=f"validation case {case}")["body"])
    return found


def mean_of_cases(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean MAE (HU) and SSIM inside the body, under the names of the curves."""
    return {
        "case_mae_hu": float(np.mean([metrics["mae"] for metrics in found])),
        "case_ssim": float(np.mean([metrics["ssim"] for metrics in found])),
    }
