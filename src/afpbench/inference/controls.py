"""Control rows: what no network made, scored like any variant.

`real_ct` must score perfectly; `mr_linear` is what a straight line from MR to HU gives; `mean_ct` is what the
average anatomy gives, with no look at the patient but for where the body lies.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..base.atomic import atomic_path
from ..base.errors import DataError
from ..base.line_fit import LineFit
from ..base.log import progress
from ..volumes import io, normalization

AIR_HU = -1024.0


def fit_control(name: str, train: Mapping[str, Path], statistics: dict, out: Path) -> None:
    """Write what a control takes from the training cases, an .npz file.

    name: one of study.rows.FITTED_CONTROLS. train: case id -> prepared folder. statistics: normalization.json.
    """
    fits: dict[str, Callable[..., dict]] = {"mr_linear": _fit_line, "mean_ct": _fit_mean}
    fitted = fits[name](train, statistics["mr"])
    with atomic_path(out) as temporary, open(temporary, "wb") as file:
        np.savez(file, **fitted)


def open_control(name: str, fitted: Path | None, statistics: dict) -> Callable[[str, Path, Path], dict]:
    """Return a function that writes the control image of one case: (case, prepared folder, output file) -> record.

    name: one of study.rows.CONTROLS. fitted: the file of `fit_control`, None for a control without. statistics:
    normalization.json.
    """
    values = dict(np.load(fitted)) if fitted is not None else {}
    make = {"real_ct": _real_ct, "mr_linear": _mr_linear, "mean_ct": _mean_ct}[name](values, statistics["mr"])

    def write(case: str, prepared: Path, out: Path) -> dict:
        ct = io.read(prepared / "ct.nii.gz", f"case {case}: CT")
        io.write(ct.with_array(io.save_hu(make(prepared, ct))), out)
        return {"case": case, "status": "ok"}

    return write


def _real_ct(fitted: dict, mr_stats: dict):
    return lambda folder, ct: ct.array


def _mr_linear(fitted: dict, mr_stats: dict):
    """HU = slope * normalised MR + offset."""
    slope, offset = float(fitted["slope"]), float(fitted["offset_hu"])

    def make(folder: Path, ct: io.Volume) -> np.ndarray:
        mr = normalization.normalize_mr(io.read(folder / "mr.nii.gz", "MR").array, mr_stats)
        return slope * mr + offset

    return make


def _fit_line(train: Mapping[str, Path], mr_stats: dict) -> dict[str, float]:
    """Least squares over the body voxels of all training cases: `slope` and `offset_hu`."""
    fit = LineFit()
    for case, folder in progress(train.items(), len(train), "line fit"):
        mask = io.read(folder / "mask.nii.gz", f"case {case}: mask").array > 0
        mr = normalization.normalize_mr(io.read(folder / "mr.nii.gz", f"case {case}: MR").array, mr_stats)
        fit.add(mr[mask], io.read(folder / "ct.nii.gz", f"case {case}: CT").array[mask])
    line = fit.line()
    if line is None:
        raise DataError("control mr_linear: the training MRs are constant inside the body", found=f"{fit.count} voxels")
    return {"slope": line[0], "offset_hu": line[1]}


def _mean_ct(fitted: dict, mr_stats: dict):
    """The mean with the centre of its body on that of the case's; air beyond it."""
    mean, centre = fitted["mean_hu"], fitted["centre"]

    def make(folder: Path, ct: io.Volume) -> np.ndarray:
        offset = centre - _body_centre(folder, folder.parent.name)
        index = [np.arange(s) + o for s, o in zip(ct.array.shape, offset, strict=True)]
        inside = [(i >= 0) & (i < s) for i, s in zip(index, mean.shape, strict=True)]
        clipped = [np.clip(i, 0, s - 1) for i, s in zip(index, mean.shape, strict=True)]
        valid = inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None, :]
        return np.where(valid, mean[np.ix_(*clipped)], AIR_HU)

    return make


def _fit_mean(train: Mapping[str, Path], mr_stats: dict) -> dict[str, np.ndarray]:
    """The training CTs moved so that the centres of their bodies coincide, averaged voxel by voxel.

    `mean_hu` (z, y, x; float64) holds the largest of them on each side of the `centre`. One CT is in memory at a time.
    """
    places = {}
    for case, folder in progress(train.items(), len(train), "mean CT, body"):
        mask = _body(folder, case)
        places[case] = _centre(mask), np.array(mask.shape)
    before = np.max([centre for centre, _ in places.values()], axis=0)
    after = np.max([shape - centre for centre, shape in places.values()], axis=0)
    total, count = np.zeros(before + after, np.float64), np.zeros(before + after, np.int32)
    for case, folder in progress(train.items(), len(train), "mean CT"):
        ct = io.read(folder / "ct.nii.gz", f"case {case}: CT").array.astype(np.float32)
        window = tuple(slice(b - c, b - c + s) for b, c, s in zip(before, places[case][0], ct.shape, strict=True))
        total[window] += ct
        count[window] += 1
    return {"mean_hu": np.where(count > 0, total / np.maximum(count, 1), AIR_HU), "centre": before}


def _body_centre(folder: Path, case: str) -> np.ndarray:
    """Centre of mass of a case's body, in whole voxels."""
    return _centre(_body(folder, case))


def _centre(mask: np.ndarray) -> np.ndarray:
    return np.rint(ndimage.center_of_mass(mask)).astype(int)


def _body(folder: Path, case: str) -> np.ndarray:
    """The body mask of a case, bool."""
    mask = io.read(folder / "mask.nii.gz", f"case {case}: mask").array > 0
    if not mask.any():
        raise DataError(f"case {case}: empty body mask", hint="look at the case's images and its body mask")
    return mask
