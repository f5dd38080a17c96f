"""What a schema cannot see of the options of a training."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..messages import not_among

NNUNET_OPTIMIZERS = ("sgd", "adamw")


def training_problems(place: str, training: Mapping[str, Any], what: str, optimizers: Sequence[str]) -> Iterator[str]:
    """The optimiser is one of those that fit; each GPU takes the same number of patches.

    place: of the entry that is trained. what: why other optimisers do not fit.
    """
    found, batch, gpus = (training[key] for key in ("optimizer", "batch_size", "gpus"))
    if found not in optimizers:
        yield not_among(f"{place}.training.optimizer", found, optimizers, what)
    if batch % gpus:
        yield (
            f"{place}.training.gpus: a batch of {batch} patches cannot be shared equally; found: {gpus}; "
            "hint: set batch_size to a multiple of it"
        )
