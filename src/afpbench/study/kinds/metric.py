"""What a metric is, as a study file names it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..messages import not_among
from .kind import Kind

if TYPE_CHECKING:
    import numpy as np

REGIONS = {"body": "inside the body", "volume": "over the whole volume"}  # of the metrics of an image
ARROWS = {"higher": "↑", "lower": "↓", "zero": "→0"}  # where the better values lie
DIAGONAL = "diagonal"  # the penalty of a distance: that of the image
OF_IMAGES = {"image", "uncalibrated", "uncertainty", "mr"}  # whose columns have a region, and no structure
METHODS = {  # of -> what computes it
    "image": "of_image",
    "mr": "of_mr",
    "structure": "of_structure",
    "tree": "of_structure",
}


class Metric(Kind):
    """A number that says how near a synthetic CT is to the real one: of the image, or of a structure in it.

    A subclass says how it is shown (`label`, `better`, `decimals`, `unit`) and what it is computed `of`, and implements
    `of_image`, `of_mr` or `of_structure`. It is computed where a column of a table names it. The entry that its options
    are is such a column: `metric`, `structure`, `region`.

    label: its name in tables; `name` where there is none. better: `higher`, `lower`, or `zero` (a signed error: the
    smaller its absolute value, the better). decimals: digits after the point in tables for people. unit: "" for a
    ratio. of: one or more of `image`, `mr` (the synthetic CT and the MR that it was made of, inside the body alone),
    `structure`, `tree` (only structures with `tree: true`); built in are `uncalibrated` (the image before its HU
    calibration), `uncertainty` (the map of its spread) and `cost` (of training and inference). Where it is of several,
    the first is what it is of most of all. regions: where a metric of an image is taken.
    penalty: what a row counts with that finds nothing of a structure, where the metric has no value: a number, or
    `diagonal`, the image's from corner to corner in mm; None where there is none.
    family: "module:function" that computes it together with others, whether a table names it or not; of those built in.
    """

    GROUP: ClassVar[str] = "metrics"
    TAG: ClassVar[str] = "metric"
    SECTION: ClassVar[str] = "tables"
    label: ClassVar[str] = ""
    better: ClassVar[str] = "higher"
    decimals: ClassVar[int] = 3
    unit: ClassVar[str] = ""
    of: ClassVar[tuple[str, ...]] = ("structure",)
    regions: ClassVar[tuple[str, ...]] = tuple(REGIONS)
    penalty: ClassVar[float | str | None] = None
    family: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        cls.label = cls.label or cls.name
        cls.of = (cls.of,) if isinstance(cls.of, str) else tuple(cls.of)
        cls.regions = (cls.regions,) if isinstance(cls.regions, str) else tuple(cls.regions)

    @classmethod
    def code(cls) -> tuple[str, ...]:
        """The family's; else what it calls and its own, since `of` and `regions` say what is computed."""
        if cls.family:
            return (cls.family.partition(":")[0],)
        return tuple(dict.fromkeys([*super().code(), cls.__module__]))

    # --- how it is shown and compared

    @classmethod
    def arrow(cls) -> str:
        """↑, ↓ or →0: where the better values lie."""
        return ARROWS[cls.better]

    @classmethod
    def score(cls, value: Any) -> Any:
        """A number (or array) that is higher where the metric is better."""
        return {"higher": value, "lower": -value, "zero": -abs(value)}[cls.better]

    @classmethod
    def compared(cls, value: Any) -> Any:
        """The value that the statistics compare: itself, and for a signed error its absolute value."""
        return abs(value) if cls.better == "zero" else value

    @classmethod
    def shown(cls) -> dict[str, str | float | None]:
        """All that statistics, tables and figures take from here, for the parameters of their rules."""
        named = ("label", "better", "decimals", "unit", "penalty")
        return {name: getattr(cls, name) for name in named}

    @classmethod
    def in_hu(cls) -> bool:
        """Whether it compares HU in a structure too, and not its outlines: label maps alone do not have it."""
        return bool(cls.family) and "image" in cls.of

    # --- what a job does with one that is in no family

    @classmethod
    def of_image(
        cls, real_hu: "np.ndarray", synthetic_hu: "np.ndarray", mask: "np.ndarray", spacing_mm: Sequence[float]
    ) -> float:
        """The value of one case; NaN where there is none.

        real_hu, synthetic_hu: float64 (z, y, x), clipped as for every metric: to [-1024, 3000] HU, or as the task's
        `definition` has it. mask: bool (z, y, x), the voxels that count: the body, or all of the volume. spacing_mm: z,
        y, x.
        """
        value: float = cls.implement()(real_hu, synthetic_hu, mask, spacing_mm)
        return value

    @classmethod
    def of_mr(
        cls, mr: "np.ndarray", synthetic_hu: "np.ndarray", mask: "np.ndarray", spacing_mm: Sequence[float]
    ) -> float:
        """How well the synthetic CT of one case shows what its MR shows; NaN where there is no value.

        mr: float32 (z, y, x), any scale. synthetic_hu: as of `of_image`. mask: bool (z, y, x), the body as the MR shows
        it, where the CT has data. spacing_mm: z, y, x.
        """
        value: float = cls.implement()(mr, synthetic_hu, mask, spacing_mm)
        return value

    @classmethod
    def of_structure(
        cls, real: "np.ndarray", synthetic: "np.ndarray", spacing_mm: Sequence[float], options: Mapping[str, Any]
    ) -> float:
        """The value of one structure of one case; NaN where there is none.

        real, synthetic: bool (z, y, x), the structure in the real and in the synthetic CT, cropped to where either is.
        One of them may be empty, never both: that is NaN without a call. spacing_mm: z, y, x. options: `name`,
        `segmenter`, `tolerance_mm` and `tree` of the structure.
        """
        value: float = cls.implement()(real, synthetic, spacing_mm, options)
        return value

    # --- what can be wrong

    def problems(self) -> Iterable[str]:
        """What is wrong with a column of a table that names the metric."""
        if self.options["structure"] is None:
            yield from self._image_problems(self.options["region"])
        else:
            yield from self._structure_problems(self.options["structure"])

    @classmethod
    def to_write(cls) -> Iterable[tuple[str, ...]]:
        known = [METHODS[what] for what in cls.of if what in METHODS]
        return () if cls.family or cls.implementation else tuple((name,) for name in dict.fromkeys(known))

    @classmethod
    def class_problems(cls) -> Iterable[str]:
        allowed = {"better": ([cls.better], ARROWS), "regions": (cls.regions, REGIONS)}
        if not cls.family:
            allowed["of"] = (cls.of, METHODS)
        for attribute, (found, known) in allowed.items():
            yield from (not_among(attribute, word, known) for word in found if word not in known)
        if isinstance(cls.penalty, str) and cls.penalty != DIAGONAL:
            yield f"penalty: not allowed; found: '{cls.penalty}'; allowed: a number, or {DIAGONAL}"

    def _image_problems(self, region: str) -> Iterable[str]:
        if not OF_IMAGES & set(self.of):
            structures = ", ".join(self.task.options["structures"])
            yield f"{self.place}.structure: missing, '{self.name}' is computed per structure; allowed: {structures}"
        elif region not in self.regions:
            where = " or ".join(REGIONS[allowed] for allowed in self.regions)
            hint = "remove it" if "body" in self.regions else f"write region: {self.regions[0]}"
            yield f"{self.place}.region: '{self.name}' is taken {where} only; hint: {hint}"
        elif not self.task.source.has_ct:
            yield f"{self.place}.metric: '{self.name}' compares CTs, and the cases have none; hint: remove it"
        elif "mr" in self.of and not self.task.source.has_mr:
            yield f"{self.place}.metric: '{self.name}' compares with the MR, and the cases have none; hint: remove it"

    def _structure_problems(self, structure: str) -> Iterable[str]:
        structures, place = self.task.options["structures"], f"{self.place}.structure"
        if not {"structure", "tree"} & set(self.of):
            yield f"{place}: has no effect, since '{self.name}' is computed of the image; hint: remove it"
        elif structure not in structures:
            yield not_among(place, structure, structures, "no such structure")
        elif "structure" not in self.of and not structures[structure]["tree"]:
            trees = [name for name, spec in structures.items() if spec["tree"]]
            line = not_among(place, structure, trees, f"'{self.name}' is computed of trees only")
            yield f"{line}; hint: structures.{structure}.tree: true"
        elif self.in_hu() and not self.task.source.has_ct:
            yield f"{self.place}.metric: '{self.name}' compares CTs, and the cases have none; hint: remove it"
        elif self.options["region"] != "body":
            yield f"{self.place}.region: has no effect beside a structure; hint: remove it"
