"""Closed contours as a mask, as DICOM PS3.3 C.8.8.6.3 (Representing Inner and Outer Contours) has them.

Contours of type CLOSED_PLANAR enclose each a part of the structure: together they are its union, and a hole is drawn by
a keyhole, a channel that joins the outer and the inner line of one contour. Contours of type CLOSEDPLANAR_XOR are
combined by exclusive or. A contour's own line is filled by the even-odd rule.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..volumes.io import Geometry
from .dicom_files import BrokenError

OFF_SLICE = 0.25  # of the slice spacing: contours further from a slice were drawn in another image
OFF_IMAGE = 0.5  # of a voxel beyond the last centres: there the image ends
SAME_POINT = 1e-3  # of a voxel
OTHER_IMAGE = "give the RTSTRUCT that was drawn in this image, or a mask as an image file"
EXPORT_AGAIN = "export it again from the program that drew it, or give a mask as an image file"


@dataclass(frozen=True)
class Loop:
    """One contour on its slice. corners: n x 2, in y, x, in voxels; low, high: the box around them; area: in voxels,
    signed by the sense of rotation."""

    corners: np.ndarray
    low: np.ndarray
    high: np.ndarray
    area: float

    @classmethod
    def of(cls, corners: np.ndarray) -> "Loop":
        y, x = corners.T
        area = float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
        return cls(corners, corners.min(axis=0), corners.max(axis=0), area)

    @property
    def key(self) -> bytes:
        """The same for contours of the same corners, wherever they begin and whichever way they run."""
        rounded = np.round(self.corners / SAME_POINT)
        return rounded[np.lexsort(rounded.T)].tobytes()


def fill(polygons: list[np.ndarray], xor: bool, geometry: Geometry) -> tuple[np.ndarray, list[str]]:
    """The mask (z, y, x, boolean) of a structure on a grid, and what of its contours looks wrong, in words.

    polygons: each n x 3, LPS mm. xor: they are CLOSEDPLANAR_XOR. A voxel belongs to the structure if its centre lies
    inside. Raises BrokenError for contours off the grid's slices or beside it, and where their meaning is open.
    """
    slices, cut = _by_slice(polygons, geometry)
    mask = np.zeros(geometry.shape, bool)
    inside = 0
    for number, loops in slices.items():
        different = list({loop.key: loop for loop in loops}.values())
        if xor:
            _check_once(loops, different)
        else:
            inside += _count_inside(different)
        for loop in different:
            _add(loop, mask[number], xor)
    return mask, _findings(slices, cut, inside, len(polygons))


def _by_slice(polygons: list[np.ndarray], geometry: Geometry) -> tuple[dict[int, list[Loop]], int]:
    """Number of the slice -> its contours, and how many reach beyond the image."""
    turn = np.linalg.inv(np.array(geometry.direction).reshape(3, 3))
    spacing_mm = np.array(geometry.spacing_mm[::-1])
    last = np.array(geometry.shape[1:]) - 1 + OFF_IMAGE
    slices: dict[int, list[Loop]] = {}
    cut = 0
    for polygon in polygons:
        index = (polygon - np.array(geometry.origin_mm)) @ turn.T / spacing_mm
        loop = Loop.of(index[:, 1::-1])
        low, high = loop.low, loop.high
        if (high < -OFF_IMAGE).any() or (low > last).any():
            raise BrokenError(
                "a contour beside the image",
                found=f"x {low[1]:.1f} to {high[1]:.1f}, y {low[0]:.1f} to {high[0]:.1f} in voxels, counted from 0",
                expected=f"within {geometry.shape[2]} x {geometry.shape[1]} voxels",
                hint=OTHER_IMAGE,
            )
        cut += bool((low < -OFF_IMAGE).any() or (high > last).any())
        slices.setdefault(_slice_of(index[:, 2], geometry.shape[0]), []).append(loop)
    return slices, cut


def _slice_of(z: np.ndarray, count: int) -> int:
    number = int(np.rint(z.mean()))
    if np.abs(z - number).max() > OFF_SLICE or not 0 <= number < count:
        raise BrokenError(
            "a contour that does not lie on a slice of the image",
            found=f"at slice {z.min():.2f} to {z.max():.2f}, counted from 0",
            expected=f"on one of {count} slices",
            hint=OTHER_IMAGE,
        )
    return number


def _add(loop: Loop, plane: np.ndarray, xor: bool) -> None:
    """Unite a slice of the mask with the pixels whose centres lie inside a contour, or change them."""
    from skimage.draw import polygon2mask

    first = np.clip(np.floor(loop.low), 0, plane.shape).astype(int)
    after = np.clip(np.ceil(loop.high) + 1, first, plane.shape).astype(int)
    part = plane[first[0] : after[0], first[1] : after[1]]
    if part.size:
        filled = polygon2mask(part.shape, loop.corners - first)
        part[...] = part ^ filled if xor else part | filled


def _check_once(loops: list[Loop], different: list[Loop]) -> None:
    """No contour twice: by exclusive or the two would take each other away."""
    if len(different) < len(loops):
        raise BrokenError(
            "the same CLOSEDPLANAR_XOR contour twice",
            found="two contours with the same corners on one slice, which cancel each other",
            expected="each contour once",
            hint=EXPORT_AGAIN,
        )


def _count_inside(loops: list[Loop]) -> int:
    """How many contours lie inside another of their slice. By the standard they add nothing; but a contour that runs
    the other way round is how many programs mean a hole."""
    loops = sorted(loops, key=lambda loop: -abs(loop.area))
    lows, highs = np.array([loop.low for loop in loops]), np.array([loop.high for loop in loops])
    count = 0
    for number, loop in enumerate(loops):
        around = ((lows[:number] <= loop.low) & (highs[:number] >= loop.high)).all(axis=1)
        outer = _outer(loop, (loops[other] for other in np.flatnonzero(around)))
        if outer is not None and outer.area * loop.area < 0:
            raise BrokenError(
                "a contour that may or may not be a hole",
                found="a CLOSED_PLANAR contour inside another that runs the other way round",
                expected="holes as keyholes or as contours of type CLOSEDPLANAR_XOR (DICOM PS3.3 C.8.8.6.3)",
                hint=EXPORT_AGAIN,
            )
        count += outer is not None
    return count


def _outer(loop: Loop, candidates: Iterable[Loop]) -> Loop | None:
    """The first of some contours that holds another with every corner."""
    from skimage.measure import points_in_poly

    return next((other for other in candidates if points_in_poly(loop.corners, other.corners).all()), None)


def _findings(slices: dict[int, list[Loop]], cut: int, inside: int, count: int) -> list[str]:
    found = []
    if inside:
        found.append(
            f"{inside} CLOSED_PLANAR contour{'s' * (inside > 1)} inside another: filled, since by the standard it is "
            "no hole (a hole is a keyhole, or CLOSEDPLANAR_XOR)"
        )
    if cut:
        found.append(f"{cut} of {count} contours reaching beyond the image, cut off at its edge")
    span = max(slices) - min(slices) + 1
    if gaps := span - len(slices):
        found.append(
            f"no contour on {gaps} of {span} slices between its first and its last: drawn on some slices only, or in "
            "separate parts; nothing is put between"
        )
    return found
