"""The MR of a case on disk, one file for each of its channels (study.channels), and in memory."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..base.errors import DataError
from ..study import channels
from ..study.records import read_record
from . import io
from .io import Volume

ENDING = ".nii.gz"


def files(folder: Path) -> dict[str, Path]:
    """Role -> file of the channels of the MR in a case's folder, the first first; none of a case without MR."""
    first = folder / f"{channels.FIRST}{ENDING}"
    if not first.is_file():
        return {}
    others = sorted(folder.glob(f"{channels.FIRST}_[0-9][0-9][0-9][0-9]{ENDING}"))
    return {path.name.removesuffix(ENDING): path for path in (first, *others)}


def names(folder: Path) -> tuple[str, ...]:
    """The names of the channels, as the case's record has them; none of an MR of one image."""
    if len(files(folder)) < 2:
        return ()
    return tuple(read_record(folder / "case.json").get("mr_channels", ()))


def read(folder: Path, case: str) -> dict[str, Volume]:
    """Role -> channel of a prepared or resampled MR, the first first, all on one grid.

    Raises DataError for a file that cannot be read, and for channels on different grids.
    """
    paths = files(folder) or {channels.FIRST: folder / f"{channels.FIRST}{ENDING}"}  # io.read says that it is not there
    found = {role: io.read(path, f"case {case}: {channels.title(role)}") for role, path in paths.items()}
    first = found[channels.FIRST]
    for role, volume in found.items():
        if not volume.geometry.matches(first.geometry):
            raise DataError(
                f"case {case}: {channels.title(role)} is not on the grid of the first",
                found=f"shape {volume.geometry.shape}, spacing {volume.spacing_mm} mm",
                expected=f"shape {first.geometry.shape}, spacing {first.spacing_mm} mm",
                hint=f"remove {folder} and run again",
            )
    return found


def stacked(found: Mapping[str, Volume]) -> np.ndarray:
    """What a network's input is made of: z, y, x of one image, and channels, z, y, x of several."""
    arrays = [volume.array for volume in found.values()]
    return arrays[0] if len(arrays) == 1 else np.stack(arrays)
