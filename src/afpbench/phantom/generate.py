"""One phantom case from (seed, region, index)."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..base.errors import ConfigError
from ..volumes.io import Geometry, Volume
from . import pelvis, render, thorax
from .canvas import Canvas
from .deformation import displacement_on, draw_deformation
from .fields import random_field
from .labels import LABELS
from .pose import Pose, draw_pose
from .sampling import block_vote
from .tissues import SEQUENCES, case_look, draw_signal

REGIONS = {"thorax": thorax, "pelvis": pelvis}
EXTENT_MM = (216.0, 216.0, 288.0)  # the CT's field of view, z, y, x
MARGIN_MM = 30.0  # anatomy drawn beyond it in z, for the MR
WARP_MM = {"thorax": 10.0, "pelvis": 16.0}  # about the largest bend of a case's anatomy
WARP_WAVES_MM = (180.0, 400.0)
RANGE_SHIFT_MM = {"thorax": 22.0, "pelvis": 33.0}  # of the scanned range along z, at most
SPACING_RANGE_MM = (1.0, 6.0)


@dataclass(frozen=True)
class PhantomCase:
    """ct: int16 HU; ct_labels: uint8 on its grid; fine_labels: uint8, the same on a grid twice as fine; mr: float32;
    mr_labels: uint8, the labels in MR position on the MR grid; displacement: float32 (z, y, x, 3) on the MR grid,
    x, y, z in LPS mm; record: JSON-able; other_mr: the MR's contrasts after the first, on its grid."""

    ct: Volume
    mr: Volume
    ct_labels: Volume
    fine_labels: Volume
    mr_labels: Volume
    displacement: Volume
    record: dict
    other_mr: tuple[Volume, ...] = ()


def generate(
    region: str,
    index: int,
    seed: int,
    spacing_mm: float | Sequence[float] = 3.0,
    contrasts: Sequence[str] | None = None,
) -> PhantomCase:
    """Make a case; the same arguments give the same bytes.

    region: "thorax" or "pelvis". index: the case's number. spacing_mm: the CT's voxel size, one figure or z, y, x,
    1 to 6 mm (the anatomy is laid out for 3; the field of view of 216 x 216 x 288 mm is kept). contrasts: the MR's
    sequences (`ute`, `t1`, `t2`), None for the region's own; a further one changes nothing of the case but adds itself.
    Displacement: for a point p in MR space the CT shows the same tissue at p + displacement(p).
    Raises ConfigError for an unknown region or sequence, a negative index or seed, or a spacing out of range.
    """
    spacing = _checked(region, index, seed, spacing_mm, contrasts or ())
    root = np.random.SeedSequence([seed, zlib.crc32(region.encode()), index])
    anatomy, look_rng, ct_rng, mr_rng, motion, mr_grain = (np.random.default_rng(child) for child in root.spawn(6))
    build = REGIONS[region].draw_build(anatomy)
    half_view = np.array(EXTENT_MM[::-1]) / 2
    pose = draw_pose(anatomy, REGIONS[region].half_body(build), half_view, RANGE_SHIFT_MM[region])
    canvas, ct_grid, window = _canvas(spacing, anatomy, pose, WARP_MM[region])
    record = {"region": region, "index": index, "seed": seed, "spacing_mm": list(spacing)}
    record |= {"pose": pose.record()} | REGIONS[region].draw(canvas, build, anatomy)
    look = case_look(look_rng, region, contrasts[0] if contrasts else None)
    coarse = [size // 2 for size in canvas.shape]
    texture, mr_texture = render.draw_texture(look_rng, coarse), render.draw_texture(mr_grain, coarse)
    kernel = {
        "noise_hu": round(ct_rng.uniform(9, 15), 3),
        "sharpening": round(ct_rng.uniform(0.35, 0.6), 3),
        "dependent_hu": round(ct_rng.uniform(12, 30), 3),
    }
    hu = render.render_ct(canvas, texture, look, ct_rng, kernel)
    labels = block_vote(canvas.labels, 2)
    deformation, motion_record = draw_deformation(motion, region, record)
    mr_geometry = render.mr_grid(motion, ct_grid)
    deformation, displacement, figures = displacement_on(
        deformation, render.grid_axes(mr_geometry), mr_geometry.spacing_mm
    )
    indices = render.sample_indices(canvas, deformation, mr_geometry)
    mr, mr_record = render.render_mr(canvas, mr_texture, look, mr_rng, indices, mr_geometry)
    record |= {"ct": kernel, "mr": mr_record, "deformation": motion_record | figures}
    others, other_mr = list(contrasts or ())[1:], []
    for contrast, child in zip(others, root.spawn(len(others)), strict=True):
        rng = np.random.default_rng(child)
        of_contrast = replace(look, signal=draw_signal(rng, contrast))
        image, record[f"mr_{contrast}"] = render.render_mr(canvas, mr_texture, of_contrast, rng, indices, mr_geometry)
        other_mr.append(Volume(image, mr_geometry))
    record["labels"] = _voxel_counts(labels[window])
    return PhantomCase(
        ct=Volume(hu[window], ct_grid),
        mr=Volume(mr, mr_geometry),
        ct_labels=Volume(labels[window], ct_grid),
        fine_labels=_fine_labels(canvas, ct_grid, window),
        mr_labels=render.mr_labels(canvas, indices, mr_geometry),
        displacement=Volume(displacement, mr_geometry),
        record=record,
        other_mr=tuple(other_mr),
    )


def _checked(region: str, index: int, seed: int, spacing_mm, contrasts: Sequence[str]) -> tuple[float, float, float]:
    """The spacing as three floats, after all arguments were checked."""
    if region not in REGIONS:
        raise ConfigError(
            "phantom: no such region", found=repr(region), expected=" or ".join(REGIONS), hint="correct `data: region`"
        )
    if index < 0 or seed < 0:
        raise ConfigError(
            f"phantom {region}: case number and seed must not be negative", found=f"index {index}, seed {seed}"
        )
    if unknown := [contrast for contrast in contrasts if contrast not in SEQUENCES]:
        raise ConfigError(
            f"phantom {region}: no such MR sequence", found=", ".join(unknown), expected=" or ".join(SEQUENCES)
        )
    z, y, x = (float(value) for value in np.broadcast_to(np.asarray(spacing_mm, float), (3,)))
    low, high = SPACING_RANGE_MM
    if not all(low <= value <= high for value in (z, y, x)):
        raise ConfigError(
            f"phantom {region}: voxel size out of range",
            found=f"{spacing_mm} mm",
            expected=f"{low} to {high} mm",
            hint="the anatomy is laid out for 3 mm; set `data: spacing_mm: [3.0, 3.0, 3.0]`",
        )
    return z, y, x


def _canvas(
    spacing: tuple, rng: np.random.Generator, pose: Pose, warp_mm: float
) -> tuple[Canvas, Geometry, tuple[slice, ...]]:
    """The canvas at half the CT's spacing, the CT's grid, and where that lies in the canvas (in CT voxels)."""
    shape = np.array([round(extent / step) for extent, step in zip(EXTENT_MM, spacing, strict=True)])
    margin = np.array([round(MARGIN_MM / spacing[0]), 0, 0])
    step = np.array(spacing)
    origin = -(shape - 1) * step / 2
    fine_origin = -((shape + 2 * margin) * step) / 2 + step / 4
    grid = Geometry.of(shape, spacing, origin[::-1])
    warp = random_field(rng, warp_mm, WARP_WAVES_MM)
    z, y, x = (int(n) for n in 2 * (shape + 2 * margin))
    canvas = Canvas((z, y, x), step / 2, fine_origin[::-1], warp, pose)
    window = tuple(slice(int(m), int(m + n)) for m, n in zip(margin, shape, strict=True))
    return canvas, grid, window


def _fine_labels(canvas: Canvas, grid: Geometry, window: tuple[slice, ...]) -> Volume:
    """The labels as painted: eight voxels where the CT, whose field of view this is, has one."""
    fine = tuple(slice(2 * part.start, 2 * part.stop) for part in window)
    origin = [o - step / 4 for o, step in zip(grid.origin_mm, grid.spacing_mm[::-1], strict=True)]
    geometry = Geometry.of([2 * n for n in grid.shape], [step / 2 for step in grid.spacing_mm], origin)
    return Volume(np.ascontiguousarray(canvas.labels[fine]), geometry)


def _voxel_counts(labels: np.ndarray) -> dict[str, int]:
    """Voxels of every structure that the CT's label map holds."""
    counts = np.bincount(labels.ravel(), minlength=256)
    return {name: int(counts[value]) for name, value in LABELS.items() if counts[value]}
