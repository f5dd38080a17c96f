"""Validation on whole cases: what a training's patches do not show."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from ..inference.volume import predict_volume
from ..metrics.image import image_metrics
from ..volumes import normalization
from .judge import Judge, mean_dice

IMAGE = {"case_mae_hu": "mae", "case_ssim": "ssim"}  # column of the curves -> metric


def validate_cases(
    network: torch.nn.Module,
    dataset,
    cases: Iterable[str],
    patch: tuple[int, int, int],
    ct_statistics: dict,
    device: torch.device,
    dtype: torch.dtype | None,
    judge: Judge | None = None,
) -> list[dict]:
    """The body's image metrics of each whole case, predicted patch by patch with median fusion.

    With a judge also, under `dice`, what it says of each structure.

    network: in evaluation mode, normalised MR to normalised CT. dataset: cases of `training_set`; their CT is clipped
    to the percentiles of the normalisation, so that the figures lie a little below those of the tables.
    dtype: of mixed precision, None for float32. No random number is drawn.
    """
    found = []
    for case in cases:
        data, labels, _, _ = dataset.load_case(case)
        images, body = np.asarray(data), np.asarray(labels[0]) > 0
        values, _ = predict_volume(network, images[:-1], patch, 0.5, "median", device, dtype)
        real, synthetic = (normalization.denormalize_ct(image, ct_statistics) for image in (images[-1], values))
        metrics = image_metrics(real, synthetic, body, what=f"validation case {case}")["body"]
        found.append(metrics | ({"dice": judge(case, synthetic)} if judge else {}))
    return found


def columns(judge: Judge | None) -> list[str]:
    """The columns of the curves that whole cases fill."""
    return [*IMAGE, *(judge.columns if judge else [])]


def mean_of_cases(found: Sequence[dict], judge: Judge | None) -> dict[str, float | None]:
    """Mean MAE (HU) and SSIM inside the body, and a judge's Dice of structures, under the names of the curves."""
    image = {name: float(np.mean([metrics[key] for metrics in found])) for name, key in IMAGE.items()}
    return image | (mean_dice([metrics["dice"] for metrics in found], judge.structures) if judge else {})
