"""What a training is validated by, and its weights are chosen by. Standard library only: planning reads it."""

from collections.abc import Iterable, Mapping
from typing import Any

JUDGED = "validate_structures"  # the key of a training; of generators only


def judged_structures(training: Mapping[str, Any], structures: Iterable[str]) -> list[str]:
    """The structures that are judged in whole validation cases. structures: those of the task."""
    chosen = training[JUDGED]
    if isinstance(chosen, bool):
        return list(structures) if chosen else []
    return list(chosen)


def epochs(training: Mapping[str, Any]) -> int:
    """How many epochs a training has."""
    return -(-training["iterations"] // training["iterations_per_epoch"])


def chosen_by(training: Mapping[str, Any], structures: Mapping[str, Mapping[str, Any]]) -> str:
    """What the epoch is chosen by that makes the model, for captions; "" for the last epoch. structures: the task's."""
    if training["checkpoint"] != "best":
        return ""
    judged = [structures[name]["label"] for name in judged_structures(training, structures)]
    if judged:
        return f"the highest mean Dice of {', '.join(judged)} on whole validation cases"
    if training["validate_cases_every_epochs"]:
        return "the lowest MAE on whole validation cases"
    return "the lowest loss on patches of validation cases"
