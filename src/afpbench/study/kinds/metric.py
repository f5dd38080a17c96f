"""What a metric is, as a study file names it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .kind import Kind

if TYPE_CHECKING:
    import numpy as np


class Metric(Kind):
    """A number that says how near a synthetic CT is to the real one: of the image, or of a structure in it.

    A subclass says how it is shown (`label`, `better`, `decimals`, `unit`), what it is computed `of`, and implements
    `of_image` or `of_structure`. Those built in are computed by families: see metrics/catalogue.py.
    """

    GROUP: ClassVar[str] = "metrics"
    TAG: ClassVar[str] = "metric"
    label: ClassVar[str] = ""
    better: ClassVar[str] = "higher"  # or `lower`, or `zero`: a signed error, the smaller its absolute value
    decimals: ClassVar[int] = 3
    unit: ClassVar[str] = ""
    of: ClassVar[str] = "structure"  # or `image`

    @classmethod
    def of_image(
        cls, real_hu: "np.ndarray", synthetic_hu: "np.ndarray", mask: "np.ndarray", spacing_mm: Sequence[float]
    ) -> float:
        """The value of one case; NaN where there is none.

        real_hu, synthetic_hu: z, y, x. mask: bool, the voxels that count: the body, or all of the volume.
        """
        raise NotImplementedError(f"{cls.__name__}.of_image")

    @classmethod
    def of_structure(
        cls, real: "np.ndarray", synthetic: "np.ndarray", spacing_mm: Sequence[float], options: Mapping[str, Any]
    ) -> float:
        """The value of one structure of one case; NaN where there is none.

        real, synthetic: bool (z, y, x), the structure in the real and in the synthetic CT, cropped to where either is.
        options: the structure's entry, with `tolerance_mm`.
        """
        raise NotImplementedError(f"{cls.__name__}.of_structure")
