"""The slices that a reader of the report chooses from: a few of every image of a case, as small pictures.

The pictures of an image in one plane stand side by side in one WebP, a *strip*, so that the page shows another slice by
moving it.
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image

from ..volumes import io
from .cases import Context, choose_case, read_mr, read_prepared, read_synthetic
from .slices import MARGIN_MM, PLANES, error_map, mr_limits, on_grid, span

COUNTS = {"axial": 7, "coronal": 3}  # slices of a plane; base/style.css has a rule for each
LARGEST_BYTES = 1_500_000  # of a case's strips, as text
LONGEST, QUALITIES = 384, (80, 60)  # pixels of a slice's longer side; WebP's quality
SHORTEST = 16

Shade = Callable[[np.ndarray], np.ndarray]  # of values (height, width) to bytes, (height, width) or (height, width, 3)


@dataclass(frozen=True)
class Cuts:
    """Slices of one plane. indices: along its axis. rows, columns: the part shown. spacing_mm: of rows and columns."""

    plane: str
    indices: Sequence[int]
    rows: slice
    columns: slice
    spacing_mm: tuple[float, float]

    def of(self, array: np.ndarray) -> np.ndarray:
        """The slices of a volume (z, y, x): (slice, row, column), the head or the front up."""
        axis = PLANES[self.plane]
        taken = np.moveaxis(np.take(array, self.indices, axis=axis), axis, 0)[:, self.rows, self.columns]
        return taken if self.plane == "axial" else taken[:, ::-1]

    @property
    def shown_mm(self) -> tuple[float, float]:
        """Width and height of the part shown."""
        rows, columns = self.rows.stop - self.rows.start, self.columns.stop - self.columns.start
        return columns * self.spacing_mm[1], rows * self.spacing_mm[0]

    def pixels(self, longest: int) -> tuple[int, int]:
        """Width and height of a picture: square pixels as fine as the voxels, but at most `longest` of them."""
        pixel_mm = max(min(self.spacing_mm), max(self.shown_mm) / longest)
        width, height = (max(1, round(side / pixel_mm)) for side in self.shown_mm)
        return width, height


@dataclass(frozen=True)
class Shown:
    """An image of a case. what: `mr`, `ct`, `row` or `error`. row: of the last two. slices: of each plane, as cut."""

    what: str
    row: str
    slices: Sequence[np.ndarray]
    shade: Shade


def choose_cuts(plane: str, count: int, inside: np.ndarray, spacing_mm: Sequence[float]) -> Cuts:
    """Slices that lie evenly in the body: in the middle of `count` equal parts of its length along the plane's axis.

    inside: the body (z, y, x). Of a body with fewer slices each is taken once.
    """
    present = [np.asarray(inside.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    axis = PLANES[plane]
    length = np.flatnonzero(present[axis])
    start, size = int(length[0]), int(length[-1]) + 1 - int(length[0])
    indices = dict.fromkeys(start + (2 * part + 1) * size // (2 * count) for part in range(count))
    row, column = (other for other in range(3) if other != axis)
    spans = [span(present[other], MARGIN_MM / spacing_mm[other]) for other in (row, column)]
    return Cuts(plane, list(indices), spans[0], spans[1], (spacing_mm[row], spacing_mm[column]))


def slice_panel(context: Context, pick: str, options: Mapping, long: pd.DataFrame) -> dict:
    """The record `slices.json` of a case: its strips, and what the page says of them.

    pick, long: as `draw_slices` takes them. options: {"window_hu", "error_hu"}. A strip belongs to the MR (`mr`), the
    real CT (`ct`), or a row's synthetic CT (`row`) or signed error inside the body (`error`); it has as many pictures
    as its plane has slices, the same ones for all.
    """
    case = choose_case(pick, long, context.reference)
    ct, mask = (read_prepared(context.root, case, name) for name in ("ct", "mask"))
    inside = mask.array != 0
    planes = [choose_cuts(plane, count, inside, ct.spacing_mm) for plane, count in COUNTS.items()]
    images = [
        Shown(what, row, [cuts.of(array) for cuts in planes], shade)
        for what, row, array, shade in _volumes(context, case, options, ct, inside)
    ]
    return {
        "case": case,
        "note": "",
        "window_hu": list(options["window_hu"]),
        "error_hu": options["error_hu"],
        "planes": [
            {"plane": cuts.plane, "slices": list(cuts.indices), "aspect": round(cuts.shown_mm[0] / cuts.shown_mm[1], 4)}
            for cuts in planes
        ],
        "images": [
            {"what": image.what, "row": image.row, "strips": strips}
            for image, strips in zip(images, encode(images, planes), strict=True)
        ],
    }


def _volumes(
    context: Context, case: str, options: Mapping, ct: io.Volume, inside: np.ndarray
) -> Iterator[tuple[str, str, np.ndarray, Shade]]:
    """What, row, voxels (z, y, x) and shade of every image, one after the other."""
    mr = read_mr(context.root, case)
    if mr is not None:
        yield "mr", "", mr.array, grey(*mr_limits(mr.array[inside]))
    hu, signed = grey(*options["window_hu"]), coloured(options["error_hu"])
    yield "ct", "", ct.array, hu
    for row in context.rows:
        array = on_grid(read_synthetic(context, row, case), ct, case, row)
        yield "row", row, array, hu
        yield "error", row, error_map(array, ct.array, inside), signed


def no_panel(words: str) -> dict:
    """The record of a case that cannot be shown, with the reason."""
    return {"case": "", "note": words, "window_hu": [], "error_hu": 0, "planes": [], "images": []}


def encode(images: Sequence[Shown], planes: Sequence[Cuts], largest: int = LARGEST_BYTES) -> list[list[str]]:
    """Each image's strip in each plane, as text (base64): as large and fine as fits into `largest` bytes for all."""
    strips: list[list[str]] = []
    for longest, quality in _tries():
        pixels = [cuts.pixels(longest) for cuts in planes]
        strips = [
            [_webp(strip(*one, image.shade), quality) for one in zip(image.slices, pixels, strict=True)]
            for image in images
        ]
        if sum(len(text) for image in strips for text in image) <= largest:
            break
    return strips


def _tries() -> Iterator[tuple[int, int]]:
    """Longest sides and qualities, each smaller than the one before."""
    yield from ((LONGEST, quality) for quality in QUALITIES)
    longest = LONGEST
    while longest > SHORTEST:
        longest = longest * 3 // 4
        yield longest, QUALITIES[-1]


def strip(slices: np.ndarray, pixels: tuple[int, int], shade: Shade) -> np.ndarray:
    """Slices (slice, row, column) side by side as bytes, each of `pixels` (width, height)."""
    resized = [Image.fromarray(one.astype(np.float32)).resize(pixels, Image.Resampling.BILINEAR) for one in slices]
    return shade(np.concatenate([np.asarray(one) for one in resized], axis=1))


def grey(low: float, high: float) -> Shade:
    """Values between black and white."""
    return lambda values: np.rint(255 * np.clip((values - low) / (high - low), 0, 1)).astype(np.uint8)


def coloured(limit: float) -> Shade:
    """Signed values from blue over white to red, as in the figures."""
    colours = matplotlib.colormaps["RdBu_r"]
    return lambda values: colours((values + limit) / (2 * limit), bytes=True)[..., :3]


def _webp(pixels: np.ndarray, quality: int) -> str:
    content = BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", quality=quality)
    return base64.b64encode(content.getvalue()).decode("ascii")
