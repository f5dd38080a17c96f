"""The elastix parameter maps: those that the options describe, and those that a user's files hold.

docs/explanation/registration.md goes through every parameter of the shipped maps.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import ConfigError

EDGES = "AdvancedNormalizedCorrelation"
BENDING = "TransformBendingEnergyPenalty"
BENDING_SAMPLES = 128  # the energy costs ten times as much per sample as mutual information, and is smoother
STIFF_BENDING_WEIGHT = 1000.0  # at least this, where a transform has folded
TRANSFORMS = {
    "translation": "TranslationTransform",
    "rigid": "EulerTransform",
    "affine": "AffineTransform",
    "bspline": "RecursiveBSplineTransform",
}
# Method of study.registration.SETTINGS -> stage -> what is no option.
FIXED: dict[str, dict[str, dict[str, Any]]] = {
    "synthrad2025": {"bspline": {"NumberOfHistogramBins": 60, "ImagePyramidSchedule": [8, 8, 8, 4, 4, 4, 1, 1, 1]}}
}
WRITES = {  # files that nobody reads, in the folder that is removed
    "WriteResultImage": ["false"],
    "WriteResultImageAfterEachResolution": ["false"],
    "WriteTransformParametersEachIteration": ["false"],
    "WriteTransformParametersEachResolution": ["false"],
}


def parameter_maps(options: dict, spacing_mm: tuple[float, float, float]) -> list[tuple[str, dict[str, list[str]]]]:
    """Name and elastix parameter map of each stage: of the options' stages, or of the user's own files.

    options: study.registration.DEFAULTS. spacing_mm: of the fixed image, z, y, x.
    Raises ConfigError for a file that is no parameter file.
    """
    if options["parameter_files"]:
        paths = [Path(path) for path in options["parameter_files"]]
        return [(path.stem, _user_map(path, options)) for path in paths]
    return [(stage, parameter_map(stage, options, spacing_mm)) for stage in options["stages"]]


def parameter_map(stage: str, options: dict, spacing_mm: tuple[float, float, float]) -> dict[str, list[str]]:
    """The elastix parameter map of one stage. docs/explanation/registration.md says why each value stands there.

    options: method, iterations (one number, or one for each resolution), resolutions, samples, bspline_spacing_mm,
    bending_energy_weight, edge_weight, seed.
    spacing_mm: of the fixed image, z, y, x.
    """
    levels = int(options["resolutions"])
    schedule = [str(2 ** (levels - 1 - level)) for level in range(levels) for _ in range(3)]
    values = {
        "Registration": "MultiResolutionRegistration",
        "Metric": "AdvancedMattesMutualInformation",
        "Transform": TRANSFORMS[stage],
        "Optimizer": "AdaptiveStochasticGradientDescent",
        "FixedImagePyramid": "FixedSmoothingImagePyramid",
        "MovingImagePyramid": "MovingSmoothingImagePyramid",
        "Interpolator": "LinearInterpolator",
        "ResampleInterpolator": "FinalBSplineInterpolator",
        "Resampler": "DefaultResampler",
        "FixedInternalImagePixelType": "float",
        "MovingInternalImagePixelType": "float",
        "NumberOfResolutions": levels,
        "ImagePyramidSchedule": schedule,
        "NumberOfHistogramBins": 32,
        "MaximumNumberOfIterations": options["iterations"],
        "ImageSampler": "RandomCoordinate",
        "NumberOfSpatialSamples": int(options["samples"]),
        "NewSamplesEveryIteration": "true",
        "RequiredRatioOfValidSamples": 0.05,
        "NumberOfSamplesForExactGradient": 10000,
        "MaximumStepLength": float(np.mean(spacing_mm)),
        "RandomSeed": int(options["seed"]),
        "ErodeMask": "false",
        "UseDirectionCosines": "true",
        "HowToCombineTransforms": "Compose",
        "AutomaticTransformInitialization": "false",
        "AutomaticScalesEstimation": "true",
        "BSplineInterpolationOrder": 1,
        "FinalBSplineInterpolationOrder": 3,
        "DefaultPixelValue": -1024,
        "WriteResultImage": "false",
        "ResultImagePixelType": "float",
        "ResultImageFormat": "nii.gz",
        "WriteTransformParametersEachIteration": "false",
    }
    if stage == "bspline":
        values |= {
            "FinalGridSpacingInPhysicalUnits": float(options["bspline_spacing_mm"]),
            "GridSpacingSchedule": [str(2 ** (levels - 1 - level)) for level in range(levels)],
            "BSplineTransformSplineOrder": 3,
        }
    values |= _metrics(stage, options) | FIXED.get(options["method"], {}).get(stage, {})
    lists = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
    return {name: [str(item) for item in items] for name, items in lists.items()}


def stiffer(options: dict, times: int) -> dict:
    """The options whose B-splines are stiffer: control points further apart and more bending energy, `times` over.

    The factors are `folding`'s. A B-spline of the options' own without bending energy gets some; in a user's files
    what stands there is multiplied.
    """
    folding = options["folding"]
    weight = options["bending_energy_weight"] * folding["bending_factor"] ** times
    return {
        **options,
        "stiffness": times,
        "bspline_spacing_mm": options["bspline_spacing_mm"] * folding["spacing_factor"] ** times,
        "bending_energy_weight": max(weight, STIFF_BENDING_WEIGHT),
    }


def stiffness(maps: list[tuple[str, dict]]) -> dict:
    """What keeps the last B-spline of a registration from folding, for the record; {} without a B-spline."""
    splines = [values for _, values in maps if is_bspline(values)]
    if not splines:
        return {}
    spacing = splines[-1].get("FinalGridSpacingInPhysicalUnits", [])
    return {"bspline_spacing_mm": float(spacing[0]) if spacing else None, "bending_energy_weight": _weight(splines[-1])}


def is_bspline(values: dict[str, list[str]]) -> bool:
    """Whether a parameter map finds a B-spline, the one kind here that can fold."""
    return "BSpline" in values["Transform"][0]


def images_needed(values: dict[str, list[str]]) -> int:
    """How many pairs of images a map wants: one for one metric; one a metric for several with their own pyramids."""
    return len(values.get("FixedImagePyramid", [""]))


def read_parameter_file(path: Path) -> dict[str, list[str]]:
    """An elastix parameter file as a dict; the initial transform is left out, since maps are given in order."""
    values = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        match = re.match(r"\s*\((\w+)\s+(.*)\)\s*(//.*)?$", line)
        if match:
            values[match[1]] = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', match[2])]
    for name in ("InitialTransformParameterFileName", "InitialTransformParametersFileName"):
        values.pop(name, None)
    return values


def _metrics(stage: str, options: dict) -> dict:
    """Mutual information alone; or, in a B-spline, as the first of several metrics, each with its own sampler.

    elastix has one set of images for all stages, and wants a pair of pyramids for each of them in every stage.
    """
    edges, bending = options["edge_weight"] > 0, options["bending_energy_weight"] > 0
    count = 1 + edges + bending
    values: dict[str, Any] = {}
    if edges:
        pyramids = {
            "FixedImagePyramid": "FixedSmoothingImagePyramid",
            "MovingImagePyramid": "MovingSmoothingImagePyramid",
        }
        values = {name: [kind] * count for name, kind in pyramids.items()}
    if stage != "bspline" or count == 1:
        return values
    weights = {"AdvancedMattesMutualInformation": 1.0}
    if edges:
        weights[EDGES] = float(options["edge_weight"])
        values["Interpolator"] = ["LinearInterpolator"] * count
    if bending:
        weights[BENDING] = float(options["bending_energy_weight"])
        values[f"ImageSampler{count - 1}NumberOfSpatialSamples"] = BENDING_SAMPLES
    values |= {"Registration": "MultiMetricMultiResolutionRegistration", "Metric": list(weights)}
    values["ImageSampler"] = ["RandomCoordinate"] * count
    return values | {f"Metric{number}Weight": weight for number, weight in enumerate(weights.values())}


def _user_map(path: Path, options: dict) -> dict[str, list[str]]:
    """A user's parameter file: with the study's seed where it has none, and nothing written beside transforms."""
    values = read_parameter_file(path)
    missing = [name for name in ("Transform", "Metric") if name not in values]
    if missing:
        raise ConfigError(
            f"registration.parameter_files: {path}",
            found="no line " + " and no line ".join(f"({name} ...)" for name in missing),
            expected='an elastix parameter file: lines such as (Transform "EulerTransform")',
            hint="give the file that elastix was called with (-p), not a TransformParameters file",
        )
    values = {"RandomSeed": [str(options["seed"])], **values, **WRITES}
    times, folding = options.get("stiffness", 0), options["folding"]
    if times and is_bspline(values):
        for name in ("FinalGridSpacingInPhysicalUnits", "FinalGridSpacingInVoxels"):
            if name in values:
                values[name] = [str(float(value) * folding["spacing_factor"] ** times) for value in values[name]]
        if BENDING in values["Metric"]:
            weight = _weight(values) * folding["bending_factor"] ** times
            values[f"Metric{values['Metric'].index(BENDING)}Weight"] = [str(weight)]
    return values


def _weight(values: dict[str, list[str]]) -> float:
    """The weight of the bending energy in a parameter map; elastix takes 1 where none is given."""
    if BENDING not in values["Metric"]:
        return 0.0
    return float(values.get(f"Metric{values['Metric'].index(BENDING)}Weight", ["1"])[0])
