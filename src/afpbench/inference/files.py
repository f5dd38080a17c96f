"""Rows of synthetic CTs that lie in files, whoever made them: read and checked as a CT is, on each case's grid."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..base.atomic import sha256_of
from ..base.errors import DataError
from ..base.log import logger
from ..data import dicom
from ..data.checks import check_inside
from ..data.importing import canonical
from ..study.file_rows import FileRow, beside
from ..volumes import io
from ..volumes.images import check_hu, check_values, read_image
from ..volumes.io import Geometry, Volume
from ..volumes.preprocessing import AIR_HU, resample, resample_labels


def open_files(options: Mapping[str, Any], root: Path) -> Callable[[str, Path, Path], dict]:
    """Return a function that writes the synthetic CT of one case: (case, prepared folder, output file) -> record.

    options: {"synthetic", "resample"}, of the row. root: the folder that relative paths start from. The voxels are
    those of the file, outside the body too. The function raises DataError for a case without a file, a file that cannot
    be read or holds no HU, and one on another grid than the case's where it is not to be resampled.
    """
    row = FileRow(options, root)

    def write(case: str, prepared: Path, out: Path) -> dict:
        what, grid = f"case {case}: synthetic CT", io.read(prepared / "ct.nii.gz", f"case {case}: CT").geometry
        path = row.file(case)
        stored = _read(path, row, what)
        check_values(stored, what)
        check_hu(stored, what)
        shown, record = _on_grid(canonical(stored), grid, row.resample, what)
        io.write(Volume(io.save_hu(shown.array), grid, stored.source), out)
        for finding in stored.findings:
            logger.warning("%s: %s", what, finding)
        source = {"file": str(path), "sha256": dicom.digest(path) if path.is_dir() else sha256_of(path)}
        return {"case": case, "status": "ok", **source, **record}

    return write


def _read(path: Path, row: FileRow, what: str) -> Volume:
    if not path.exists():
        raise DataError(
            f"{what}: no such file",
            found=beside(path),
            expected=str(path),
            hint="put it there, correct the row's `synthetic`, or leave the case out of splits.test",
        )
    check_inside(row.folder, path, what)
    return dicom.read_series(path, what, "CT", None) if dicom.is_series(path) else read_image(path, what)


def _on_grid(stored: Volume, grid: Geometry, allowed: bool, what: str) -> tuple[Volume, dict]:
    """The image on the case's grid, and what its record says of the way there."""
    if stored.geometry.matches(grid, tolerance_mm=1e-2):
        return stored, {}
    if not allowed:
        raise DataError(
            f"{what}: not on the grid of its case: {stored.source}",
            found=_words(stored.geometry),
            expected=_words(grid),
            hint="set `resample: true` in the row to have it resampled, or give it on the case's grid, that of its "
            "prepared ct.nii.gz in the results",
        )
    inside = resample_labels(stored.with_array(np.ones(stored.array.shape, np.uint8)), grid).array > 0
    if not inside.any():
        raise DataError(
            f"{what}: it shows nothing of its case: {stored.source}",
            found=_words(stored.geometry),
            expected=f"something of {_words(grid)}",
            hint="check that both are of one patient, and that the conversion kept origin and direction",
        )
    share = float(inside.mean())
    if share < 1:
        logger.warning("%s: it shows %.0f %% of the case's grid; the rest is air", what, 100 * share)
    moved = resample(stored, grid)
    return moved.with_array(np.where(inside, moved.array, AIR_HU)), {"resampled": True, "shown_share": share}


def _words(grid: Geometry) -> str:
    numbers = {"spacing": grid.spacing_mm, "origin": grid.origin_mm}
    listed = (f"{name} ({', '.join(f'{value:.4g}' for value in values)}) mm" for name, values in numbers.items())
    return f"shape {grid.shape}, {', '.join(listed)}"
