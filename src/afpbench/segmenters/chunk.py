"""Segment one case of a chunk: the real CT, or a synthetic one beside it."""

import shutil
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from ..base.errors import DataError, ModelError
from ..data.checks import check_inside, check_on_grid
from ..data.importing import canonical
from ..study.file_rows import FileRow, beside
from ..study.kinds.segmenter import Segment
from ..volumes import io
from ..volumes.io import Volume
from ..volumes.labels import as_bytes, read_labels


class Segmentation:
    """Call it with (case, prepared folder, output file).

    open_segmenter: loads the network; called once, when the first image needs it. synthetic: the folder of the
    synthetic CTs, or None for the real CT. real: the folder of the real CT's segmentations, taken over where the
    synthetic CT is the real one voxel by voxel. classes: class name -> its value in the label maps, which no other
    value may occur in; empty where the segmenter does not say. given: where the label maps lie, in place of a network.
    """

    def __init__(
        self,
        open_segmenter: Callable[[], Segment],
        synthetic: Path | None,
        real: Path | None,
        classes: Mapping[str, int] | None = None,
        given: FileRow | None = None,
    ):
        self.given = given
        self.open_segmenter = open_segmenter
        self.synthetic = synthetic
        self.real = real
        self.classes = classes or {}

    @cached_property
    def _segment(self) -> Segment:
        return self.open_segmenter()

    def __call__(self, case: str, prepared: Path, out: Path) -> dict:
        if self.given is not None:
            grid = io.read(prepared / "mask.nii.gz", f"case {case}: region of evaluation")
            return self._write(case, grid.with_array(_given_labels(self.given, case, grid)), out)
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
            if self.real is not None and np.array_equal(image.array, ct.array):
                out.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.real / f"{case}.nii.gz", out)
                return {"case": case, "status": "ok", "taken_over": True}
        return self._write(case, ct.with_array(self._segment(image)), out)

    def _write(self, case: str, labels: Volume, out: Path) -> dict:
        self._check_labels(case, labels.array)
        io.write(labels, out)
        return {"case": case, "status": "ok", "foreground_voxels": int((labels.array > 0).sum())}

    def _check_labels(self, case: str, labels: np.ndarray) -> None:
        """Refuse a label map with values that no class has: the structures would be made of something else."""
        values = np.flatnonzero(np.bincount(labels.ravel())).tolist()
        unknown = sorted(set(values) - {0, *self.classes.values()})
        if self.classes and unknown:
            raise ModelError(
                f"case {case}: the segmenter's label map has values that none of its classes has",
                found=", ".join(map(str, unknown)),
                expected=", ".join(f"{value} ({name})" for name, value in sorted(self.classes.items(), key=_second)),
                hint="the weights are those of another network than the study names: check `kind`, `task` and the path",
            )


def _given_labels(files: FileRow, case: str, grid: Volume) -> np.ndarray:
    """The label map (z, y, x) of a case from its file, which must lie on the case's grid."""
    what, path = f"case {case}: label map", files.file(case)
    if not path.exists():
        raise DataError(f"{what}: no such file", found=beside(path), expected=str(path), hint="put it there")
    check_inside(files.folder, path, what)
    labels = canonical(read_labels(path, what))
    check_on_grid(labels, grid, what)
    return as_bytes(labels, what).array


def _second(pair: tuple[str, int]) -> int:
    return pair[1]
