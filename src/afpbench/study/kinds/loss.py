"""What a loss term is, as a study file names it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .kind import Kind, load

if TYPE_CHECKING:
    import torch

    from ...losses.base import LossContext, LossTerm

WEIGHT = {"type": "number", "exclusiveMinimum": 0, "default": 1, "description": "The term's factor in the sum."}


class Loss(Kind):
    """A term of a variant's loss.

    A subclass implements `value`, or names an `implementation` (a subclass of `losses.base.LossTerm`).
    """

    GROUP: ClassVar[str] = "losses"
    TAG: ClassVar[str] = "term"

    def __init__(self, options: Mapping[str, Any], entry: str = "", task: Any = None, place: str = ""):
        """place: where the term stands in the study file; a term has no name of its own."""
        super().__init__(options, entry, task)
        self._place = place

    @property
    def place(self) -> str:
        return self._place

    @classmethod
    def shared_properties(cls) -> Mapping[str, Mapping[str, Any]]:
        return {"weight": WEIGHT}

    @classmethod
    def to_write(cls) -> Iterable[tuple[str, ...]]:
        return () if cls.implementation else (("value", "build"),)

    def network_names(self) -> list[str]:
        """The networks of the task that the term uses, each once, in order."""
        return []

    def label_names(self) -> tuple[str, ...]:
        """The structures or labels, in the label maps of the cases, that the term is limited to; none for no limit."""
        return ()

    def value(
        self, synthetic: "torch.Tensor", real: "torch.Tensor", region: "torch.Tensor | None" = None
    ) -> "torch.Tensor":
        """The term's value, a scalar, differentiable in `synthetic`.

        synthetic, real: normalised CT (B, 1, z, y, x). region: where the term looks, the same shape, 1 inside and 0
        outside; None for everywhere, and for terms without the options `region` and `region_of`.
        """
        raise NotImplementedError(f"{type(self).__name__}.value")

    def build(self, context: "LossContext") -> "LossTerm":
        """The term as a module that a training calls. It loads the feature networks."""
        term: LossTerm
        if self.implementation:
            term = self.implement()(self.options, context)
        else:
            term = load("afpbench.losses.base:ValueTerm")(self, context)
        return term
