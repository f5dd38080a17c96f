"""One case: find a transform, resample the CT once, and record how good it is."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..base.atomic import write_json
from ..base.errors import DataError
from ..base.log import logger
from ..study.records import read_record
from ..study.registration import checked_options
from ..volumes import channels, io
from ..volumes.io import Geometry, Volume
from ..volumes.morphology import dilated
from ..volumes.preprocessing import AIR_HU, BODY_HU, antialias, body_mask_ct, body_mask_mr
from . import elastix, external, impact, quality
from .edges import edge_strength
from .intensity import clipped_mr, gray
from .parameters import images_needed, parameter_maps, stiffer, stiffness
from .pictures import write_pictures
from .warp import warp

SAMPLING_MARGIN_MM = 10.0
STIFFER_BY = {"bspline_spacing_mm", "smoothness"}  # of an attempt's record, where a further one can be stiffer


def register_case(
    imported: Path, resampled: Path, out: Path, options: dict | None = None, body_threshold_hu: float = BODY_HU
) -> None:
    """Bring the CT of one case onto the grid of its resampled MR.

    options: of options.DEFAULTS, what differs. body_threshold_hu: for the CT's body mask.
    Writes into `out`: ct.nii.gz (int16 HU, resampled once from the CT by cubic B-spline, -1024 outside),
    covered.nii.gz (where the CT has data), body.nii.gz (the whole CT's body mask, warped), labels.nii.gz and
    ct_contour.nii.gz (warped by linear vote) where the case has them, TransformParameters.N.txt (elastix) or
    displacement.nii.gz (IMPACT), two checkerboards as PNG and registration.json, which names the MR's channel where
    there are several. Where the transform folds, stiffer ones are tried as `registration.folding` says; all are
    recorded, and the one with the smallest share of folded voxels is used.
    Raises ConfigError for an unknown option, and where IMPACT's package or model is not there; DataError when elastix
    or IMPACT fails, the user's own transforms or the true deformation are missing, nothing of the CT arrives, or the
    transform still folds and `folding.then` is `fail`.
    """
    imported, resampled, out = Path(imported), Path(resampled), Path(out)
    options = checked_options(options or {})
    out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    if not (resampled / "mr.nii.gz").is_file():
        _resample_alone(imported, resampled, out, options, body_threshold_hu)
        return
    case = read_record(imported / "case.json")["case"]
    mr = replace(io.read(resampled / "mr.nii.gz", f"case {case}: resampled MR"), source=f"case {case}")
    ct = io.read(imported / "ct.nii.gz", f"case {case}: CT")
    mr_body = body_mask_mr(mr)
    truth = _truth(imported, mr.geometry)
    field, attempts = _find(mr, mr_body, ct, truth, options, out)
    moving = _moving(case, imported, ct, options)
    warped = _warp(case, moving, mr, field, out, body_threshold_hu) | _before(ct, mr, body_threshold_hu)
    known = None if options["external"]["ct"] else field
    record = {"case": case, "method": options["method"], "seconds": 0.0, "options": options, "attempts": attempts}
    if names := channels.names(imported):
        record["mr_channel"] = names[0]
    record |= quality.assess(mr, warped, known, truth)
    record |= quality.body_overlap(mr_body, warped, mr.spacing_mm)
    record |= quality.contour_overlap(imported, resampled, out)
    record |= quality.contour_soft(resampled, warped)
    _check_folding(case, record)
    write_pictures(mr, mr_body, warped, out)
    record["seconds"] = round(time.monotonic() - begin, 2)
    write_json(out / "registration.json", record)
    logger.info("case %s: %s", case, quality.in_words(record))


def _resample_alone(imported: Path, resampled: Path, out: Path, options: dict, threshold_hu: float) -> None:
    """Of a case without MR: its CT on the case's grid, with no transform and nothing to score."""
    begin, case = time.monotonic(), read_record(imported / "case.json")["case"]
    grid, ct = io.read(resampled / "grid.nii.gz"), io.read(imported / "ct.nii.gz", f"case {case}: CT")
    still = np.zeros((*grid.geometry.shape, 3), np.float32)
    _warp(case, _moving(case, imported, ct, options), grid, still, out, threshold_hu)
    record = {"case": case, "method": "none", "seconds": round(time.monotonic() - begin, 2), "options": options}
    write_json(out / "registration.json", {**record, "attempts": []})


def _find(
    mr: Volume, mr_body: np.ndarray, ct: Volume, truth: np.ndarray | None, options: dict, out: Path
) -> tuple[np.ndarray, list[dict]]:
    """The displacement field on the MR's grid, and what was tried. truth: the known one, where there is one."""
    if options["method"] == "none":
        return np.zeros((*mr.geometry.shape, 3), np.float32), []
    if options["method"] == "external":
        return external.displacement_mm(mr.source.removeprefix("case "), options, mr.geometry), []
    if options["method"] == "truth":
        return _known(mr.source, truth), []
    near = dilated(mr_body, mr.spacing_mm, SAMPLING_MARGIN_MM)
    mask = near if options["mask"] == "body" else None
    pairs = _pairs(mr, near, ct, options)
    search = partial(impact.attempt, pairs, mr, ct) if options["method"] == "impact" else partial(_attempt, pairs)
    best = np.zeros((*mr.geometry.shape, 3), np.float32)
    attempts: list[dict] = []
    for times in range(options["folding"]["attempts"]):
        folder = out / f"attempt_{times}"
        field, attempt = search(mask, stiffer(options, times) if times else options, folder)
        better = not attempts or attempt["folded_share"] < min(other["folded_share"] for other in attempts)
        _keep_files(folder, out, better)
        attempts = [{**other, "used": other["used"] and not better} for other in attempts]
        attempts.append({**attempt, "used": better})
        best = field if better else best
        if attempt["folded_share"] == 0 or not STIFFER_BY & attempt.keys():
            break
        logger.warning(
            "%s: attempt %d: the transform folds (%.2g of the voxels)", mr.source, times + 1, attempt["folded_share"]
        )
    return best, attempts


def _pairs(mr: Volume, near: np.ndarray, ct: Volume, options: dict) -> list[tuple[Volume, Volume]]:
    """The fixed and the moving image of each metric: intensities, but edges for the second of several metrics."""
    fixed, moving = clipped_mr(mr), antialias(ct.with_array(gray(ct.array)), mr.spacing_mm)
    count = max(images_needed(values) for _, values in parameter_maps(options, mr.spacing_mm))
    if count == 1:
        return [(fixed, moving)]
    regions = ((fixed, near), (moving, body_mask_ct(ct)))
    still, moved = (edge_strength(image, options["edge_smooth_mm"], region) for image, region in regions)
    return [(still, moved) if number == 1 else (fixed, moving) for number in range(count)]


def _attempt(pairs: list, mask: np.ndarray | None, options: dict, out: Path) -> tuple[np.ndarray, dict]:
    fixed = pairs[0][0]
    maps = parameter_maps(options, fixed.spacing_mm)
    if options.get("stiffness") and len(pairs) < max(images_needed(values) for _, values in maps):
        pairs = [*pairs, pairs[0]]  # the bending energy that a stiffer attempt has added
    images = [first for first, _ in pairs], [second for _, second in pairs]
    metrics = elastix.run_elastix(*images, mask, [m for _, m in maps], options["threads"], out)
    field = elastix.displacement_mm(elastix.transform_files(out), fixed.geometry)
    determinant = quality.jacobian_determinant(field, fixed.geometry)
    return field, {
        **stiffness(maps),
        "final_metrics": dict(zip([name for name, _ in maps], metrics, strict=False)),
        "jacobian_min": float(determinant.min()),
        "folded_share": float((determinant <= 0).mean()),
    }


def _keep_files(folder: Path, out: Path, better: bool) -> None:
    """Move an attempt's transform files to `out` where it is the best so far; remove its folder."""
    for path in [*elastix.transform_files(folder), *folder.glob(impact.FIELD)]:
        if better:
            path.replace(out / path.name)
        else:
            path.unlink()
    folder.rmdir()


def _check_folding(case: str, record: dict) -> None:
    """A DataError for a transform that folds, where the options ask for one."""
    if record["options"]["folding"]["then"] != "fail" or not record.get("folded_share"):
        return
    raise DataError(
        f"case {case}: the transform folds space",
        found=f"{record['folded_share']:.2g} of the voxels after {len(record['attempts'])} attempts, smallest Jacobian "
        f"determinant {record['jacobian_min']:.2f}",
        expected="a Jacobian determinant over 0 everywhere, as registration.folding.then is 'fail'",
        hint="raise registration.bending_energy_weight or registration.folding.attempts, or set folding.then to 'keep'",
    )


def _moving(case: str, imported: Path, ct: Volume, options: dict) -> dict[str, Volume]:
    """What goes through the transform: `ct`, and `labels` and `ct_contour` where there are such.

    A CT that was registered elsewhere comes with its own labels, since nobody knows the way to them.
    """
    paths = {name: imported / f"{name}.nii.gz" for name in ("labels", "ct_contour")}
    if not options["external"]["ct"]:
        return {"ct": ct} | {name: io.read(path) for name, path in paths.items() if path.is_file()}
    ct = external.registered_ct(case, options)
    labels = external.registered_labels(case, options, read_record(imported / "case.json").get("classes") or {})
    if labels is None and paths["labels"].is_file():
        raise DataError(
            f"case {case}: the registered CT comes without labels",
            found="labels on the CT before registration alone",
            expected="the labels in the position of the registered CT",
            hint="set registration.external.labels, or give the transforms instead of the CT",
        )
    return {"ct": ct} | ({"labels": labels} if labels is not None else {})


def _warp(case: str, moving: dict[str, Volume], mr: Volume, field: np.ndarray, out: Path, threshold_hu: float) -> dict:
    """Warp and write everything that lies on the CT's grid; return the warped CT and masks as arrays."""
    grid, ct = mr.geometry, moving["ct"]
    covered = _covered(ct, grid, field)
    if not covered.any():
        raise DataError(
            f"case {case}: after registration no voxel of the CT lies in the MR's field of view",
            found="no covered voxel",
            expected="MR and CT of the same part of the body",
            hint="look at the pair in a viewer; if it is aligned already, set registration.method to 'none'",
        )
    hu = _warped_ct(ct, grid, field, covered, AIR_HU)
    body = ct.with_array(body_mask_ct(ct, threshold_hu).astype(np.uint8))
    masks = {"covered": covered.astype(np.uint8), "body": warp(body, grid, field, "labels", 0)}
    io.write(Volume(hu, grid), out / "ct.nii.gz")
    for name, array in masks.items():
        io.write(Volume(array, grid), out / f"{name}.nii.gz")
    for name in ("labels", "ct_contour"):
        if name in moving:
            io.write(Volume(warp(moving[name], grid, field, "labels", 0), grid), out / f"{name}.nii.gz")
    return {"ct": hu, "covered": covered, "body": masks["body"] > 0}


def _warped_ct(ct: Volume, grid: Geometry, field: np.ndarray, covered: np.ndarray, outside_hu: int) -> np.ndarray:
    """HU (int16) on the grid, anti-aliased and cubic; `outside_hu` where the CT has no voxel (not `covered`).

    Before and after registration alike, so that what differs between the two is the alignment alone.
    """
    hu = warp(antialias(ct, grid.spacing_mm), grid, field, "cubic", AIR_HU)
    return np.where(covered, io.save_hu(hu), outside_hu).astype(np.int16)


def _covered(ct: Volume, grid: Geometry, field: np.ndarray) -> np.ndarray:
    """Where the CT has data, on the grid."""
    return warp(ct.with_array(np.ones(ct.array.shape, np.uint8)), grid, field, "nearest", 0) > 0


def _before(ct: Volume, mr: Volume, threshold_hu: float) -> dict:
    """The CT and its body mask on the MR's grid as they lie in the files, before any registration."""
    still = np.zeros((*mr.geometry.shape, 3), np.float32)
    body = ct.with_array(body_mask_ct(ct, threshold_hu).astype(np.uint8))
    return {
        "ct_before": _warped_ct(ct, mr.geometry, still, _covered(ct, mr.geometry, still), quality.NO_DATA_HU),
        "body_before": warp(body, mr.geometry, still, "labels", 0) > 0,
    }


def _known(what: str, truth: np.ndarray | None) -> np.ndarray:
    """The known displacement. Raises DataError of a case that has none."""
    if truth is None:
        raise DataError(
            f"{what}: registration.method is 'truth', and the true deformation is not known",
            found="no displacement.nii.gz among what was imported",
            expected="a case whose source makes its deformation, as the phantom's does",
            hint="set registration.method to 'elastix', or give your own transforms (method 'external')",
        )
    return truth


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
