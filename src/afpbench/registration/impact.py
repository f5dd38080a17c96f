"""Registration by the features of a pre-trained network: IMPACT, by the package itk-impact.

Boussot et al., IMPACT: A Generic Semantic Loss for Multimodal Medical Image Registration (arXiv:2503.24121). elastix
finds the stages before the B-spline; in the B-spline's place a dense field of displacements is found that minimises the
distance of the features of MR and CT and its own roughness (`itk::ImpactFineRegistration`: Adam on the displacements).

The package is optional: its wheels hold no PyTorch and use the libraries of the installed one, which must be of the
release that they were built for.
"""

import importlib.metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from packaging.requirements import Requirement

from ..base.errors import ConfigError, DataError
from ..base.log import tools
from ..study.registration import MODELS
from ..volumes import io
from ..volumes.io import Geometry, Volume
from ..volumes.normalization import HU_RANGE
from ..volumes.preprocessing import AIR_HU
from . import elastix, quality
from .intensity import clipped_mr
from .parameters import parameter_maps
from .warp import warp

PACKAGE = "itk-impact"
FIELD = "displacement.nii.gz"
STAGE = "impact"
INSTALL = (
    "pip install 'itk-impact==0.1.6' 'torch==2.12.*' into the environment that registers; docs/how-to/registration.md "
    "says what else there is to know"
)


def attempt(
    pairs: list[tuple[Volume, Volume]], mr: Volume, ct: Volume, mask: np.ndarray | None, options: dict, out: Path
) -> tuple[np.ndarray, dict]:
    """The displacement field (z, y, x, 3; LPS mm) on the MR's grid, and what the record says of it.

    pairs: the images that the stages before see. mr: on the case's grid. ct: HU, on its own grid. mask: where features
    are compared, on the MR's grid; None for everywhere. options: as checked, with `stiffness` in a further attempt,
    which multiplies `impact.smoothness` by `folding.bending_factor` as often. Writes FIELD into `out`.
    Raises ConfigError without the package or the model, and DataError where one of the two fails.
    """
    check_package()
    check_model(options["impact"])
    before, metrics = _stages_before(pairs, mask, options, out)
    seen = np.ones(mr.geometry.shape, np.uint8) if mask is None else mask.astype(np.uint8)
    moved = np.clip(warp(ct, mr.geometry, before, "cubic", AIR_HU), *HU_RANGE).astype(np.float32)
    covered = warp(ct.with_array(np.ones(ct.array.shape, np.uint8)), mr.geometry, before, "nearest", 0)
    smoothness = options["impact"]["smoothness"] * options["folding"]["bending_factor"] ** options.get("stiffness", 0)
    found, loss = _refine(clipped_mr(mr), mr.with_array(moved), (seen, covered), options, smoothness)
    field = composed(before, found, mr.geometry)
    out.mkdir(parents=True, exist_ok=True)
    io.write(Volume(field, mr.geometry), out / FIELD)
    determinant = quality.jacobian_determinant(field, mr.geometry)
    return field, {
        "smoothness": smoothness,
        "final_metrics": {**metrics, STAGE: loss},
        "jacobian_min": float(determinant.min()),
        "folded_share": float((determinant <= 0).mean()),
    }


def composed(before: np.ndarray, found: np.ndarray, grid: Geometry) -> np.ndarray:
    """The displacement of p -> T(p + found(p)), where `before` is that of T, which is affine.

    Both (z, y, x, 3), LPS mm. before(p + d) = before(p) + A d, with the matrix A that the corners of the grid give.
    """
    last = np.array(grid.shape) - 1
    corners = np.array(list(np.ndindex(2, 2, 2))) * last
    places = corners[:, ::-1] * np.array(grid.spacing_mm[::-1]) @ np.array(grid.direction).reshape(3, 3).T
    known = np.hstack([places, np.ones((8, 1))])
    matrix = np.linalg.lstsq(known, before[tuple(corners.T)].astype(np.float64), rcond=None)[0][:3]
    return (before + found + found @ matrix).astype(np.float32)


def check_package() -> None:
    """Raises ConfigError where the package is not installed, or beside another PyTorch than it was built for."""
    try:
        needed = list(map(Requirement, importlib.metadata.requires(PACKAGE) or []))
    except importlib.metadata.PackageNotFoundError as error:
        raise ConfigError(
            f"registration.method 'impact' needs the package {PACKAGE}",
            found="not installed",
            expected=f"{PACKAGE} 0.1.6, and the PyTorch that it was built for (2.12)",
            hint=INSTALL,
        ) from error
    for need in (need for need in needed if need.marker is None or need.marker.evaluate()):
        version = importlib.metadata.version(need.name)
        if not need.specifier.contains(version.partition("+")[0]):
            raise ConfigError(
                f"registration.method 'impact': {PACKAGE} {importlib.metadata.version(PACKAGE)} was built for another "
                f"{need.name}",
                found=f"{need.name} {version}",
                expected=str(need),
                hint=INSTALL,
            )


def check_model(impact: dict) -> None:
    """Raises ConfigError where the file of the model is not there."""
    if not Path(impact["model"]).is_file():
        raise ConfigError(
            f"registration.impact.model: no such file: {impact['model']}",
            expected="a TorchScript module that maps (1, 1, z, y, x) to a list of feature maps",
            hint=MODELS,
        )


def _stages_before(pairs: list, mask: np.ndarray | None, options: dict, out: Path) -> tuple[np.ndarray, dict]:
    """The displacement of elastix's stages but the B-spline, and the final metric of each; zeros without a stage."""
    fixed, moving = pairs[0]
    maps = [(name, values) for name, values in parameter_maps(options, fixed.spacing_mm) if name != "bspline"]
    if not maps:
        return np.zeros((*fixed.geometry.shape, 3), np.float32), {}
    metrics = elastix.run_elastix([fixed], [moving], mask, [values for _, values in maps], options["threads"], out)
    files = elastix.transform_files(out)
    field = elastix.displacement_mm(files, fixed.geometry)
    for path in files:
        path.unlink()  # the field has them in it
    return field, dict(zip([name for name, _ in maps], metrics, strict=False))


def _refine(
    mr: Volume, ct: Volume, masks: tuple[np.ndarray, np.ndarray], options: dict, smoothness: float
) -> tuple[np.ndarray, float]:
    """The field that IMPACT finds of two images on one grid, and the last value of what it minimises.

    masks: of the MR and of the CT, uint8.
    """
    tools(PACKAGE)
    itk, impact = _itk(), options["impact"]
    images = [elastix.to_itk(volume) for volume in (mr, ct)]
    regions = [np.ascontiguousarray(mask) for mask in masks]
    views = [elastix.placed(itk.masks.GetImageViewFromArray(array), mr.geometry) for array in regions]
    refinement = itk.Refinement.New()
    refinement.SetFixedImage(images[0][0])
    refinement.SetMovingImage(images[1][0])
    refinement.SetFixedMask(views[0])
    refinement.SetMovingMask(views[1])
    try:
        refinement.AddModelConfiguration(itk.Model(*model_arguments(impact)))
        for name, value in settings(impact, smoothness, options["seed"]).items():
            getattr(refinement, f"Set{name}")(value)
        with elastix.itk_threads(options["threads"]):
            refinement.Update()
    except RuntimeError as error:
        raise DataError(
            f"{mr.source}: IMPACT failed",
            found=_reason(error),
            expected="a model that takes (1, 1, z, y, x), with an output for each sign of registration.impact.layers",
            hint="correct registration.impact: model, layers, weights",
        ) from error
    field = np.array(itk.fields.GetArrayFromImage(refinement.GetDisplacementField()), dtype=np.float32)
    del images, regions
    return field, float(list(refinement.GetMetricValuesPerIteration())[-1])


def model_arguments(impact: dict) -> tuple:
    """What itk::ImpactModelConfiguration takes: the file, dimensions, channels, patch and voxels (x, y, z; 0: the whole
    image as it is), overlap, whether each output is compared, mixed precision."""
    voxel = float(impact["voxel_mm"] or 0)
    layers = [sign == "1" for sign in impact["layers"]]
    return (str(impact["model"]), 3, 1, [0, 0, 0], [voxel] * 3, [0, 0, 0], layers, False)


def settings(impact: dict, smoothness: float, seed: int) -> dict[str, Any]:
    """What itk::ImpactFineRegistration is set to, by the names of its setters without `Set`."""
    count = impact["layers"].count("1")
    return {
        "Mode": "Static",  # the features of each image once, those of the CT moved with the field
        "Distance": [impact["distance"]] * count,
        "LayersWeight": [float(weight) for weight in impact["weights"] or [1.0] * count],
        "SubsetFeatures": [0] * count,  # all of them
        "PCA": [0] * count,  # none
        "NumberOfIterations": int(impact["iterations"]),
        "RegularizationWeight": float(smoothness),
        "GridShrinkFactor": int(impact["grid_voxels"]),
        "ControlGridSmoothingIterations": 1,
        "Device": impact["device"],
        "Seed": int(seed),
    }


def _itk() -> SimpleNamespace:
    """The wrapped classes that are used here, imported by their modules as in `elastix`."""
    elastix.without_torch()
    from itk import itkImpactFineRegistrationPython as refinement
    from itk import itkImpactModelConfigurationPython as model
    from itk import itkPyBufferPython as buffers

    return SimpleNamespace(
        Refinement=refinement.itkImpactFineRegistrationIF3IF3,
        Model=model.itkImpactModelConfiguration,
        masks=buffers.itkPyBufferIUC3,
        fields=buffers.itkPyBufferIVF33,
    )


def _reason(error: Exception) -> str:
    """What ITK or PyTorch says, without the place in their sources and without their frames."""
    lines = [line.removeprefix("ITK ERROR: ").strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(("/", "frame #", "Exception raised"))]
    return told[0] if told else str(error)
