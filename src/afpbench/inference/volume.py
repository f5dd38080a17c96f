"""A network of patches on a whole volume. Numpy and torch only: training uses it too."""

from collections.abc import Iterator, Sequence
from itertools import product

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
    """The fused output of a network with one channel out, float32 (z, y, x), and the number of patches.

    network: in evaluation mode, on `device`. image: (z, y, x), or (channels, z, y, x) of several, normalised; where it
    is smaller than the patch it is padded with the darkest value of each channel. overlap, method: see `fusion.fuse`.
    dtype: of mixed precision, None for float32.
    """
    padded, crop = _pad(image.reshape(-1, *image.shape[-3:]), patch)
    shape = padded.shape[1:]
    starts = list(product(*fusion.grid(shape, patch, overlap)))
    outputs = _outputs(network, padded, starts, patch, device, dtype)
    return fusion.fuse(lambda start: next(outputs), shape, patch, overlap, method)[crop], len(starts)


def _outputs(network, image: np.ndarray, starts, patch, device: torch.device, dtype) -> Iterator[np.ndarray]:
    """The network's output for the patch at each start, in their order, which is that in which `fuse` asks for them.

    The network is given a patch before the output of the one before is waited for: a GPU computes while that is fused.
    """
    waiting = None
    for start in starts:
        window = tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))
        batch = hardware.send(np.ascontiguousarray(image[:, *window])[None], device)
        with torch.inference_mode(), hardware.autocast(device.type, dtype):
            output = network(batch)
        given = hardware.fetch(output[0, 0].float())
        if waiting is not None:
            yield waiting()
        waiting = given
    if waiting is not None:
        yield waiting()


def _pad(image: np.ndarray, patch: tuple[int, int, int]) -> tuple[np.ndarray, tuple[slice, ...]]:
    """Pad channels, z, y, x smaller than a patch with background, the darkest value of each, equally on both sides.

    Returns them, and where it lies in z, y, x.
    """
    missing = [max(0, p - s) for s, p in zip(image.shape[1:], patch, strict=True)]
    before = [m // 2 for m in missing]
    if not any(missing):
        return image, (slice(None),) * 3
    width = [(b, m - b) for b, m in zip(before, missing, strict=True)]
    padded = np.stack([np.pad(channel, width, constant_values=channel.min()) for channel in image])
    return padded, tuple(slice(b, b + s) for b, s in zip(before, image.shape[1:], strict=True))
