"""Error maps: synthetic minus real CT inside the region of evaluation, made when the page asks for them."""

import tempfile
from pathlib import Path

import numpy as np

from ..base.errors import DataError
from ..volumes import io
from ..volumes.io import Volume


def error_map(synthetic: Volume, real: Volume, mask: Volume, what: str) -> Volume:
    """Synthetic minus real, in HU, int16 z, y, x; 0 outside the mask. what: the images, for messages.

    Raises DataError where the three are not on one grid.
    """
    for other, name in ((synthetic, "synthetic CT"), (mask, "mask")):
        if not other.geometry.matches(real.geometry):
            raise DataError(
                f"{what}: {name} and real CT are not on one grid",
                found=f"{other.geometry.shape} and {real.geometry.shape} voxels",
                expected="the same shape, spacing, origin and directions",
                hint="run the study again: `afpbench status` says what is stale",
            )
    difference = synthetic.array.astype(np.float32) - real.array
    return real.with_array(np.where(mask.array != 0, np.rint(difference), 0).astype(np.int16))


def error_file(synthetic: Path, real: Path, mask: Path, what: str) -> bytes:
    """The error map as a compressed NIfTI file on the real CT's grid. Raises DataError."""
    images = (io.read(synthetic, f"{what}: synthetic CT"), io.read(real, f"{what}: CT"), io.read(mask, f"{what}: mask"))
    error = error_map(*images, what)
    with tempfile.TemporaryDirectory(prefix="afpbench-view-") as folder:
        path = Path(folder) / "error.nii.gz"
        io.write(error, path, like=real)
        return path.read_bytes()
