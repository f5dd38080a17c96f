"""A registration that was made elsewhere: the user's transforms as a field of displacements, or the registered CT."""

from pathlib import Path

import numpy as np

from ..base.errors import DataError
from ..study.registration import external_files
from ..volumes import io
from ..volumes.io import Geometry, Volume
from . import elastix

FIELDS = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd")


def displacement_mm(case: str, options: dict, grid: Geometry) -> np.ndarray:
    """T(p) - p on the case's grid, LPS mm, (z, y, x, 3), of the user's transforms, or zeros where the CT is registered.

    T takes a point of the MR to the point of the CT that shows the same tissue, which is how elastix and SimpleITK
    store the result of registering a CT (moving) onto an MR (fixed). Several files of elastix are the stages in order;
    several of ITK are applied as elastix does: the first in the list first.
    Raises DataError that names the case for a file that is missing or cannot be read.
    """
    paths = _found(case, "transforms", external_files(options, case)["transforms"])
    if not paths:
        return np.zeros((*grid.shape, 3), np.float32)
    if all(is_elastix(path) for path in paths):
        try:
            return elastix.displacement_mm(paths, grid)
        except DataError as error:
            raise DataError(f"case {case}: registration.external.transforms", found=str(error)) from error
    return _itk_displacement(case, paths, grid)


def registered_volume(case: str, options: dict, kind: str) -> Volume | None:
    """The user's registered `ct` or `labels` of a case; None where the options name none."""
    paths = _found(case, kind, external_files(options, case)[kind])
    what = f"case {case}: registration.external.{kind}"
    return io.read(paths[0], what) if paths else None


def is_elastix(path: Path) -> bool:
    """Whether a file is one of elastix's TransformParameters files."""
    with open(path, "rb") as file:
        return path.suffix == ".txt" and b"(Transform " in file.read(4_000_000)


def _found(case: str, kind: str, names: list[str]) -> list[Path]:
    paths = [Path(name) for name in names]
    for path in paths:
        if not path.is_file():
            raise DataError(
                f"case {case}: registration.external.{kind}: no such file: {path}",
                expected="a file for every case, where {case} in the pattern is the case's id",
                hint="correct the pattern, add the file, or leave the case out with data.exclude",
            )
    return paths


def _itk_displacement(case: str, paths: list[Path], grid: Geometry) -> np.ndarray:
    import SimpleITK as sitk

    stages = [_read_transform(case, path) for path in paths]
    whole = sitk.CompositeTransform(3)
    for transform in reversed(stages):  # ITK applies the last that was added first
        whole.AddTransform(transform)
    sampler = sitk.TransformToDisplacementFieldFilter()
    sampler.SetOutputPixelType(sitk.sitkVectorFloat32)
    sampler.SetReferenceImage(io.to_sitk(Volume(np.zeros(grid.shape, np.uint8), grid)))
    return sitk.GetArrayFromImage(sampler.Execute(whole))


def _read_transform(case: str, path: Path):
    import SimpleITK as sitk

    try:
        if path.name.endswith(FIELDS):
            image = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
            if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 3:
                raise RuntimeError(f"{image.GetNumberOfComponentsPerPixel()} components in {image.GetDimension()}D")
            return sitk.DisplacementFieldTransform(image)
        transform = sitk.ReadTransform(str(path))
        if transform.GetDimension() != 3:
            raise RuntimeError(f"a transform in {transform.GetDimension()}D")
        return transform
    except RuntimeError as error:
        raise DataError(
            f"case {case}: registration.external.transforms: cannot use {path}",
            found=str(error).strip().splitlines()[-1],
            expected="elastix's TransformParameters files; or of ITK a transform (.tfm, .txt, .h5) or an image of "
            "displacements (3 components, LPS mm)",
            hint="docs/how-to/registration.md says what each kind must hold",
        ) from error
