"""What the gallery's pictures show: one thorax of the phantom, and where its coronal slice lies."""

from functools import cache

import numpy as np

from afpbench.phantom.generate import PhantomCase, generate
from afpbench.study import pretrained

REGION, INDEX, SEED = "thorax", 2, 2026
SPACING_MM = (3.0, 3.0, 3.0)
Y_MM = 0.0  # LPS, of the coronal slice
HU = {"cmap": "gray", "vmin": -1000, "vmax": 500}
TOTALSEGMENTATOR = pretrained.folder() / "thorax_totalsegmentator"
AIRWAYS = pretrained.folder() / "thorax_airways"
LESIONS = pretrained.folder() / "thorax_lesions"


@cache
def case() -> PhantomCase:
    """The phantom, CT and labels on a grid of 3 mm."""
    return generate(REGION, INDEX, SEED, SPACING_MM)


def coronal(array: np.ndarray) -> np.ndarray:
    """The slice of an array (z, y, x) that covers the phantom's field of view, at any resolution."""
    geometry = case().ct.geometry
    share = (Y_MM - geometry.origin_mm[1]) / (geometry.spacing_mm[1] * geometry.shape[1])
    return array[:, int(share * array.shape[1])]


def show(axis, plane: np.ndarray, title: str = "", **style) -> None:
    """Draw a coronal slice with the head up."""
    axis.imshow(plane, origin="lower", interpolation="nearest", extent=(0, 4, 0, 3), **style)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)
