"""Cases that are label maps alone: there is no image to register, and no body to be found in one."""

from pathlib import Path

import numpy as np

from ..base.atomic import sha256_of, write_json
from ..study.records import read_record
from . import io
from .preprocessing import resample_labels


def prepare_label_map(imported: Path, resampled: Path, out: Path) -> None:
    """Write the case's grid with its region of evaluation into `out`: mask.nii.gz, and case.json.

    The mask is the one that came with the case, or the whole volume. The label map itself stays in `imported`: rows are
    compared with what a segmenter of kind `files` names.
    """
    imported, resampled, out = (Path(path) for path in (imported, resampled, out))
    case = read_record(imported / "case.json")["case"]
    grid, given = io.read(resampled / "grid.nii.gz", f"case {case}: grid"), imported / "mask.nii.gz"
    mask = np.ones(grid.array.shape, np.uint8)
    if given.is_file():
        mask = resample_labels(io.read(given, f"case {case}: mask"), grid.geometry).array
    out.mkdir(parents=True, exist_ok=True)
    io.write(grid.with_array(mask), out / "mask.nii.gz")
    record = {
        "case": case,
        "shape": list(grid.geometry.shape),
        "spacing_mm": list(grid.spacing_mm),
        "origin_mm": list(grid.geometry.origin_mm),
        "direction": list(grid.geometry.direction),
        "labels_sha256": sha256_of(imported / "labels.nii.gz"),
        "mask_share": float(mask.mean()),
    }
    write_json(out / "case.json", record)
