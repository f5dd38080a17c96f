"""Which epoch is the best, where a study asks for its weights: by the measure that says most of what it wants."""

from collections.abc import Collection

# Column of the curves -> whether more is better. A training ranks its epochs by the first of these that it has.
MEASURES = {"case_dice": True, "case_mae_hu": False, "validation_loss": False}


def measure_of(columns: Collection[str]) -> str:
    """The column that a training with these columns ranks its epochs by."""
    return next(name for name in MEASURES if name in columns)


def is_better(measure: str, value: float, best: float) -> bool:
    """Whether a value of the measure is better than the best one so far; of equals the first stays."""
    return value > best if MEASURES[measure] else value < best
