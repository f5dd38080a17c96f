"""What an MR and a CT must be to each other before anything is made of them. Each failure is a DataError."""

from pathlib import Path

import numpy as np

from ..base.errors import DataError
from ..base.log import logger
from ..volumes.images import is_hu
from ..volumes.io import Volume
from ..volumes.preprocessing import resample_labels

SMALLEST_OVERLAP = 0.1
MOST_OF_THE_CT = 0.5  # inside the MR: then it is not elsewhere, but small
LEAST_OF_A_CHANNEL = 0.5  # of the first channel's field of view that each other one shows


def check_not_exchanged(mr: Volume, ct: Volume, what: str) -> None:
    """Refuse a pair whose MR has values of HU while its CT has not."""
    if is_hu(mr) and not is_hu(ct):
        raise DataError(
            f"{what}: MR and CT are exchanged",
            found=f"HU in the MR ({mr.array.min():.0f} to {mr.array.max():.0f}), none in the CT "
            f"({ct.array.min():.0f} to {ct.array.max():.0f})",
            expected="HU in the CT",
            hint=f"exchange the two: the MR is {mr.source}, the CT {ct.source}",
        )


def check_on_grid(drawn: Volume, image: Volume, what: str) -> None:
    """A mask or a label map on its image's grid."""
    if not drawn.geometry.matches(image.geometry, tolerance_mm=1e-2):
        raise DataError(
            f"{what}: not on the grid of its image: {drawn.source}",
            found=f"shape {drawn.geometry.shape}, spacing {_mm(drawn.spacing_mm)}, "
            f"origin {_mm(drawn.geometry.origin_mm)}",
            expected=f"shape {image.geometry.shape}, spacing {_mm(image.spacing_mm)}, "
            f"origin {_mm(image.geometry.origin_mm)}",
            hint="resample it onto the image by nearest neighbour, or give the one that belongs to it",
        )


def check_overlap(mr: Volume, ct: Volume, what: str) -> float:
    """The share of the MR's bounding box (along the patient axes) that the CT's box covers; too little is an error."""
    mr_box, ct_box = bounding_box_mm(mr), bounding_box_mm(ct)
    common = np.minimum(mr_box[1], ct_box[1]) - np.maximum(mr_box[0], ct_box[0])
    share = float(np.prod(np.clip(common, 0, None)) / np.prod(mr_box[1] - mr_box[0]))
    if share < SMALLEST_OVERLAP:
        inside = float(np.prod(np.clip(common, 0, None)) / np.prod(ct_box[1] - ct_box[0]))
        small = inside > MOST_OF_THE_CT
        raise DataError(
            f"{what}: the CT shows too little of what the MR shows"
            if small
            else f"{what}: MR and CT do not overlap in space",
            found=f"MR from {_mm(mr_box[0])} to {_mm(mr_box[1])}, CT from {_mm(ct_box[0])} to {_mm(ct_box[1])} "
            f"(LPS x, y, z): {share:.0%} of the MR; shapes (z, y, x) {mr.geometry.shape} and {ct.geometry.shape}",
            expected=f"at least {SMALLEST_OVERLAP:.0%} of the MR's box inside the CT's",
            hint="give the whole series of the CT where only some slices were exported or converted, or crop the MR"
            if small
            else "check that both are of one patient and visit, and that the conversion kept origins and directions",
        )
    return share


def check_frame(channel: Volume, first: Volume, what: str) -> None:
    """Refuse a channel of a DICOM MR whose coordinates are not those of the first one. Both as stored."""
    if channel.frame_uid and first.frame_uid and channel.frame_uid != first.frame_uid:
        raise DataError(
            f"{what}: another frame of reference than that of the first channel",
            found=f"two FrameOfReferenceUIDs: of {channel.source} and of {first.source}",
            expected="channels of one session, in which a place has the same coordinates",
            hint="register it to the first one and give what comes out, or name the series of one session",
        )


def check_channel(channel: Volume, first: Volume, what: str) -> float:
    """The share of the first channel's field of view that another one of the same MR shows; less than half is an error.

    Both lie where their headers place them, each on its own grid. The same image given twice is an error too.
    """
    if np.array_equal(channel.array, first.array):
        raise DataError(
            f"{what}: it has the voxels of the first channel",
            found=f"{channel.source}, and {first.source}",
            expected="another image for each channel",
            hint="correct the files that the study names for the channels",
        )
    shown = resample_labels(channel.with_array(np.ones(channel.array.shape, np.uint8)), first.geometry).array > 0
    share = float(shown.mean())
    if share < LEAST_OF_A_CHANNEL:
        boxes = bounding_box_mm(first), bounding_box_mm(channel)
        raise DataError(
            f"{what}: it shows too little of what the first channel shows",
            found=f"{share:.0%}; the first from {_mm(boxes[0][0])} to {_mm(boxes[0][1])}, this one from "
            f"{_mm(boxes[1][0])} to {_mm(boxes[1][1])} (LPS x, y, z)",
            expected=f"at least {LEAST_OF_A_CHANNEL:.0%}: both of one patient and visit",
            hint="name the channel with the smallest field of view first, crop it, or leave the case out",
        )
    if share < 1:
        logger.warning("%s: it shows %.0f %% of what the first channel shows, and is dark beyond", what, 100 * share)
    return share


def bounding_box_mm(volume: Volume) -> np.ndarray:
    """The box along the patient axes that holds the whole volume: [[low x, y, z], [high x, y, z]], LPS mm."""
    geometry = volume.geometry
    size = np.array(geometry.shape[::-1], dtype=float)
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in size], indexing="ij")).reshape(3, -1)
    direction = np.array(geometry.direction).reshape(3, 3)
    points = direction @ (corners * np.array(geometry.spacing_mm[::-1])[:, None])
    points += np.array(geometry.origin_mm)[:, None]
    return np.stack([points.min(axis=1), points.max(axis=1)])


def _mm(values) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in values) + ") mm"


def check_inside(base: Path, path: Path, what: str) -> None:
    """Refuse a symbolic link that leads out of the cases' folder. what: for the message, with the case."""
    target = path.resolve()
    if path.exists() and not target.is_relative_to(base.resolve()):
        raise DataError(
            f"{what}: a link leads out of the folder of the data: {path}",
            found=f"it points to {target}",
            expected=f"a file below {base}",
            hint="copy the file there, or name it in a table (data.source: table), which may name any path",
        )
