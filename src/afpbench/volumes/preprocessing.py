"""From imported to prepared: the MR on the task's spacing, body masks, and the folder that training reads.

Memory: volumes are float32 (masks uint8) and held one case at a time; the cubic B-spline resampler of ITK holds one
double per input voxel more, which is the peak: about 12 bytes per voxel of the MR and 12 per voxel of the new grid.
"""

from pathlib import Path

import numpy as np

from ..base.atomic import sha256_of, write_json
from ..base.errors import DataError
from ..base.log import logger
from ..study.channels import title
from ..study.records import read_record
from . import channels, io
from .bias_field import n4_corrected
from .io import Geometry, Volume
from .morphology import closed, dilated, filled_slices, large_components, opened

AIR_HU = -1024
BODY_HU = -300.0
BODY_OPENING_MM = 3.0
BODY_SMALLEST_SHARE = 0.05
MISSING_TISSUE_MM = 5.0
MR_MARGIN_MM = 3.0


def resample_case(
    imported: Path, out: Path, spacing_mm: tuple[float, float, float] | None, bias_correction: str = "none"
) -> None:
    """Write the MR, each of its channels (and its contour, where there is one) on the task's spacing into `out`.

    spacing_mm: z, y, x; None keeps the MR's. bias_correction: `none`, or `n4` before the MR is resampled. The grid
    keeps the MR's origin and direction and covers its field of view; of several channels the first one's, onto whose
    grid the others come from their own in one interpolation, dark where they have no data. Of a case without MR its
    CT's grid is taken so, or its label map's, and only that is written: grid.nii.gz, an empty image.
    """
    imported, out = Path(imported), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    mr = list(channels.files(imported))
    if not mr:
        name = "ct" if (imported / "ct.nii.gz").is_file() else "labels"
        geometry = io.read(imported / f"{name}.nii.gz", f"case {_case_of(imported)}: {name}").geometry
        grid = task_grid(geometry, spacing_mm or geometry.spacing_mm)
        io.write(Volume(np.zeros(grid.shape, np.uint8), grid), out / "grid.nii.gz")
        return
    volumes = {role: _read_channel(imported, role, bias_correction) for role in mr}
    grid = task_grid(volumes["mr"].geometry, spacing_mm or volumes["mr"].spacing_mm)
    for role, volume in volumes.items():
        moved = resample(volume, grid)
        io.write(moved if role == "mr" else _dark_beyond(volume, moved), out / f"{role}.nii.gz")
    contour = imported / "mr_contour.nii.gz"
    if contour.is_file():
        io.write(resample_labels(io.read(contour), grid), out / "mr_contour.nii.gz")


def _read_channel(imported: Path, role: str, bias_correction: str) -> Volume:
    what = f"case {_case_of(imported)}: {title(role)}"
    volume = io.read(imported / f"{role}.nii.gz", what)
    return n4_corrected(volume, body_mask_mr(volume), what) if bias_correction == "n4" else volume


def _dark_beyond(volume: Volume, moved: Volume) -> Volume:
    """A resampled channel with its darkest value where it has no data: more than a voxel beyond its field of view."""
    from scipy.ndimage import binary_dilation

    shown = resample_labels(volume.with_array(np.ones(volume.array.shape, np.uint8)), moved.geometry).array > 0
    near = binary_dilation(shown, np.ones((3, 3, 3), bool))
    return moved.with_array(np.where(near, moved.array, np.float32(volume.array.min())))


def task_grid(geometry: Geometry, spacing_mm: tuple[float, float, float]) -> Geometry:
    """The grid with another spacing (z, y, x) and the same first voxel centre and direction.

    Its size is the field of view over the spacing, rounded up; up to half a source voxel may lie beyond the field of
    view, where values are those of the nearest voxel.
    """
    spacing = tuple(float(value) for value in spacing_mm)
    extent = np.array(geometry.shape) * np.array(geometry.spacing_mm)
    shape = np.ceil(extent / np.array(spacing) - 1e-4).astype(int)
    return Geometry.of(np.maximum(shape, 1), spacing, geometry.origin_mm, geometry.direction)


def antialias(volume: Volume, spacing_mm: tuple[float, float, float]) -> Volume:
    """Smooth a volume (float32) before it is sampled at a coarser spacing (z, y, x); finer axes stay as they are.

    Gaussian with sigma = sqrt(coarse^2 - fine^2) / 2.355 in mm, which matches the full widths at half maximum of the
    two voxels' point spread functions (Cardoso et al. 2015, Scale Factor Point Spread Function Matching).
    """
    from scipy.ndimage import gaussian_filter

    fine, coarse = np.array(volume.spacing_mm), np.array(spacing_mm, dtype=float)
    sigma_mm = np.sqrt(np.clip(coarse**2 - fine**2, 0, None)) / 2.355
    sigma = np.where(coarse > 1.01 * fine, sigma_mm / fine, 0.0)
    array = volume.array.astype(np.float32)
    return volume.with_array(gaussian_filter(array, sigma, mode="nearest") if sigma.any() else array)


def resample(volume: Volume, grid: Geometry) -> Volume:
    """A scalar image on another grid: anti-aliased, cubic B-spline, held to the range of the source; float32.

    Beyond the outermost voxel centres the nearest voxel's value is taken.
    """
    import SimpleITK as sitk

    smooth = antialias(volume, grid.spacing_mm)
    image = io.to_sitk(smooth)
    cubic = min(volume.geometry.shape) >= 4
    result = _sitk_resample(image, grid, sitk.sitkBSpline3 if cubic else sitk.sitkLinear, extrapolate=True)
    array = np.clip(result, smooth.array.min(), smooth.array.max())
    return Volume(array.astype(np.float32), grid, volume.source)


def resample_labels(volume: Volume, grid: Geometry) -> Volume:
    """A label map or mask on another grid by nearest neighbour; 0 outside the source."""
    import SimpleITK as sitk

    return Volume(_sitk_resample(io.to_sitk(volume), grid, sitk.sitkNearestNeighbor), grid, volume.source)


def body_mask_ct(volume: Volume, threshold_hu: float = BODY_HU) -> np.ndarray:
    """The patient in a CT (HU), as a boolean array: everything inside the skin, lungs and bowel gas too.

    Voxels over the threshold; sheets thinner than 6 mm (table tops, cables) go by opening; components of less than
    5 % of the largest go (two legs or a hand stay); slices along z are filled.
    """
    return _solid(volume.array > threshold_hu, volume.spacing_mm)


def body_mask_mr(volume: Volume) -> np.ndarray:
    """The patient in an MR, as a boolean array, dark tissue inside it too.

    Voxels over the lower of two thresholds: the lower of the two that Otsu's method gives for three classes (air and
    cortex, muscle, fat), and 15 % of the 99th percentile, since an MR whose field of view lies inside the body has no
    air to find; then as for CT, with a closing of 6 mm that puts back what is dark at the rim.
    """
    values = volume.array.astype(np.float32)
    top = float(np.percentile(values, 99))
    threshold = min(_otsu_lower(np.clip(values, None, top)), 0.15 * top)
    return _solid(values > threshold, volume.spacing_mm, closing_mm=6.0)


def prepare_case(imported: Path, resampled: Path, registered: Path, out: Path) -> None:
    """Write what training and evaluation read into `out`: mr (and its other channels), ct, mask, covered, labels (where
    there are), case.json.

    The mask is the one that came with the case, where there is one, as far as the CT has data. Otherwise it is the
    region of evaluation: the body (found on the whole CT, warped by the registration) where the CT has data, without
    parts thicker than 10 mm that are tissue in the CT and empty in the MR (another limb that lay elsewhere, slices and
    corners that the MR did not record: no network can make them). Raises DataError if nothing is left. A case without
    MR has no mr.nii.gz, and nothing is taken from the body.
    """
    imported, resampled, registered, out = (Path(path) for path in (imported, resampled, registered, out))
    case = _case_of(imported)
    out.mkdir(parents=True, exist_ok=True)
    ct = io.read(registered / "ct.nii.gz", f"case {case}: CT")
    found = _read_mr(resampled, ct, registered, case)
    mr = found["mr"] if found else None
    covered = io.read(registered / "covered.nii.gz").array > 0
    hu = np.where(covered, ct.array, AIR_HU).astype(np.int16)
    given = imported / "mask.nii.gz"
    if given.is_file():
        body = (resample_labels(io.read(given), ct.geometry).array > 0) & covered
        dropped = np.zeros_like(body)
    else:
        body = _body(registered, ct.with_array(hu)) & covered
        missing = missing_tissue(mr, hu) if mr is not None else np.zeros_like(body)
        dropped = _with_rim(missing & body, body, ct.spacing_mm)
    mask = body & ~dropped
    _check_mask(case, mask, body, covered)
    for role, volume in found.items():
        io.write(volume.with_array(volume.array.astype(np.float32)), out / f"{role}.nii.gz")
    io.write(ct.with_array(hu), out / "ct.nii.gz")
    io.write(ct.with_array(mask.astype(np.uint8)), out / "mask.nii.gz")
    io.write(ct.with_array(covered.astype(np.uint8)), out / "covered.nii.gz")
    labels = registered / "labels.nii.gz"
    if labels.is_file():
        volume = io.read(labels)
        io.write(volume.with_array(_uint8(case, volume.array)), out / "labels.nii.gz")
    write_json(out / "case.json", _record(case, imported, ct.geometry, mask, body, dropped, covered))


def _read_mr(resampled: Path, ct: Volume, registered: Path, case: str) -> dict[str, Volume]:
    """The channels of the MR, on the registered CT's grid, without which it is a DataError; none of a case without."""
    found = channels.read(resampled, case) if channels.files(resampled) else {}
    if not found or ct.geometry.matches(found["mr"].geometry):
        return found
    mr = found["mr"]
    raise DataError(
        f"case {case}: the registered CT is not on the MR's grid",
        found=f"shape {ct.geometry.shape}, spacing {ct.spacing_mm} mm",
        expected=f"shape {mr.geometry.shape}, spacing {mr.spacing_mm} mm",
        hint=f"remove {registered} and run again",
    )


def missing_tissue(mr: Volume, hu: np.ndarray) -> np.ndarray:
    """Where a registered CT shows tissue (over -300 HU) and the MR shows nothing, in parts at least 10 mm thick and
    more than 3 mm from the MR's body. Lungs and gas are air in both, so they are never in it."""
    from scipy.ndimage import distance_transform_edt

    body = body_mask_mr(mr)
    if not body.any():
        return np.zeros(body.shape, bool)
    away = distance_transform_edt(~body, sampling=mr.spacing_mm) > MR_MARGIN_MM
    return opened(away & (hu > BODY_HU), mr.spacing_mm, MISSING_TISSUE_MM)


def _solid(mask: np.ndarray, spacing_mm, closing_mm: float = 0.0) -> np.ndarray:
    core = opened(mask, spacing_mm, BODY_OPENING_MM)
    core = large_components(core, share_of_largest=BODY_SMALLEST_SHARE)
    core = dilated(core, spacing_mm, BODY_OPENING_MM) & mask if core.any() else mask
    if closing_mm:
        core = closed(core, spacing_mm, closing_mm)
    return filled_slices(core)


def _otsu_lower(values: np.ndarray) -> float:
    from skimage.filters import threshold_multiotsu

    sample = values.ravel()[:: max(1, values.size // 500_000)]
    if len(np.unique(sample)) < 3:
        return float(sample.min())
    return float(threshold_multiotsu(sample, classes=3, nbins=128)[0])


def _with_rim(dropped: np.ndarray, body: np.ndarray, spacing_mm) -> np.ndarray:
    """What is dropped from a body, with the thin rim (under 6 mm) that stays beside it."""
    if not dropped.any():
        return dropped
    thin = body & ~dropped & ~opened(body & ~dropped, spacing_mm, MR_MARGIN_MM)
    return dropped | (thin & dilated(dropped, spacing_mm, 2 * MISSING_TISSUE_MM))


def _body(registered: Path, ct: Volume) -> np.ndarray:
    path = registered / "body.nii.gz"
    return io.read(path).array > 0 if path.is_file() else body_mask_ct(ct)


def _check_mask(case: str, mask: np.ndarray, body: np.ndarray, covered: np.ndarray) -> None:
    if mask.any():
        return
    raise DataError(
        f"case {case}: the mask of the region of evaluation is empty",
        found=f"{int(covered.sum())} voxels where the CT has data, {int(body.sum())} of them in the body, "
        "none that the MR shows as tissue",
        expected="a body in both the CT and the MR",
        hint="look at the registered CT over the MR; if they do not meet, set the task's `registration` to another "
        "method, or leave the case out with data.exclude",
    )


def _uint8(case: str, labels: np.ndarray) -> np.ndarray:
    if labels.min() < 0 or labels.max() > 255:
        raise DataError(f"case {case}: label out of range", found=int(labels.max()), expected="labels 0 to 255")
    return labels.astype(np.uint8)


def _record(case, imported, geometry, mask, body, dropped, covered) -> dict:
    dropped_share = float(dropped.sum() / max(1, body.sum()))
    if dropped_share > 0.1:
        logger.warning("case %s: %.0f %% of the CT's body is empty in the MR: left out", case, 100 * dropped_share)
    return {
        "case": case,
        "shape": list(geometry.shape),
        "spacing_mm": list(geometry.spacing_mm),
        "origin_mm": list(geometry.origin_mm),
        "direction": list(geometry.direction),
        **{
            f"{name}_sha256": sha256_of(imported / f"{name}.nii.gz")
            for name in (*channels.files(imported), "ct")
            if (imported / f"{name}.nii.gz").is_file()
        },
        **({"mr_channels": list(given)} if (given := channels.names(imported)) else {}),
        "covered_share": float(covered.mean()),
        "mask_share": float(mask.mean()),
        "dropped_share_of_body": dropped_share,
    }


def _case_of(imported: Path) -> str:
    record = imported / "case.json"
    return read_record(record)["case"] if record.is_file() else imported.parent.name


def _sitk_resample(image, grid: Geometry, interpolator, extrapolate: bool = False) -> np.ndarray:
    import SimpleITK as sitk

    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n) for n in reversed(grid.shape)])
    resampler.SetOutputSpacing([float(s) for s in reversed(grid.spacing_mm)])
    resampler.SetOutputOrigin([float(o) for o in grid.origin_mm])
    resampler.SetOutputDirection([float(d) for d in grid.direction])
    resampler.SetInterpolator(interpolator)
    resampler.SetUseNearestNeighborExtrapolator(extrapolate)
    return sitk.GetArrayFromImage(resampler.Execute(image))
