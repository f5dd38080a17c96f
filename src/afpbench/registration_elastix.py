"""The elastix part of registration: parameter maps, one call of elastix, one of transformix, files to apply again.

`import itk; itk.ElastixRegistrationMethod` loads every module of ITK that elastix could need, about 20 s of processor
time. The few wrapped modules used here are imported by name instead, which takes about 2 s.
"""

import re
import tempfile
from pathlib import Path

import numpy as np

from .errors import DataError
from .io import Geometry, Volume
from .log import tools

SEED = 2026
BENDING_SAMPLES = 128  # the energy costs ten times as much per sample as mutual information, and is smoother
STAGES = ("translation", "rigid", "affine", "bspline")
TRANSFORMS = {
    "translation": "TranslationTransform",
    "rigid": "EulerTransform",
    "affine": "AffineTransform",
    "bspline": "RecursiveBSplineTransform",
}
FINAL_METRIC = re.compile(r"^Final metric value\s*=\s*(\S+)", re.MULTILINE)


def parameter_map(stage: str, options: dict, spacing_mm: tuple[float, float, float]) -> dict[str, list[str]]:
    """The elastix parameter map of one stage. docs/explanation/registration.md says why each value stands there.

    options: iterations, resolutions, samples, bspline_spacing_mm, bending_energy_weight, seed.
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
        "MaximumNumberOfIterations": int(options["iterations"]),
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
        values |= _bspline(options, levels)
    lists = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
    return {name: [str(item) for item in items] for name, items in lists.items()}


def _bspline(options: dict, levels: int) -> dict:
    weight = float(options["bending_energy_weight"])
    values = {
        "FinalGridSpacingInPhysicalUnits": float(options["bspline_spacing_mm"]),
        "GridSpacingSchedule": [str(2 ** (levels - 1 - level)) for level in range(levels)],
        "BSplineTransformSplineOrder": 3,
    }
    if weight > 0:
        values |= {
            "Registration": "MultiMetricMultiResolutionRegistration",
            "Metric": ["AdvancedMattesMutualInformation", "TransformBendingEnergyPenalty"],
            "ImageSampler": ["RandomCoordinate", "RandomCoordinate"],
            "ImageSampler1NumberOfSpatialSamples": BENDING_SAMPLES,
            "Metric0Weight": 1.0,
            "Metric1Weight": weight,
        }
    return values


def run_elastix(
    fixed: Volume, moving: Volume, fixed_mask: np.ndarray, stages: list[str], options: dict, out: Path
) -> list[float]:
    """Register `moving` onto `fixed`; write `TransformParameters.N.txt` into `out`; return each stage's final metric.

    fixed_mask: where samples are drawn, on the fixed grid. The same input and seed give the same files. The value of
    a B-spline stage with bending energy is the weighted sum: negative mutual information plus weight x energy.
    Raises DataError when elastix fails.
    """
    tools("itk-elastix")
    _without_torch()
    from itk import elxParameterObjectPython, itkElastixRegistrationMethodPython, itkPyBufferPython

    parameters = elxParameterObjectPython.elastixParameterObject.New()
    for stage in stages:
        parameters.AddParameterMap(parameter_map(stage, options, fixed.spacing_mm))
    inputs = [to_itk(fixed.with_array(fixed.array.astype(np.float32)))]
    inputs.append(to_itk(moving.with_array(moving.array.astype(np.float32))))
    mask = np.ascontiguousarray(fixed_mask.astype(np.uint8))
    mask_image = _placed(itkPyBufferPython.itkPyBufferIUC3.GetImageViewFromArray(mask), fixed.geometry)
    method = itkElastixRegistrationMethodPython.itkElastixRegistrationMethodIF3IF3.New()
    method.SetFixedImage(inputs[0][0])
    method.SetMovingImage(inputs[1][0])
    method.SetFixedMask(mask_image)
    method.SetParameterObject(parameters)
    method.SetNumberOfThreads(_threads(stages, options))
    with tempfile.TemporaryDirectory(prefix="elastix-") as folder:
        method.SetOutputDirectory(folder)
        method.SetLogToConsole(False)
        method.SetLogToFile(True)
        method.SetLogFileName("elastix.log")
        try:
            method.UpdateLargestPossibleRegion()
        except RuntimeError as error:
            raise DataError(
                f"{fixed.source}: elastix failed",
                found=_reason(folder, error),
                expected="an MR and a CT that overlap and show the same part of the body",
                hint="look at the pair; if it is aligned already, set the task's registration.method to 'none'",
            ) from error
        metrics = [float(value) for value in FINAL_METRIC.findall(_log(folder))]
        _copy_transforms(Path(folder), out, len(stages))
    return metrics


def displacement_mm(transform_files: list[Path], grid: Geometry) -> np.ndarray:
    """T(p) - p at every voxel centre p of a grid, in LPS mm (x, y, z), shape (z, y, x, 3), float32, by transformix.

    transform_files: the parameter files of all stages, in order; the grid must be the one they were found on.
    """
    _without_torch()
    from itk import elxParameterObjectPython, itkPyBufferPython, itkTransformixFilterPython

    parameters = elxParameterObjectPython.elastixParameterObject.New()
    for path in transform_files:
        values = read_parameter_file(path)
        parameters.AddParameterMap({**values, "ResultImageFormat": ["mhd"], "CompressResultImage": ["false"]})
    image, buffer = to_itk(Volume(np.zeros(grid.shape, np.float32), grid))
    transformix = itkTransformixFilterPython.itkTransformixFilterIF3.New()
    transformix.SetMovingImage(image)
    transformix.SetTransformParameterObject(parameters)
    transformix.SetComputeDeformationField(True)
    transformix.SetLogToConsole(False)
    with tempfile.TemporaryDirectory(prefix="transformix-") as folder:
        transformix.SetOutputDirectory(folder)  # it writes the field there too; without this, into the working folder
        transformix.UpdateLargestPossibleRegion()
    field = transformix.GetOutputDeformationField()
    array = itkPyBufferPython.itkPyBufferIVF33.GetArrayFromImage(field)
    del buffer
    return np.asarray(array, dtype=np.float32)


def _without_torch() -> None:
    """ITK loads PyTorch, where that is installed, to accept tensors: there are none here, and it takes 2 s."""
    from itk.support import helpers

    helpers._HAVE_TORCH = False


def to_itk(volume: Volume):
    """An itk image that views a float32 volume, and the array to keep alive beside it."""
    from itk import itkPyBufferPython

    array = np.ascontiguousarray(volume.array, dtype=np.float32)
    return _placed(itkPyBufferPython.itkPyBufferIF3.GetImageViewFromArray(array), volume.geometry), array


def read_parameter_file(path: Path) -> dict[str, list[str]]:
    """An elastix parameter file as a dict; the initial transform is left out, since maps are given in order."""
    values = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        match = re.match(r"\s*\((\w+)\s+(.*)\)\s*$", line)
        if match:
            values[match[1]] = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', match[2])]
    for name in ("InitialTransformParameterFileName", "InitialTransformParametersFileName"):
        values.pop(name, None)
    return values


def transform_files(folder: Path) -> list[Path]:
    """The transform parameter files of a registered case, in order."""
    return sorted(Path(folder).glob("TransformParameters.*.txt"), key=lambda path: int(path.name.split(".")[1]))


def _threads(stages: list[str], options: dict) -> int:
    """One thread where two metrics drive a B-spline: with more, elastix crashes there (ITKElastix issues 160, 295)."""
    bending = "bspline" in stages and float(options["bending_energy_weight"]) > 0
    return 1 if bending else int(options["threads"])


def _copy_transforms(folder: Path, out: Path, count: int) -> None:
    """Copy the transform files; each names the one before by its bare name, so that the folder can be moved.

    elastix and transformix look for that name in their working directory: run them in the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        text = (folder / f"TransformParameters.{number}.txt").read_text(encoding="utf-8")
        before = f"TransformParameters.{number - 1}.txt" if number else "NoInitialTransform"
        pattern = r'\((InitialTransformParameters?FileName) "[^"]*"\)'
        text = re.sub(pattern, rf'(\1 "{before}")', text)
        (out / f"TransformParameters.{number}.txt").write_text(text, encoding="utf-8")


def _placed(image, geometry: Geometry):
    from itk import itkMatrixPython, vnl_matrix_fixedPython

    image.SetSpacing([float(value) for value in reversed(geometry.spacing_mm)])
    image.SetOrigin([float(value) for value in geometry.origin_mm])
    matrix = vnl_matrix_fixedPython.vnl_matrix_fixedD_3_3()
    for row in range(3):
        for column in range(3):
            matrix.put(row, column, float(geometry.direction[3 * row + column]))
    image.SetDirection(itkMatrixPython.itkMatrixD33(matrix))
    return image


def _log(folder: str) -> str:
    path = Path(folder) / "elastix.log"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _reason(folder: str, error: Exception) -> str:
    described = re.findall(r"Description: (?:ITK ERROR: )?(?:\w+\(\w+\): )?(.*)", _log(folder))
    return described[-1].strip() if described else str(error).strip().splitlines()[-1]
