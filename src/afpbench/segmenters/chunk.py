"""Segment one case of a chunk: the real CT, or a synthetic one beside it."""

import shutil
from pathlib import Path

import numpy as np

from .. import io
from ..errors import DataError
from .prediction import Segment


class Segmentation:
    """Call it with (case, prepared folder, output file).

    synthetic: the folder of the synthetic CTs, or None for the real CT. real: the folder of the real CT's
    segmentations, taken over where the synthetic CT is the real one voxel by voxel.
    """

    def __init__(self, segment: Segment, synthetic: Path | None, real: Path | None):
        self.segment = segment
        self.synthetic = synthetic
        self.real = real

    def __call__(self, case: str, prepared: Path, out: Path) -> dict:
        ct = io.read(prepared / "ct.nii.gz", f"case {case}: CT")
        image = ct
        if self.synthetic is not None:
            image = io.read(self.synthetic / f"{case}.nii.gz", f"case {case}: synthetic CT")
            if not image.geometry.matches(ct.geometry):
                raise DataError(
                    f"case {case}: the synthetic CT lies on another grid than the case",
                    found=image.geometry,
                    expected=ct.geometry,
                    hint="delete the row's folder under synthetic/ and run again",
                )
            if np.array_equal(image.array, ct.array):
                out.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.real / f"{case}.nii.gz", out)
                return {"case": case, "status": "ok", "taken_over": True}
        labels = self.segment(image)
        io.write(ct.with_array(labels), out)
        return {"case": case, "status": "ok", "foreground_voxels": int((labels > 0).sum())}
