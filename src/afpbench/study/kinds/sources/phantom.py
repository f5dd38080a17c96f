"""Phantoms: made here, so that every truth is known."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ... import channels
from ..source import Source

if TYPE_CHECKING:
    from ....volumes.io import Volume

MOST_CASES = 1000
CONTRASTS = ("ute", "t1", "t2")  # as the columns of phantom.tissues


class Phantom(Source):
    """Pairs made by the built-in generator, with true labels and a known deformation between MR and CT."""

    name = "phantom"
    implementation = "afpbench.phantom.generate:generate"
    makes_cases = True
    knows_deformation = True
    required: ClassVar[tuple[str, ...]] = ("region", "cases")
    absent: ClassVar[Mapping[str, str]] = {"mr": "a phantom's MR is made; contrasts names its channels"}
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "region": {"description": "The part of the body.", "enum": ["thorax", "pelvis"]},
        "cases": {"description": "Number of cases.", "type": "integer", "minimum": 1, "maximum": MOST_CASES},
        "spacing_mm": {
            "description": "Voxel size of the generated CT in mm, in the order z, y, x. The MR is coarser by the "
            "generator's fixed factor.",
            "default": [3.0, 3.0, 3.0],
            "$ref": "#/$defs/spacing_mm",
        },
        "contrasts": {
            "description": "The MR's sequences, one channel each, of the same anatomy in the same position; the first "
            "is the MR that the CT is registered to. `null`: `ute` in the thorax, `t2` in the pelvis.",
            "type": ["array", "null"],
            "items": {"enum": list(CONTRASTS)},
            "minItems": 1,
            "uniqueItems": True,
            "default": None,
        },
    }

    @property
    def contrasts(self) -> tuple[str, ...] | None:
        """The MR's sequences; None for the region's own."""
        given = self.options.get("contrasts")
        return tuple(given) if given else None

    @property
    def mr_channels(self) -> tuple[str, ...]:
        contrasts = self.contrasts or ()
        return contrasts if len(contrasts) > 1 else ()

    def available(self) -> list[str]:
        return [f"{self.options['region']}_{number:03d}" for number in range(self.options.get("cases", MOST_CASES))]

    def label_ids(self) -> dict[str, int]:
        from ....phantom.labels import LABELS  # standard library only

        return dict(LABELS)

    def label_names(self) -> list[str]:
        """Those of its region."""
        from ....phantom.labels import REGION_CLASSES

        return list(REGION_CLASSES[self.options["region"]])

    @property
    def has_true_labels(self) -> bool:
        return True

    def index(self, case: str) -> int:
        """The number of a case: `thorax_007` -> 7."""
        return int(case.removeprefix(f"{self.options['region']}_"))

    def make_case(self, case: str, seed: int) -> "tuple[dict[str, Volume], dict[str, Any]]":
        spacing_mm = tuple(self.options["spacing_mm"])
        made = self.implement()(self.options["region"], self.index(case), seed, spacing_mm, self.contrasts)
        mr = (made.mr, *made.other_mr)
        volumes = {
            **dict(zip(channels.roles(mr), mr, strict=True)),
            "ct": made.ct,
            "labels": made.fine_labels,
            "mr_labels": made.mr_labels,
            "displacement": made.displacement,
        }
        return volumes, made.record

    @property
    def title(self) -> str:
        return f"phantoms of the {self.options['region']}, made by the built-in generator"
