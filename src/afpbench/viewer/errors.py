"""Error maps: synthetic minus real CT inside the region of evaluation, made when the page asks for them."""

import tempfile
from pathlib import Path

import numpy as np

from ..metrics.pair import Pair, check_grids
from ..volumes import io
from ..volumes.io import Volume

RUN_AGAIN = "run the study again: `afpbench status` says what is stale"


def error_map(synthetic: Volume, real: Volume, mask: Volume, case: str) -> Volume:
    """Synthetic minus real, in HU, int16 z, y, x; 0 outside the mask. case: for messages.

    Raises DataError where the three are not on one grid.
    """
    check_grids(Pair(case, real, synthetic, mask, segmentations={}), hint=RUN_AGAIN)
    difference = synthetic.array.astype(np.float32) - real.array
    return real.with_array(np.where(mask.array != 0, np.rint(difference), 0).astype(np.int16))


def error_file(synthetic: Path, real: Path, mask: Path, case: str) -> bytes:
    """The error map as a compressed NIfTI file on the real CT's grid. Raises DataError."""
    images = (io.read(synthetic, f"case {case}: synthetic CT"), io.read(real, f"case {case}: CT"))
    error = error_map(*images, io.read(mask, f"case {case}: mask"), case)
    with tempfile.TemporaryDirectory(prefix="afpbench-view-") as folder:
        path = Path(folder) / "error.nii.gz"
        io.write(error, path, like=real)
        return path.read_bytes()
