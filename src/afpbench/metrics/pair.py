"""The images of one case that metrics compare, on one grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..base.errors import DataError
from ..study.paths import TaskPaths
from ..volumes import io
from ..volumes.images import read_image
from ..volumes.labels import read_labels
from ..volumes.masks import read_mask


@dataclass(frozen=True)
class Pair:
    """The images of one case.

    segmentations: segmenter -> (of the real CT, of the synthetic CT). sd: the synthetic CT's uncertainty map, HU. mr,
    covered: the MR, and where the CT has data, for metrics that compare with the MR.
    """

    case: str
    real: io.Volume | None
    synthetic: io.Volume | None
    mask: io.Volume | None
    segmentations: Mapping[str, tuple[io.Volume, io.Volume]]
    sd: io.Volume | None = None
    mr: io.Volume | None = None
    covered: io.Volume | None = None


def read_pair(
    paths: TaskPaths,
    real: TaskPaths,
    case: str,
    run: str,
    segmenters: Sequence[str],
    with_mr: bool = False,
    with_map: bool = False,
    with_ct: bool = True,
) -> Pair:
    """The images of a case of a run. real: the task whose real CT, mask and segmentations of it are compared with.

    with_mr, with_map: whether the MR, and the uncertainty map, are read too. with_ct: whether there are CTs; False of
    label maps alone. Raises DataError, with the case, for a file that cannot be used.
    """
    what, segmentations = f"case {case}, row {run}", {}
    for name in segmenters:
        of_real, of_run = real.segmentations(name, "ct"), paths.segmentations(name, run)
        segmentations[name] = (
            read_labels(of_real.image(case), f"{what}: segmentation of the real CT by {name}"),
            read_labels(of_run.image(case), f"{what}: segmentation of the synthetic CT by {name}"),
        )
    more = {}
    if with_mr:
        more["mr"] = read_image(real.prepared_image(case, "mr"), f"{what}: MR")
        more["covered"] = read_mask(real.prepared_image(case, "covered"), f"{what}: coverage")
    if with_map:
        more["sd"] = read_image(paths.synthetic(run).uncertainty(case), f"{what}: uncertainty map")
    return Pair(
        case,
        read_image(real.prepared_image(case, "ct"), f"{what}: real CT") if with_ct else None,
        read_image(paths.synthetic(run).image(case), f"{what}: synthetic CT") if with_ct else None,
        read_mask(real.prepared_image(case, "mask"), f"{what}: mask"),
        segmentations,
        **more,
    )


RESAMPLE = "resample it onto that grid (nearest neighbour for label maps)"


def check_grids(pair: Pair, hint: str = RESAMPLE) -> None:
    """Raise DataError unless all images of the pair lie on one grid. hint: what to do where they do not."""
    images = {"real CT": pair.real, "synthetic CT": pair.synthetic, "mask": pair.mask}
    images |= {"uncertainty map": pair.sd, "MR": pair.mr}
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
                hint=hint,
            )


def _describe(geometry: io.Geometry) -> str:
    def numbers(values) -> str:
        return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"

    return (
        f"shape {geometry.shape}, spacing {numbers(geometry.spacing_mm)} mm (z, y, x), "
        f"origin {numbers(geometry.origin_mm)} mm, direction {numbers(geometry.direction)}"
    )
