"""What an MR, a CT, and a pair of them must be before anything is made of them. Each failure is a DataError."""

from pathlib import Path

import numpy as np

from ..base.errors import DataError
from ..volumes.io import Volume

AIR_FOUND_HU = -500.0
PADDING_HU = -1100.0  # below: not air, but what a scanner or a tool writes outside the field of view
BODY_MEDIAN_HU = (-300.0, 500.0)
SMALLEST_OVERLAP = 0.1


def check_values(volume: Volume, what: str) -> None:
    """Finite values, more than one of them. what: for the message, with the case ("case p01: MR")."""
    array = volume.array
    if np.issubdtype(array.dtype, np.complexfloating) or array.ndim != 3:
        raise DataError(
            f"{what}: not one real value per voxel: {volume.source}",
            found=f"{array.dtype}, shape {array.shape}",
            expected="a scalar 3D volume",
            hint="split a colour, vector or complex image into scalar volumes first",
        )
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        where = tuple(int(index) for index in np.argwhere(~np.isfinite(array))[0])
        raise DataError(
            f"{what}: NaN or infinite voxels: {volume.source}",
            found=f"{bad} of {array.size} voxels, the first at (z, y, x) = {where}",
            expected="finite numbers only",
            hint="replace them in the source (air is -1024 HU in a CT, 0 in an MR), or leave the case out",
        )
    if array.min() == array.max():
        raise DataError(
            f"{what}: the image is constant: {volume.source}",
            found=f"every voxel is {array.flat[0]}",
            expected="an image with contrast",
            hint="the export or the conversion lost the content: convert it again, or leave the case out",
        )


def check_hu(ct: Volume, what: str) -> None:
    """Values that can be Hounsfield units: air is there, and soft tissue lies near 0."""
    array = ct.array
    array = array[array > PADDING_HU] if (array > PADDING_HU).any() else array
    low, high = float(array.min()), float(array.max())
    if low <= AIR_FOUND_HU and high > 0:
        body = array[array > AIR_FOUND_HU]
        median = float(np.median(body)) if body.size else low
        if BODY_MEDIAN_HU[0] <= median <= BODY_MEDIAN_HU[1]:
            return
    else:
        median = float(np.median(array))
    hint = "convert to HU with the DICOM rescale slope and intercept"
    if low >= -50 and high > 900:
        hint = (
            "this looks like HU + 1024 stored without sign (subtract 1024, or apply the DICOM rescale intercept), "
            "or like an MR given as the CT"
        )
    elif median > BODY_MEDIAN_HU[1]:
        hint = "soft tissue is about 1024 too high: the rescale intercept was not applied outside the padding"
    raise DataError(
        f"{what}: the values are not plausible as HU: {ct.source}",
        found=f"minimum {low:.0f}, maximum {high:.0f}, median {median:.0f} (padding below {PADDING_HU:.0f} left out)",
        expected=f"air below {AIR_FOUND_HU:.0f} HU, and the median of the rest between "
        f"{BODY_MEDIAN_HU[0]:.0f} and {BODY_MEDIAN_HU[1]:.0f} HU",
        hint=hint,
    )


def is_hu(volume: Volume) -> bool:
    """Whether an image has what a CT has: air far below 0, and most of the rest near 0."""
    try:
        check_hu(volume, "")
    except DataError:
        return False
    return True


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


def check_mask(mask: Volume, image: Volume, what: str) -> None:
    """A mask on its image's grid, with something in it."""
    if not mask.geometry.matches(image.geometry, tolerance_mm=1e-2):
        raise DataError(
            f"{what}: not on the grid of its image: {mask.source}",
            found=f"shape {mask.geometry.shape}, spacing {_mm(mask.spacing_mm)}, origin {_mm(mask.geometry.origin_mm)}",
            expected=f"shape {image.geometry.shape}, spacing {_mm(image.spacing_mm)}, "
            f"origin {_mm(image.geometry.origin_mm)}",
            hint="resample it onto the image by nearest neighbour, or give the one that belongs to it",
        )
    if not np.any(mask.array > 0):
        raise DataError(
            f"{what}: it is empty: {mask.source}",
            found="no voxel over 0",
            expected="at least one voxel over 0",
            hint="export the contour again, or leave the case out",
        )


def check_labels(labels: Volume, classes: dict[str, int], what: str) -> np.ndarray:
    """A label map as uint8: whole numbers, each of them 0 or the value of a class (class name -> value)."""
    values = np.unique(labels.array)
    foreign = [value for value in values.tolist() if value not in {0, *classes.values()}]
    if foreign:
        raise DataError(
            f"{what}: values that belong to no class: {labels.source}",
            found=", ".join(f"{value:g}" for value in foreign[:8]) + (", ..." if len(foreign) > 8 else ""),
            expected="0 and " + ", ".join(f"{value} ({name})" for name, value in classes.items()),
            hint="name the values under data.labels.classes, or set them to 0 in the file",
        )
    return labels.array.astype(np.uint8)


def check_overlap(mr: Volume, ct: Volume, what: str) -> float:
    """The share of the MR's bounding box (along the patient axes) that the CT's box covers; too little is an error."""
    mr_box, ct_box = bounding_box_mm(mr), bounding_box_mm(ct)
    common = np.minimum(mr_box[1], ct_box[1]) - np.maximum(mr_box[0], ct_box[0])
    share = float(np.prod(np.clip(common, 0, None)) / np.prod(mr_box[1] - mr_box[0]))
    if share < SMALLEST_OVERLAP:
        raise DataError(
            f"{what}: MR and CT do not overlap in space",
            found=f"MR from {_mm(mr_box[0])} to {_mm(mr_box[1])}, CT from {_mm(ct_box[0])} to {_mm(ct_box[1])} "
            f"(LPS x, y, z): {share:.0%} of the MR",
            expected=f"at least {SMALLEST_OVERLAP:.0%} of the MR's box inside the CT's",
            hint="check that both are of one patient and visit, and that the conversion kept origins and directions",
        )
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
