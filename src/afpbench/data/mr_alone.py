"""An MR that has no CT: read, checked and turned as the MR of a pair is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..base.errors import DataError
from ..base.formats import is_nifti
from ..base.log import logger
from ..study import channels
from ..volumes import io
from ..volumes.images import check_values, is_hu
from ..volumes.io import Volume
from ..volumes.nifti import says_place
from .checks import check_channel, check_frame
from .importing import canonical, read_modality


def import_mr(
    paths: Sequence[Path], case: str, out: Path, names: Sequence[str] = ()
) -> tuple[list[Volume], list[Volume]]:
    """Write `mr.nii.gz` and further channels as an import does; return them as stored and on canonical axes.

    paths: an image file, or the folder of a DICOM series, for each channel. names: of the channels.
    Raises DataError for what cannot be read, for a header that says nothing of the patient's axes, for a CT, and for a
    channel that shows little of what the first shows, or the same.
    """
    both = [
        _import_channel(path, f"case {case}: {channels.title(role, names)}", out / f"{role}.nii.gz")
        for role, path in zip(channels.roles(paths), paths, strict=True)
    ]
    stored, found = [volume for volume, _ in both], [volume for _, volume in both]
    for role, first, second in zip(channels.roles(paths)[1:], stored[1:], found[1:], strict=True):
        what = f"case {case}: {channels.title(role, names)}"
        check_frame(first, stored[0], what)
        check_channel(second, found[0], what)
    return stored, found


def _import_channel(path: Path, what: str, out: Path) -> tuple[Volume, Volume]:
    stored = read_modality("mr", path, what)
    _check_place(path, what)
    mr = canonical(stored)
    mr = mr.with_array(mr.array.astype(np.float32))
    check_values(mr, what)
    if is_hu(mr):
        raise DataError(
            f"{what}: its values are those of a CT: {path}",
            found=f"{mr.array.min():.0f} to {mr.array.max():.0f}, with air and soft tissue where HU have them",
            expected="an MR",
            hint="give the MR of the patient",
        )
    for finding in stored.findings:
        logger.warning("%s: %s", what, finding)
    out.parent.mkdir(parents=True, exist_ok=True)
    io.write(mr, out)
    return stored, mr


def _check_place(path: Path, what: str) -> None:
    """A network knows left from right: of a file without axes nobody does."""
    if path.is_file() and is_nifti(path) and not says_place(path):
        raise DataError(
            f"{what}: its header says nothing of the patient's axes: {path}",
            found="neither qform nor sform",
            expected="an image that knows left from right, front from back and head from foot",
            hint="convert it again from its source (DICOM), or set the sform where you know the axes",
        )
