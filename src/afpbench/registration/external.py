"""A registration that was made elsewhere: the user's transforms as a field of displacements, or the registered CT."""

from pathlib import Path

import numpy as np

from ..base import formats
from ..base.errors import DataError
from ..study.registration import external_files
from ..volumes import io
from ..volumes.images import check_hu, check_image, check_values, read_image
from ..volumes.io import Geometry, Volume
from ..volumes.labels import check_labels, read_labels
from . import elastix


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


def registered_ct(case: str, options: dict) -> Volume:
    """The user's registered CT of a case, in HU. Raises DataError as the import does for its CT."""
    (path,) = _found(case, "ct", external_files(options, case)["ct"])
    what = f"case {case}: registration.external.ct"
    ct = read_image(path, what)
    check_values(ct, what)
    check_hu(ct, what)
    return ct


def registered_labels(case: str, options: dict, classes: dict[str, int]) -> Volume | None:
    """The label map of the user's registered CT; None where the options name none.

    classes: class name -> value, of the case's own labels. Raises DataError as the import does for its label map.
    """
    paths = _found(case, "labels", external_files(options, case)["labels"])
    if not paths:
        return None
    what = f"case {case}: registration.external.labels"
    labels = read_labels(paths[0], what)
    return labels.with_array(check_labels(labels, classes, what)) if classes else labels


def is_elastix(path: Path) -> bool:
    """Whether a file is one of elastix's TransformParameters files."""
    with open(path, "rb") as file:
        return path.suffix.lower() == ".txt" and b"(Transform " in file.read(4_000_000)


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

    what = f"case {case}: registration.external.transforms"
    if formats.ending(path):
        return _read_field(path, what)
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise _unusable(what, path, str(error).strip().splitlines()[-1]) from error
    if transform.GetDimension() != 3:
        raise _unusable(what, path, f"a transform in {transform.GetDimension()}D")
    return transform


def _read_field(path: Path, what: str):
    """An image of displacements as a transform of SimpleITK."""
    import SimpleITK as sitk

    field = io.read(path, what)
    components = field.array.shape[3] if field.array.ndim == 4 else 1
    if components != 3:
        raise _unusable(what, path, f"{components} components in 3D")
    for axis in range(3):
        check_image(field.with_array(field.array[..., axis]), what)
    return sitk.DisplacementFieldTransform(sitk.Cast(io.to_sitk(field), sitk.sitkVectorFloat64))


def _unusable(what: str, path: Path, found: str) -> DataError:
    return DataError(
        f"{what}: cannot use {path}",
        found=found,
        expected="elastix's TransformParameters files; or of ITK a transform (.tfm, .txt, .h5) or an image of "
        "displacements (3 components, LPS mm)",
        hint="docs/how-to/registration.md says what each kind must hold",
    )
