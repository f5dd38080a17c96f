"""The CT onto the MR: find a transform, resample the CT once, and record how good it is. (`registration_elastix`
calls elastix, `registration_quality` measures.)"""

import csv
import io as text_io
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from . import io, registration_elastix
from . import registration_quality as quality
from .atomic import read_json, write_json, write_text
from .errors import ConfigError, DataError
from .io import Geometry, Volume
from .log import logger
from .preprocessing import AIR_HU, BODY_HU, antialias, body_mask_ct, body_mask_mr, dilated
from .registration_warp import warp

DEFAULTS = {
    "method": "elastix",
    "stages": ["translation", "bspline"],
    "resolutions": 3,
    "iterations": 60,
    "samples": 3000,
    "bspline_spacing_mm": 45.0,
    "bending_energy_weight": 1000.0,
    "seed": registration_elastix.SEED,
    "threads": 1,
}
METHODS = ("elastix", "none")
STIFFER = {"bspline_spacing_mm": 1.5, "bending_energy_weight": 10.0}  # factors
SAMPLING_MARGIN_MM = 10.0
# HU -> gray for the metric: most of the histogram's bins go to soft tissue, air and lung stay apart, bone is held.
GRAY_CURVE = ((-1024, -300, 200, 1500), (0.0, 0.25, 0.75, 1.0))


def register_case(
    imported: Path, resampled: Path, out: Path, options: dict | None = None, body_threshold_hu: float = BODY_HU
) -> None:
    """Bring the CT of one case onto the grid of its resampled MR.

    options: of DEFAULTS, what differs. body_threshold_hu: for the CT's body mask.
    Writes into `out`: ct.nii.gz (int16 HU, resampled once from the imported CT by cubic B-spline, -1024 outside),
    covered.nii.gz (where the CT has data), body.nii.gz (the whole CT's body mask, warped), labels.nii.gz and
    ct_contour.nii.gz (warped by linear vote) where the case has them, TransformParameters.N.txt (elastix) and
    registration.json. Where the transform folds, a stiffer one is tried once; both are recorded, and the one with the
    smaller share of folded voxels is used.
    Raises ConfigError for an unknown option, DataError when elastix fails or nothing of the CT arrives.
    """
    imported, resampled, out = Path(imported), Path(resampled), Path(out)
    options = checked_options(options or {})
    out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    case = read_json(imported / "case.json")["case"]
    mr = replace(io.read(resampled / "mr.nii.gz", f"case {case}: resampled MR"), source=f"case {case}")
    ct = io.read(imported / "ct.nii.gz", f"case {case}: CT")
    mr_body = body_mask_mr(mr)
    field, attempts = _find(mr, mr_body, ct, options, out)
    warped = _warp(case, imported, ct, mr, field, out, body_threshold_hu)
    record = {"case": case, "method": options["method"], "seconds": 0.0, "options": options, "attempts": attempts}
    record |= quality.assess(mr, warped, field, _truth(imported, mr.geometry))
    record |= quality.body_overlap(mr_body, warped, mr.spacing_mm)
    record |= quality.contour_overlap(imported, resampled, out)
    record |= quality.contour_soft(resampled, warped)
    record["seconds"] = round(time.monotonic() - begin, 2)
    write_json(out / "registration.json", record)
    logger.info("case %s: %s", case, quality.in_words(record))


def checked_options(options: dict) -> dict:
    """The options with defaults; a ConfigError names what is unknown or impossible."""
    unknown = sorted(set(options) - set(DEFAULTS))
    if unknown:
        raise ConfigError(
            "registration: unknown option", found=", ".join(unknown), expected=", ".join(DEFAULTS), hint="correct it"
        )
    full = {**DEFAULTS, **options}
    if full["method"] not in METHODS:
        raise ConfigError("registration.method", found=full["method"], expected=" or ".join(METHODS))
    wrong = [stage for stage in full["stages"] if stage not in registration_elastix.STAGES]
    if wrong or not full["stages"]:
        raise ConfigError(
            "registration.stages",
            found=full["stages"],
            expected="a list of " + ", ".join(registration_elastix.STAGES),
            hint="correct the stages, or set registration.method to 'none'",
        )
    for name in ("resolutions", "iterations", "samples", "bspline_spacing_mm", "threads"):
        if not full[name] > 0:
            raise ConfigError(f"registration.{name}", found=full[name], expected="a number over 0")
    return full


def gray(hu: np.ndarray) -> np.ndarray:
    """HU as the metric sees it: a rising curve to 0..1 that gives half of the histogram to -300..200 HU."""
    return np.interp(hu, *GRAY_CURVE).astype(np.float32)


def summarize(records: list[Path], target: Path) -> None:
    """Write registration.csv: one row per case, from the cases' registration.json (of a failed case: failed.json).

    An empty cell is what a case does not have (no contour, no known deformation).
    """
    rows = [quality.summary_row(read_json(path)) for path in records]
    buffer = text_io.StringIO()
    writer = csv.DictWriter(buffer, quality.COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["case"]))
    write_text(target, buffer.getvalue())


def _find(mr: Volume, mr_body: np.ndarray, ct: Volume, options: dict, out: Path) -> tuple[np.ndarray, list[dict]]:
    """The displacement field on the MR's grid, and what was tried."""
    if options["method"] == "none":
        return np.zeros((*mr.geometry.shape, 3), np.float32), []
    fixed = mr.with_array(np.clip(mr.array, *np.percentile(mr.array, (0, 99.5))).astype(np.float32))
    smooth = antialias(ct.with_array(gray(ct.array)), mr.spacing_mm)
    mask = dilated(mr_body, mr.spacing_mm, SAMPLING_MARGIN_MM)
    field, attempt = _attempt(fixed, smooth, mask, options, out)
    if attempt["folded_share"] == 0 or "bspline" not in options["stages"]:
        return field, [attempt]
    stiff = {**options, **{name: options[name] * factor for name, factor in STIFFER.items()}}
    stiff["bending_energy_weight"] = max(stiff["bending_energy_weight"], DEFAULTS["bending_energy_weight"])
    share = attempt["folded_share"]
    logger.warning("%s: the transform folds (%.2g of the voxels): trying a stiffer one", mr.source, share)
    second_folder = out / "stiffer"
    second_field, second = _attempt(fixed, smooth, mask, stiff, second_folder)
    better = second["folded_share"] < attempt["folded_share"]
    for path in registration_elastix.transform_files(second_folder):
        if better:
            path.replace(out / path.name)
        else:
            path.unlink()
    second_folder.rmdir()
    attempt["used"], second["used"] = not better, better
    return (second_field if better else field), [attempt, second]


def _attempt(fixed: Volume, moving: Volume, mask: np.ndarray, options: dict, out: Path) -> tuple[np.ndarray, dict]:
    metrics = registration_elastix.run_elastix(fixed, moving, mask, options["stages"], options, out)
    field = registration_elastix.displacement_mm(registration_elastix.transform_files(out), fixed.geometry)
    determinant = quality.jacobian_determinant(field, fixed.geometry)
    return field, {
        "bspline_spacing_mm": options["bspline_spacing_mm"],
        "bending_energy_weight": options["bending_energy_weight"],
        "final_metrics": dict(zip(options["stages"], metrics, strict=False)),
        "jacobian_min": float(determinant.min()),
        "folded_share": float((determinant <= 0).mean()),
        "used": True,
    }


def _warp(case, imported: Path, ct: Volume, mr: Volume, field: np.ndarray, out: Path, threshold_hu: float) -> dict:
    """Warp and write everything that lies on the CT's grid; return the warped CT and masks as arrays."""
    grid = mr.geometry
    ones = ct.with_array(np.ones(ct.array.shape, np.uint8))
    covered = warp(ones, grid, field, "nearest", 0) > 0
    if not covered.any():
        raise DataError(
            f"case {case}: after registration no voxel of the CT lies in the MR's field of view",
            found="no covered voxel",
            expected="MR and CT of the same part of the body",
            hint="look at the pair in a viewer; if it is aligned already, set registration.method to 'none'",
        )
    hu = warp(antialias(ct, grid.spacing_mm), grid, field, "cubic", AIR_HU)
    hu = np.where(covered, io.save_hu(hu), AIR_HU).astype(np.int16)
    body = ct.with_array(body_mask_ct(ct, threshold_hu).astype(np.uint8))
    masks = {"covered": covered.astype(np.uint8), "body": warp(body, grid, field, "labels", 0)}
    still = np.zeros_like(field)
    before = {"ct_before": warp(ct, grid, still, "nearest", quality.NO_DATA_HU)}
    before["body_before"] = warp(body, grid, still, "labels", 0) > 0
    io.write(Volume(hu, grid), out / "ct.nii.gz")
    for name, array in masks.items():
        io.write(Volume(array, grid), out / f"{name}.nii.gz")
    for name in ("labels", "ct_contour"):
        if (imported / f"{name}.nii.gz").is_file():
            array = warp(io.read(imported / f"{name}.nii.gz"), grid, field, "labels", 0)
            io.write(Volume(array, grid), out / f"{name}.nii.gz")
    return {"ct": hu, "covered": covered, "body": masks["body"] > 0, **before}


def _truth(imported: Path, grid: Geometry) -> np.ndarray | None:
    """The known displacement on the case's grid (LPS mm), linear between its samples; None where none is known."""
    import SimpleITK as sitk

    path = imported / "displacement.nii.gz"
    if not path.is_file():
        return None
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(io.to_sitk(Volume(np.zeros(grid.shape, np.uint8), grid)))
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetUseNearestNeighborExtrapolator(True)
    return sitk.GetArrayFromImage(resampler.Execute(sitk.ReadImage(str(path), sitk.sitkVectorFloat32)))
