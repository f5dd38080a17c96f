"""The definitions of image and structure metrics that a study may choose by name: this benchmark's, the challenges'."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .edges import edge_metrics
from .surface import structure_metrics


@dataclass(frozen=True)
class Definition:
    """What a definition fixes.

    clip_hu: the range to which both images are clipped; its width is the data range of PSNR, SSIM and MS-SSIM.
    clips_errors: whether MAE and ME are of the clipped images too, or of the images as they are.
    of_structure: computes Dice, NSD and surface distances, as `surface.structure_metrics` does.
    """

    clip_hu: tuple[float, float] = (-1024.0, 3000.0)
    clips_errors: bool = True
    of_structure: Callable[..., dict[str, float | str]] = structure_metrics


AFPBENCH = Definition()
DEFINITIONS: Mapping[str, Definition] = {
    "afpbench": AFPBENCH,
    "synthrad2023": Definition(clips_errors=False),
    "synthrad2025_metrics": Definition(clips_errors=False, of_structure=edge_metrics),
    "synthrad2025_evaluation": Definition((-1024.0, 3071.0), clips_errors=False, of_structure=edge_metrics),
}
