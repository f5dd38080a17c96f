"""The elastix part of registration: one call of elastix, one of transformix, files to apply again.

`import itk; itk.ElastixRegistrationMethod` loads every module of ITK that elastix could need, about 20 s of processor
time. The few wrapped modules used here are imported by name instead, which takes about 2 s.
"""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..base.errors import DataError
from ..base.log import tools
from ..volumes.io import Geometry, Volume
from .parameters import read_parameter_file

LEAST_VOXELS = 4
FINAL_METRIC = re.compile(r"^Final metric value\s*=\s*(\S+)", re.MULTILINE)


def run_elastix(
    fixed: list[Volume], moving: list[Volume], fixed_mask: np.ndarray | None, maps: list[dict], threads: int, out: Path
) -> list[float]:
    """Register `moving` onto `fixed`; write `TransformParameters.N.txt` into `out`; return each map's final metric.

    fixed, moving: one image, or one for each metric of the maps. fixed_mask: where samples are drawn, on the fixed
    grid; None for everywhere. The same input, seed and number of threads give the same files; another number of
    threads sums in another order. The value of several metrics is their weighted sum.
    Raises DataError when elastix fails.
    """
    tools("itk-elastix")
    _check_sizes(fixed[0], moving[0])
    without_torch()
    from itk import elxParameterObjectPython, itkElastixRegistrationMethodPython, itkPyBufferPython

    parameters = elxParameterObjectPython.elastixParameterObject.New()
    for values in maps:
        parameters.AddParameterMap(values)
    method = itkElastixRegistrationMethodPython.itkElastixRegistrationMethodIF3IF3.New()
    images = [(to_itk(first), to_itk(second)) for first, second in zip(fixed, moving, strict=True)]
    for (fixed_image, _), (moving_image, _) in images:
        method.AddFixedImage(fixed_image)
        method.AddMovingImage(moving_image)
    if fixed_mask is not None:
        mask = np.ascontiguousarray(fixed_mask.astype(np.uint8))
        view = itkPyBufferPython.itkPyBufferIUC3.GetImageViewFromArray(mask)
        method.SetFixedMask(placed(view, fixed[0].geometry))
    method.SetParameterObject(parameters)
    with tempfile.TemporaryDirectory(prefix="elastix-") as folder, itk_threads(threads):
        method.SetOutputDirectory(folder)
        method.SetLogToConsole(False)
        method.SetLogToFile(True)
        method.SetLogFileName("elastix.log")
        try:
            method.UpdateLargestPossibleRegion()
        except RuntimeError as error:
            raise DataError(
                f"{fixed[0].source}: elastix failed",
                found=_reason(folder, error),
                expected="an MR and a CT that overlap and show the same part of the body",
                hint="look at the pair; if it is aligned already, set the task's registration.method to 'none'",
            ) from error
        metrics = [float(value) for value in FINAL_METRIC.findall(_log(folder))]
        _copy_transforms(Path(folder), out, len(maps))
    return metrics


def _check_sizes(fixed: Volume, moving: Volume) -> None:
    """Images that elastix's pyramids can smooth."""
    for name, volume in (("MR (on the study's spacing)", fixed), ("CT", moving)):
        shape = volume.geometry.shape
        if min(shape) < LEAST_VOXELS:
            raise DataError(
                f"{fixed.source}: the {name} has too few voxels along an axis to be registered",
                found=f"shape {shape} (z, y, x)",
                expected=f"at least {LEAST_VOXELS} along each",
                hint="give the whole series where only some slices were exported; leave the case out "
                "(data.exclude); or, if the pairs are aligned already, set registration.method to 'none'",
            )


def displacement_mm(transform_files: list[Path], grid: Geometry) -> np.ndarray:
    """T(p) - p at every voxel centre p of a grid, in LPS mm (x, y, z), shape (z, y, x, 3), float32, by transformix.

    transform_files: the parameter files of all stages, in order. The grid may be another than the one they were found
    on. Raises DataError when transformix cannot apply them.
    """
    without_torch()
    from itk import elxParameterObjectPython, itkPyBufferPython, itkTransformixFilterPython

    parameters = elxParameterObjectPython.elastixParameterObject.New()
    for path in transform_files:
        parameters.AddParameterMap({**read_parameter_file(path), **_output_grid(grid)})
    image, buffer = to_itk(Volume(np.zeros(grid.shape, np.float32), grid))
    transformix = itkTransformixFilterPython.itkTransformixFilterIF3.New()
    transformix.SetMovingImage(image)
    transformix.SetTransformParameterObject(parameters)
    transformix.SetComputeDeformationField(True)
    transformix.SetLogToConsole(False)
    with tempfile.TemporaryDirectory(prefix="transformix-") as folder:
        transformix.SetOutputDirectory(folder)  # it writes the field there too; without this, into the working folder
        try:
            transformix.UpdateLargestPossibleRegion()
        except RuntimeError as error:
            raise DataError(
                "transformix cannot apply " + ", ".join(path.name for path in transform_files),
                found=str(error).strip().splitlines()[-1],
                expected="TransformParameters files of elastix, of 3D images, in the order of the stages",
                hint="apply them with transformix to see its whole log",
            ) from error
    field = transformix.GetOutputDeformationField()
    array = itkPyBufferPython.itkPyBufferIVF33.GetArrayFromImage(field)
    del buffer
    return np.asarray(array, dtype=np.float32)


def _output_grid(grid: Geometry) -> dict[str, list[str]]:
    """What a transform file says of the image that transformix makes: this grid, and no compression of the field."""
    direction = [grid.direction[3 * row + column] for column in range(3) for row in range(3)]
    return {
        "Size": [str(size) for size in reversed(grid.shape)],
        "Index": ["0", "0", "0"],
        "Spacing": [repr(float(value)) for value in reversed(grid.spacing_mm)],
        "Origin": [repr(float(value)) for value in grid.origin_mm],
        "Direction": [repr(float(value)) for value in direction],
        "UseDirectionCosines": ["true"],
        "ResultImageFormat": ["mhd"],
        "CompressResultImage": ["false"],
    }


def without_torch() -> None:
    """ITK loads PyTorch, where that is installed, to accept tensors: there are none here, and it takes 2 s."""
    from itk.support import helpers

    helpers._HAVE_TORCH = False


def to_itk(volume: Volume):
    """An itk image that views a float32 volume, and the array to keep alive beside it."""
    from itk import itkPyBufferPython

    array = np.ascontiguousarray(volume.array, dtype=np.float32)
    return placed(itkPyBufferPython.itkPyBufferIF3.GetImageViewFromArray(array), volume.geometry), array


def transform_files(folder: Path) -> list[Path]:
    """The transform parameter files of a registered case, in order."""
    return sorted(Path(folder).glob("TransformParameters.*.txt"), key=lambda path: int(path.name.split(".")[1]))


@contextlib.contextmanager
def itk_threads(count: int) -> Iterator[None]:
    """ITK's default number of threads, put back afterwards.

    elastix's own setting (SetNumberOfThreads) crashes where several metrics drive a stage and it is over 1 (ITKElastix
    issues 160 and 295): it changes how many threads run after the metrics have laid out memory for the default number.
    Left alone, elastix takes the default everywhere.
    """
    from itk import ITKCommonBasePython

    threader = ITKCommonBasePython.itkMultiThreaderBase
    before = threader.GetGlobalDefaultNumberOfThreads()
    threader.SetGlobalDefaultNumberOfThreads(int(count))
    try:
        yield
    finally:
        threader.SetGlobalDefaultNumberOfThreads(before)


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


def placed(image, geometry: Geometry):
    """The itk image with a volume's spacing, origin and directions."""
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
