"""A network of patches on a whole volume. Numpy and torch only: training uses it too."""

from collections.abc import Sequence

import numpy as np
import torch

from ..base import hardware
from . import fusion


def predict_volume(
    network: torch.nn.Module,
    image: np.ndarray,
    patch: tuple[int, int, int],
    overlap: float | Sequence[float],
    method: str,
    device: torch.device,
    dtype: torch.dtype | None,
) -> tuple[np.ndarray, int]:
    """The fused output of a network with one channel in and out, float32 (z, y, x), and the number of patches.

    network: in evaluation mode, on `device`. image: (z, y, x), normalised; where it is smaller than the patch it is
    padded with its darkest value. overlap, method: see `fusion.fuse`. dtype: of mixed precision, None for float32.
    """
    padded, crop = _pad(image, patch)
    starts = []

    def predict(start: tuple[int, int, int]) -> np.ndarray:
        starts.append(start)
        window = tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))
        batch = torch.from_numpy(np.ascontiguousarray(padded[window]))[None, None].to(device)
        with torch.inference_mode(), hardware.autocast(device.type, dtype):
            output = network(batch)
        return output[0, 0].float().cpu().numpy()

    return fusion.fuse(predict, padded.shape, patch, overlap, method)[crop], len(starts)


def _pad(image: np.ndarray, patch: tuple[int, int, int]) -> tuple[np.ndarray, tuple[slice, ...]]:
    """Pad a volume smaller than a patch with its background, the darkest value, equally on both sides."""
    missing = [max(0, p - s) for s, p in zip(image.shape, patch, strict=True)]
    before = [m // 2 for m in missing]
    if not any(missing):
        return image, (slice(None),) * 3
    padded = np.pad(image, [(b, m - b) for b, m in zip(before, missing, strict=True)], constant_values=image.min())
    return padded, tuple(slice(b, b + s) for b, s in zip(before, image.shape, strict=True))
