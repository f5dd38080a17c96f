"""The images of one case that metrics compare, on one grid."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..base.errors import DataError
from ..volumes import io


@dataclass(frozen=True)
class Pair:
    """The images of one case.

    segmentations: segmenter -> (of the real CT, of the synthetic CT). sd: the synthetic CT's uncertainty map, HU.
    """

    case: str
    real: io.Volume | None
    synthetic: io.Volume | None
    mask: io.Volume | None
    segmentations: Mapping[str, tuple[io.Volume, io.Volume]]
    sd: io.Volume | None = None


def check_grids(pair: Pair) -> None:
    """Raise DataError unless all images of the pair lie on one grid."""
    images = {"real CT": pair.real, "synthetic CT": pair.synthetic, "mask": pair.mask, "uncertainty map": pair.sd}
    for segmenter, (real, synthetic) in pair.segmentations.items():
        name = f" ({segmenter})"
        images |= {f"real segmentation{name}": real, f"synthetic segmentation{name}": synthetic}
    present = {name: image for name, image in images.items() if image is not None}
    first, reference = next(iter(present.items()))
    for name, image in present.items():
        if not image.geometry.matches(reference.geometry):
            raise DataError(
                f"case {pair.case}: the {name} is not on the {first}'s grid ({image.source})",
                found=_describe(image.geometry),
                expected=_describe(reference.geometry),
                hint="resample it onto that grid (nearest neighbour for label maps)",
            )


def _describe(geometry: io.Geometry) -> str:
    def numbers(values) -> str:
        return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"

    return (
        f"shape {geometry.shape}, spacing {numbers(geometry.spacing_mm)} mm (z, y, x), "
        f"origin {numbers(geometry.origin_mm)} mm, direction {numbers(geometry.direction)}"
    )
