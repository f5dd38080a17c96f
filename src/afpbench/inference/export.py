"""A synthetic CT on the grid of its MR as that was stored: spacing, orientation, field of view."""

from pathlib import Path

from ..base.errors import DataError
from ..data.importing import read_files
from ..volumes import io
from ..volumes.io import Geometry, Volume
from ..volumes.preprocessing import resample


def export_case(synthetic: Path, data: dict, case: str, root: Path, out: Path) -> None:
    """Resample one synthetic CT onto the case's own MR and write it (int16, HU); the format follows `out`'s ending.

    synthetic: the workflow's file, on the case grid. data: the task's `data` section. root: where relative paths
    start. Cubic B-spline, anti-aliased where the MR is coarser; beyond the case grid's border (half a voxel at most)
    the nearest value. Raises DataError for files that cannot be read.
    """
    volume = io.read(synthetic, f"case {case}: synthetic CT")
    io.write(on_grid(volume, _stored_grid(data, case, root)), out)


def on_grid(volume: Volume, grid: Geometry) -> Volume:
    """A CT in HU on another grid, int16."""
    moved = resample(volume, grid)
    return moved.with_array(io.save_hu(moved.array))


def _stored_grid(data: dict, case: str, root: Path) -> Geometry:
    _, stored = read_files(data, case, root)
    if "mr" not in stored:
        raise DataError(
            f"case {case}: its MR has no file",
            found=f"data.source '{data['source']}'",
            expected="a source with files",
            hint="a phantom's own grid is that of cases/<case>/imported/mr.nii.gz",
        )
    return stored["mr"].geometry
