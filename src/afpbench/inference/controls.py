"""Control rows: what no network made, scored like any variant.

`real_ct` must score perfectly; `mr_linear` is what a straight line from MR to HU gives; `mean_ct` is what the
average anatomy gives, with no look at the patient but for where the body lies.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..base.errors import DataError
from ..base.line_fit import LineFit
from ..base.log import progress
from ..volumes import io, normalization

AIR_HU = -1024.0


def open_control(name: str, train: dict[str, Path], statistics: dict) -> Callable[[str, Path, Path], dict]:
    """Return a function that writes the control image of one case: (case, prepared folder, output file) -> record.

    name: one of study.rows.CONTROLS. train: prepared folders of the training cases, which the line and the mean come
    from. statistics: normalization.json.
    """
    make = {"real_ct": _real_ct, "mr_linear": _mr_linear, "mean_ct": _mean_ct}[name](train, statistics["mr"])

    def write(case: str, prepared: Path, out: Path) -> dict:
        ct = io.read(prepared / "ct.nii.gz", f"case {case}: CT")
        io.write(ct.with_array(io.save_hu(make(prepared, ct))), out)
        return {"case": case, "status": "ok"}

    return write


def _real_ct(train: dict[str, Path], mr_stats: dict):
    return lambda folder, ct: ct.array


def _mr_linear(train: dict[str, Path], mr_stats: dict):
    """HU = slope * normalised MR + offset, least squares over the body voxels of all training cases."""
    slope, offset = _fit_line(train, mr_stats)

    def make(folder: Path, ct: io.Volume) -> np.ndarray:
        mr = normalization.normalize_mr(io.read(folder / "mr.nii.gz", "MR").array, mr_stats)
        return slope * mr + offset

    return make


def _fit_line(train: dict[str, Path], mr_stats: dict) -> tuple[float, float]:
    fit = LineFit()
    for case, folder in progress(train.items(), len(train), "line fit"):
        mask = io.read(folder / "mask.nii.gz", f"case {case}: mask").array > 0
        mr = normalization.normalize_mr(io.read(folder / "mr.nii.gz", f"case {case}: MR").array, mr_stats)
        fit.add(mr[mask], io.read(folder / "ct.nii.gz", f"case {case}: CT").array[mask])
    line = fit.line()
    if line is None:
        raise DataError("control mr_linear: the training MRs are constant inside the body", found=f"{fit.count} voxels")
    return line


def _mean_ct(train: dict[str, Path], mr_stats: dict):
    """The training CTs moved so that the centres of their bodies coincide, averaged voxel by voxel.

    The canvas holds the largest of them on each side of the centre; beyond it there is air.
    """
    centred = []
    for case, folder in progress(train.items(), len(train), "mean CT"):
        ct = io.read(folder / "ct.nii.gz", f"case {case}: CT").array.astype(np.float32)
        centred.append((ct, _body_centre(folder, case)))
    before = np.max([centre for _, centre in centred], axis=0)
    after = np.max([np.array(ct.shape) - centre for ct, centre in centred], axis=0)
    total, count = np.zeros(before + after, np.float64), np.zeros(before + after, np.int32)
    for ct, centre in centred:
        window = tuple(slice(b - c, b - c + s) for b, c, s in zip(before, centre, ct.shape, strict=True))
        total[window] += ct
        count[window] += 1
    mean = np.where(count > 0, total / np.maximum(count, 1), AIR_HU)

    def make(folder: Path, ct: io.Volume) -> np.ndarray:
        offset = before - _body_centre(folder, folder.parent.name)
        index = [np.arange(s) + o for s, o in zip(ct.array.shape, offset, strict=True)]
        inside = [(i >= 0) & (i < s) for i, s in zip(index, mean.shape, strict=True)]
        clipped = [np.clip(i, 0, s - 1) for i, s in zip(index, mean.shape, strict=True)]
        valid = inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None, :]
        return np.where(valid, mean[np.ix_(*clipped)], AIR_HU)

    return make


def _body_centre(folder: Path, case: str) -> np.ndarray:
    """Centre of mass of the body mask, in whole voxels."""
    mask = io.read(folder / "mask.nii.gz", f"case {case}: mask").array > 0
    if not mask.any():
        raise DataError(f"case {case}: empty body mask", hint="look at the case's images and its body mask")
    return np.rint(ndimage.center_of_mass(mask)).astype(int)
