"""The values of one DICOM slice: stored value x slope + intercept, padding taken out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import DataError
from .dicom_files import BrokenError, integer, numbers, opened, quiet, text

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

AIR_HU, LOW_HU, HIGH_HU = -1024.0, -900.0, 3071.0  # padding between the last two could be taken for tissue
LONGEST_RUN = 64  # a run of 128 equal bytes takes two (DICOM PS3.5, annex G)
BACKGROUND = {"CT": AIR_HU}  # of other modalities 0


@dataclass(frozen=True)
class Plane:
    """What was found in a slice. rescaled: it has a slope and an intercept; padded: voxels of padding that have got
    another value, stored as `padding`; lossy: it was compressed with loss once."""

    rescaled: bool
    lossy: bool
    padded: int = 0
    padding: int = 0


def read_plane(path: Path, size: tuple[int, int], modality: str, what: str) -> tuple[np.ndarray, Plane]:
    """The voxels of one file (rows x columns, float32) and what was found in them.

    size: rows, columns, as the header has them; what: for messages, with the case. Padding (PixelPaddingValue) is set
    to -1024 HU in a CT and to 0 elsewhere, unless it is air or less already. Raises DataError for what cannot be
    decoded or rescaled, and for padding in a CT that could be tissue.
    """
    import pydicom

    quiet()
    try:
        with opened(path) as file:
            image = pydicom.dcmread(file)
        _check_runs(image)
        stored = image.pixel_array
    except BrokenError as error:
        raise _unreadable(path, str(error), what) from None
    except Exception as error:  # pydicom and its decoders raise many kinds, whose text may quote the header
        raise _unreadable(path, type(error).__name__, what) from None
    try:
        rescale = _rescale(image)
        if stored.shape != size:
            raise BrokenError(f"voxels of shape {stored.shape}")
        padding = _padding(image, stored)
    except BrokenError as error:
        raise _unreadable(path, str(error), what) from None
    slope, intercept = rescale or (1.0, 0.0)
    values = (stored * slope + intercept).astype(np.float32)
    found = Plane(rescale is not None, text(image, "LossyImageCompression") == "01")
    if padding is None:
        return values, found
    value, where = padding
    where &= values > LOW_HU if modality == "CT" else values != 0
    _check_padding(values[where], value, modality, path, what)
    values[where] = BACKGROUND.get(modality, 0.0)
    return values, replace(found, padded=int(where.sum()), padding=value)


def _check_runs(image: "Dataset") -> None:
    """Refuse run lengths (RLE) that cannot hold the size that the header says: the decoder makes room for it first."""
    from pydicom.uid import RLELossless

    if image.file_meta.TransferSyntaxUID != RLELossless:
        return
    rows, columns, bits = (integer(image, name, 0) for name in ("Rows", "Columns", "BitsAllocated"))
    if rows * columns * bits // 8 > LONGEST_RUN * len(image.PixelData):
        raise BrokenError(f"{rows} x {columns} voxels in {len(image.PixelData)} bytes of run lengths")


def _rescale(image: "Dataset") -> tuple[float, float] | None:
    """Slope and intercept of a slice, None where it has neither."""
    if "ModalityLUTSequence" in image:
        raise BrokenError("values by a table (ModalityLUTSequence), not by slope and intercept")
    slope, intercept = numbers(image, "RescaleSlope", 1), numbers(image, "RescaleIntercept", 1)
    if slope is None and intercept is None:
        return None
    if slope is None or intercept is None:
        raise BrokenError("one of RescaleSlope and RescaleIntercept, not both")
    if slope[0] == 0:
        raise BrokenError("a RescaleSlope of 0")
    return slope[0], intercept[0]


def _padding(image: "Dataset", stored: np.ndarray) -> tuple[int, np.ndarray] | None:
    """The padding value as stored, and the voxels that have it (or lie in its range); None where there is none."""
    if numbers(image, "PixelPaddingValue", 1) is None:
        return None
    value = integer(image, "PixelPaddingValue", 0)
    limit = integer(image, "PixelPaddingRangeLimit", value)
    low, high = sorted(int(np.array(number).astype(stored.dtype)) for number in (value, limit))
    return value, (stored >= low) & (stored <= high)


def _check_padding(values: np.ndarray, stored: int, modality: str, path: Path, what: str) -> None:
    tissue = values[values <= HIGH_HU]
    if modality == "CT" and tissue.size:
        raise DataError(
            f"{what}: padding that looks like tissue: {path}",
            found=f"{tissue.size} voxels of PixelPaddingValue {stored}, which is {tissue[0]:.0f} HU",
            expected=f"padding below {LOW_HU:.0f} or above {HIGH_HU:.0f} HU",
            hint="the header is wrong (remove its PixelPaddingValue), or set the padding to air in the source",
        )


def _unreadable(path: Path, found: str, what: str) -> DataError:
    return DataError(
        f"{what}: cannot read the pixels of {path}",
        found=found,
        expected="a whole DICOM image of one value per voxel, with both of slope and intercept or neither",
        hint="the file may be truncated, or of a rare kind: export it again, or convert the series with dcm2niix",
    )
