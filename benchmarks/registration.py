"""How well the CT comes onto the MR, by method: on phantoms against the true deformation, on patients by overlaps.

    PYTHONPATH=src python benchmarks/registration.py [--regions thorax pelvis] [--cases 3] [--seed 101] [--threads 1]
        [--patients STS_019 STS_001] [--methods ...]

Prints one Markdown table for each region, and one for each patient where AFPBENCH_REAL_DATA names a folder that holds
them. `SimpleITK` is what one would write without elastix: a translation, then a B-spline with Mattes' mutual
information and the optimiser LBFGSB, after SimpleITK's own example of free-form deformation, with the control points as
far apart as afpbench's. Every method is measured by the same code, on the same voxels; seconds are CPU time.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from afpbench.base.atomic import read_json
from afpbench.data import importing
from afpbench.registration.case import register_case
from afpbench.study.kinds.sources import open_source
from afpbench.study.kinds.sources.sts import REAL_DATA_VARIABLE
from afpbench.study.registration import DEFAULTS
from afpbench.volumes import io
from afpbench.volumes.morphology import dilated
from afpbench.volumes.preprocessing import body_mask_mr, resample_case

ROOT = Path(__file__).resolve().parents[1]
METHODS = {
    "translation": {"stages": ["translation"]},
    "translation, affine": {"stages": ["translation", "affine"]},
    "translation, B-spline": {},
    "translation, B-spline with edges": {"edge_weight": 3.0},
    "SimpleITK": None,
}
SAMPLED = [1.0, 0.25, 0.05]  # of the voxels: about 20,000 in the finer resolutions, all of the coarsest
BONE_HU = 500
DARK_PERCENTILE = 25


def main() -> None:
    options = arguments()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(options.threads)
    with tempfile.TemporaryDirectory(prefix="registration-") as folder:
        for region in options.regions:
            phantoms(region, options, Path(folder))
        for patient in options.patients:
            if open_source({"source": "sts"}, ROOT).needs_download(patient):
                print(f"\n{patient} is not here: set {REAL_DATA_VARIABLE}")
            else:
                one_patient(patient, options, Path(folder))


def phantoms(region: str, options: argparse.Namespace, folder: Path) -> None:
    """One row per method: means over the cases."""
    data = {"source": "phantom", "region": region, "cases": options.cases, "spacing_mm": [3.0, 3.0, 3.0]}
    cases = [prepared(data, case, options.seed, (3.0, 3.0, 3.0), folder) for case in open_source(data, ROOT).cases()]
    print(f"\n{region}: {len(cases)} phantoms of seed {options.seed}; mean over the cases\n", flush=True)
    print("| method | mean (mm) | 95th percentile (mm) | edge Dice | smallest Jacobian | folding | CPU (s) |")
    print("|---|---|---|---|---|---|---|")
    first = True
    for name in options.methods:
        records = [measured(case, name, options.threads) for case in cases]
        if first:
            print_row("nothing", records, "before", "0")
            first = False
        print_row(name, records, "after", f"{np.mean([record['cpu'] for record in records]):.1f}")


def print_row(name: str, records: list[dict], when: str, seconds: str) -> None:
    mean, tail, edges = (
        np.mean([record[key] for record in records])
        for key in (f"error_{when}_mean_mm", f"error_{when}_p95_mm", f"edge_dice_{when}")
    )
    smallest = min(record["jacobian_min"] for record in records)
    folding = sum(record["folded_share"] > 0 for record in records)
    topology = [f"{smallest:.2f}", str(folding)] if when == "after" else ["1", "0"]
    cells = [name, f"{mean:.2f}", f"{tail:.2f}", f"{edges:.3f}", *topology, seconds]
    print("| " + " | ".join(cells) + " |", flush=True)


def one_patient(patient: str, options: argparse.Namespace, folder: Path) -> None:
    """One row per method: overlaps of body, edges, bone and contours."""
    case = prepared({"source": "sts"}, patient, 1, (3.27, 2.0, 2.0), folder)
    print(f"\n{patient}\n", flush=True)
    print("| method | body Dice | edge Dice | mutual information | bone dark in MR | contour Dice | contour soft |")
    print("|---|---|---|---|---|---|---|")
    first = True
    for name in options.methods:
        record = measured(case, name, options.threads)
        for when in ("before", "after") if first else ("after",):
            keys = ("body_dice", "edge_dice", "mutual_information", "bone_dark", "contour_dice", "contour_soft")
            figures = [f"{record[f'{key}_{when}']:.3f}" for key in keys]
            print("| " + " | ".join(["nothing" if when == "before" else name, *figures]) + " |", flush=True)
        first = False


def prepared(data: dict, case: str, seed: int, spacing_mm: tuple, folder: Path) -> Path:
    """The case's folder with `imported` and `resampled`."""
    importing.import_case(data, case, seed, folder / case / "imported", ROOT)
    resample_case(folder / case / "imported", folder / case / "resampled", spacing_mm)
    return folder / case


def measured(case: Path, method: str, threads: int) -> dict:
    """registration.json of one method, with its CPU time and the share of bone that is dark in the MR."""
    out = case / method.replace(" ", "_")
    begin = time.process_time()
    options = METHODS[method]
    if options is None:
        transforms = simpleitk(case, case / "simpleitk", float(DEFAULTS["bspline_spacing_mm"]))
        options = {"method": "external", "external": {"transforms": transforms}}
    register_case(case / "imported", case / "resampled", out, {**options, "threads": threads})
    seconds = time.process_time() - begin
    return read_json(out / "registration.json") | {"cpu": seconds} | bone_dark(case, out)


def bone_dark(case: Path, registered: Path) -> dict:
    """The share of the CT's compact bone (over 500 HU) that is darker in the MR than a quarter of the body is.

    Compact bone gives no signal in MR: well registered, the share is high; by chance it is a quarter.
    """
    mr, ct, body = (
        io.read(path).array
        for path in (case / "resampled/mr.nii.gz", registered / "ct.nii.gz", registered / "body.nii.gz")
    )
    before = io.to_sitk(io.read(case / "imported" / "ct.nii.gz"))
    grid = io.to_sitk(io.read(case / "resampled" / "mr.nii.gz"))
    before = sitk.GetArrayFromImage(sitk.Resample(before, grid, sitk.Transform(), sitk.sitkLinear, -1024))
    dark = mr < np.percentile(mr[body > 0], DARK_PERCENTILE)
    shares = [float(dark[(hu > BONE_HU) & (body > 0)].mean()) if (hu > BONE_HU).any() else 0.0 for hu in (before, ct)]
    return dict(zip(("bone_dark_before", "bone_dark_after"), shares, strict=True))


def simpleitk(case: Path, out: Path, spacing_mm: float) -> list[str]:
    """Register with SimpleITK alone; the transform files, as afpbench's `external` takes them."""
    out.mkdir(exist_ok=True)
    volume = io.read(case / "resampled" / "mr.nii.gz")
    mask = io.to_sitk(volume.with_array(dilated(body_mask_mr(volume), volume.spacing_mm, 10.0)))
    fixed = sitk.Cast(io.to_sitk(volume), sitk.sitkFloat32)
    moving = sitk.Cast(io.to_sitk(io.read(case / "imported" / "ct.nii.gz")), sitk.sitkFloat32)
    shift = optimised(fixed, moving, mask, sitk.TranslationTransform(3), None)
    extent_mm = [size * step for size, step in zip(fixed.GetSize(), fixed.GetSpacing(), strict=True)]
    mesh = [max(1, round(length / spacing_mm)) for length in extent_mm]
    spline = optimised(fixed, moving, mask, sitk.BSplineTransformInitializer(fixed, mesh, 3), shift)
    # SimpleITK puts the moving side's transform after the one that it optimises
    patterns = [str(out / "bspline_{case}.tfm"), str(out / "translation_{case}.tfm")]
    for transform, pattern in zip((spline, shift), patterns, strict=True):
        sitk.WriteTransform(transform, pattern.replace("{case}", case.name))
    return patterns


def optimised(fixed, moving, mask, transform, before):
    """The transform that SimpleITK's registration finds, in three resolutions."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentagePerLevel(SAMPLED, seed=2026)
    method.SetMetricFixedMask(mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    if before is None:
        method.SetOptimizerAsRegularStepGradientDescent(4.0, 0.01, 100)
    else:
        method.SetMovingInitialTransform(before)
        method.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-5, numberOfIterations=100)
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(fixed, moving)
    return transform


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", nargs="*", default=["thorax", "pelvis"], choices=["thorax", "pelvis"])
    parser.add_argument("--cases", type=int, default=3)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--patients", nargs="*", default=["STS_019", "STS_001", "STS_044"])
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
