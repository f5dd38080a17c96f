"""Control rows: what no network made, scored like any variant.

`real_ct` must score perfectly; `real_ct_clipped` is what a perfect training would reach; `mr_linear` is what a straight
line from MR (of several channels the first) to HU gives; `mean_ct` is what the average anatomy gives, with no look at
the patient but for where the body lies in the MR.
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
from ..volumes.preprocessing import AIR_HU
from .body import air_beyond, mr_body, near_body


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
    normalization.json; `real_ct` does without. Outside the body in the MR all but `real_ct` are air, as synthetic CTs
    are.
    """
    if name == "real_ct":
        return _write_real_ct
    values = dict(np.load(fitted)) if fitted is not None else {}
    makers = {"real_ct_clipped": _real_ct_clipped, "mr_linear": _mr_linear, "mean_ct": _mean_ct}
    make = makers[name](values, statistics)

    def write(case: str, prepared: Path, out: Path) -> dict:
        mr = io.read(prepared / "mr.nii.gz", f"case {case}: MR")
        ct = io.read(prepared / "ct.nii.gz", f"case {case}: CT")
        hu = make(case, mr, ct)
        io.write(ct.with_array(io.save_hu(air_beyond(near_body(mr, case), hu))), out)
        return {"case": case, "status": "ok"}

    return write


def _write_real_ct(case: str, prepared: Path, out: Path) -> dict:
    """The real CT as it is: it needs no MR."""
    ct = io.read(prepared / "ct.nii.gz", f"case {case}: CT")
    io.write(ct.with_array(io.save_hu(ct.array)), out)
    return {"case": case, "status": "ok"}


def _real_ct_clipped(fitted: dict, statistics: dict):
    """The real CT as the training targets hold it: the most that a network can learn."""
    lower_hu, upper_hu = statistics["ct"]["lower_hu"], statistics["ct"]["upper_hu"]
    return lambda case, mr, ct: np.clip(ct.array, lower_hu, upper_hu)


def _mr_linear(fitted: dict, statistics: dict):
    """HU = slope * normalised MR + offset, of several channels the first."""
    slope, offset = float(fitted["slope"]), float(fitted["offset_hu"])
    first = normalization.channel_stats(statistics["mr"])[0]
    return lambda case, mr, ct: slope * normalization.normalize_mr(mr.array, first) + offset


def _fit_line(train: Mapping[str, Path], mr_stats: dict) -> dict[str, float]:
    """Least squares over the body voxels of all training cases: `slope` and `offset_hu`."""
    fit, first = LineFit(), normalization.channel_stats(mr_stats)[0]
    for case, folder in progress(train.items(), len(train), "line fit"):
        mask = io.read(folder / "mask.nii.gz", f"case {case}: mask").array > 0
        mr = normalization.normalize_mr(io.read(folder / "mr.nii.gz", f"case {case}: MR").array, first)
        fit.add(mr[mask], io.read(folder / "ct.nii.gz", f"case {case}: CT").array[mask])
    line = fit.line()
    if line is None:
        raise DataError("control mr_linear: the training MRs are constant inside the body", found=f"{fit.count} voxels")
    return {"slope": line[0], "offset_hu": line[1]}


def _mean_ct(fitted: dict, statistics: dict):
    """The mean with the centre of its body on that of the case's; air beyond it."""
    mean, mean_centre = fitted["mean_hu"], fitted["centre"]

    def make(case: str, mr: io.Volume, ct: io.Volume) -> np.ndarray:
        offset = mean_centre - _body_centre(mr, case)
        index = [np.arange(s) + o for s, o in zip(ct.array.shape, offset, strict=True)]
        inside = [(i >= 0) & (i < s) for i, s in zip(index, mean.shape, strict=True)]
        clipped = [np.clip(i, 0, s - 1) for i, s in zip(index, mean.shape, strict=True)]
        valid = inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None, :]
        return np.where(valid, mean[np.ix_(*clipped)], AIR_HU)

    return make


def _fit_mean(train: Mapping[str, Path], mr_stats: dict) -> dict[str, np.ndarray]:
    """The training CTs moved so that the centres of the MRs' bodies coincide, averaged voxel by voxel.

    `mean_hu` (z, y, x; float64) holds the largest of them on each side of the `centre`. Only voxels in the CT's field
    of view count; where none counts there is air. One CT is in memory at a time.
    """
    places = {}
    for case, folder in progress(train.items(), len(train), "mean CT, body"):
        mr = io.read(folder / "mr.nii.gz", f"case {case}: MR")
        places[case] = _body_centre(mr, case), np.array(mr.array.shape)
    before = np.max([centre for centre, _ in places.values()], axis=0)
    after = np.max([shape - centre for centre, shape in places.values()], axis=0)
    total, count = np.zeros(before + after, np.float64), np.zeros(before + after, np.int32)
    for case, folder in progress(train.items(), len(train), "mean CT"):
        ct = io.read(folder / "ct.nii.gz", f"case {case}: CT").array.astype(np.float32)
        seen = io.read(folder / "covered.nii.gz", f"case {case}: coverage").array > 0
        window = tuple(slice(b - c, b - c + s) for b, c, s in zip(before, places[case][0], ct.shape, strict=True))
        total[window] += np.where(seen, ct, 0)
        count[window] += seen
    return {"mean_hu": np.where(count > 0, total / np.maximum(count, 1), AIR_HU), "centre": before}


def _body_centre(mr: io.Volume, case: str) -> np.ndarray:
    """Centre of mass of the body in the MR, in whole voxels."""
    return np.rint(ndimage.center_of_mass(mr_body(mr, case))).astype(int)
