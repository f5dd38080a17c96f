"""What the MRs of a training were (their voxels and size, tilt, intensities), and whether another MR is like them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import DataError
from ..study.channels import roles, title
from . import io, normalization
from .io import Geometry, Volume

AXES = ("z", "y", "x")
LENGTHS = {"spacing_mm": "voxels", "extent_mm": "size"}
PERCENTILES = (1, 50, 99)
WIDER = 1.25  # of a length: what may lie beyond the training's before it is told
TILT_MARGIN_DEGREES = 15.0
INTENSITY_MARGIN = 0.2  # of the distance between the lowest first and the highest last percentile
FAR = 5.0  # of all lengths: then the voxel sizes are in another unit than mm


def fit(imported: Mapping[str, Path], prepared: Mapping[str, Path], mr_stats: dict) -> dict:
    """The ranges over the training cases: {"cases", and "low" and "high" of each of what `_describe` gives}.

    imported, prepared: case id -> folder; the cases are those of `prepared`. mr_stats: the `mr` part of
    normalization.json. Of several channels the ranges are the first one's, and those of the others are listed under
    "other_channels". One image is in memory at a time. No case is named.
    """
    parts = normalization.channel_stats(mr_stats)
    first, *others = (_ranges(role, imported, prepared, stats) for role, stats in zip(roles(parts), parts, strict=True))
    listed = {"other_channels": others} if others else {}
    return {"cases": len(prepared), "percentiles": list(PERCENTILES), **first, **listed}


def _ranges(role: str, imported: Mapping[str, Path], prepared: Mapping[str, Path], stats: dict) -> dict:
    """The lowest and the highest value over the cases, of one channel. stats: what it is normalised by."""
    found = [
        _describe(
            io.read(imported[case] / f"{role}.nii.gz", f"case {case}: {title(role)}").geometry,
            io.read(folder / f"{role}.nii.gz", f"case {case}: {title(role)}"),
            stats,
        )
        for case, folder in prepared.items()
    ]
    return {
        key: {
            "low": np.min([item[key] for item in found], axis=0).tolist(),
            "high": np.max([item[key] for item in found], axis=0).tolist(),
        }
        for key in found[0]
    }


def check_unit(stored: Geometry, ranges: dict, what: str) -> None:
    """Refuse an MR whose every side is far smaller, or far larger, than any that the training saw.

    stored: its own grid, on canonical axes. what: with the case. Raises DataError.
    """
    low, high = (np.array(ranges["extent_mm"][end]) for end in ("low", "high"))
    extent = _extent_mm(stored)
    if (extent * FAR < low).all() or (extent > FAR * high).all():
        raise DataError(
            f"{what}: its voxel sizes cannot be in mm",
            found=f"{_words(extent)} mm (z, y, x) of {_words(stored.spacing_mm)} mm a voxel",
            expected=f"about {_words(low)} to {_words(high)} mm, as the training's MRs",
            hint="correct the spacing in the header: it may be in cm or m, or lost in a conversion",
        )


def findings(
    stored: Sequence[Geometry], mr: Sequence[Volume], mr_stats: dict, ranges: dict, names: Sequence[str] = ()
) -> list[str]:
    """In words, where an MR is unlike all that the training saw.

    stored: the grid of each channel, its own; mr: on the network's spacing. names: of the channels.
    """
    parts = normalization.channel_stats(mr_stats)
    percentiles = ranges["percentiles"]
    seen = [{**one, "percentiles": percentiles} for one in (ranges, *ranges.get("other_channels", []))]
    each = zip(roles(parts), stored, mr, parts, seen, strict=True)
    return [
        f"{title(role, names)}: {finding}" if names else finding
        for role, grid, image, stats, one in each
        for finding in _findings(grid, image, stats, one)
    ]


def _findings(stored: Geometry, mr: Volume, stats: dict, ranges: dict) -> list[str]:
    own = _describe(stored, mr, stats)
    found = []
    for key, words in LENGTHS.items():
        low, high = ranges[key]["low"], ranges[key]["high"]
        for axis, value, least, most in zip(AXES, own[key], low, high, strict=True):
            if not least / WIDER <= value <= most * WIDER:
                found.append(f"its {words} along {axis}: {value:.3g} mm; the training saw {least:.3g} to {most:.3g} mm")
    tilted = ranges["tilt_degrees"]["high"]
    if own["tilt_degrees"] > tilted + TILT_MARGIN_DEGREES:
        found.append(f"it is tilted by {own['tilt_degrees']:.0f} degrees; the training saw up to {tilted:.0f}")
    low, high = ranges["normalised"]["low"], ranges["normalised"]["high"]
    margin = INTENSITY_MARGIN * (high[-1] - low[0])
    for percent, value, least, most in zip(ranges["percentiles"], own["normalised"], low, high, strict=True):
        if not least - margin <= value <= most + margin:
            seen = f"the training saw {least:.2f} to {most:.2f}"
            found.append(f"its normalised intensities, percentile {percent}: {value:.2f}; {seen}")
    return found


def _describe(stored: Geometry, mr: Volume, mr_stats: dict) -> dict[str, Any]:
    """spacing_mm of the stored voxels and extent_mm of the field of view (z, y, x), tilt_degrees of the grid against
    the patient's axes, and the PERCENTILES of the normalised MR."""
    cosines = np.abs(np.array(stored.direction).reshape(3, 3)).max(axis=0)
    return {
        "spacing_mm": np.array(stored.spacing_mm),
        "extent_mm": _extent_mm(stored),
        "tilt_degrees": float(np.degrees(np.arccos(np.clip(cosines.min(), 0, 1)))),
        "normalised": np.percentile(normalization.normalize_mr(mr.array, mr_stats), PERCENTILES),
    }


def _extent_mm(grid: Geometry) -> np.ndarray:
    return np.array(grid.shape) * np.array(grid.spacing_mm)


def _words(lengths_mm) -> str:
    return " x ".join(f"{value:.3g}" for value in lengths_mm)
