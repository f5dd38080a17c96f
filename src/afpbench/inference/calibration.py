"""The HU calibration of a variant: the straight line from its synthetic HU to the real ones, on validation cases only.

A loss that cannot see a global scale and offset of HU leaves both to chance. The line that least squares puts through
(synthetic, real) of all voxels inside the body takes them out again, and changes no anatomy. Least squares minimise the
squared error, so that a noisy synthetic CT gets a slope below 1.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..base.atomic import write_json
from ..base.errors import DataError
from ..base.line_fit import LineFit
from ..base.log import logger, progress
from ..volumes import channels, io


def calibrate(name: str, generator: Callable[[np.ndarray], np.ndarray], prepared: dict[str, Path], out: Path) -> None:
    """Fit the line over the validation cases and write {"method", "slope", "offset_hu", "voxels", "cases"}.

    name: how messages call the variant. generator: MR array to HU array. prepared: case id -> prepared folder.
    Raises DataError for no case, and where the real HU do not rise with the synthetic ones.
    """
    fit = LineFit()
    for case, folder in progress(prepared.items(), len(prepared), f"{name}: calibration, case"):
        mask = io.read(folder / "mask.nii.gz", f"case {case}: mask").array > 0
        synthetic = generator(channels.stacked(channels.read(folder, case)))
        fit.add(synthetic[mask], io.read(folder / "ct.nii.gz", f"case {case}: CT").array[mask])
    slope, offset_hu = fit.line() or (float("nan"), float("nan"))
    if not slope > 0:
        raise DataError(
            f"{name}: no HU calibration: on the validation cases the real HU do not rise with the synthetic ones",
            found=f"slope {slope:.3g} over {fit.count} voxels of {len(prepared)} cases",
            expected="a positive slope",
            hint="train longer (see curves.csv), or set hu_calibration: none",
        )
    logger.info("%s: real HU = %.4f * synthetic HU %+.1f", name, slope, offset_hu)
    line = {"method": "affine", "slope": slope, "offset_hu": offset_hu}
    write_json(out, {**line, "voxels": fit.count, "cases": sorted(prepared)})
