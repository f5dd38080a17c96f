"""What can be wrong in how a task's networks are applied."""

from ..splits import is_ensemble
from ..task import Task


def check_inference(task: Task) -> list[str]:
    """An uncertainty map needs more than one look at each MR."""
    inference, place = task.options["inference"], f"{task.place}.inference.uncertainty"
    if not inference["uncertainty"]:
        return []
    if not task.trained:
        return [f"{place}: no row is trained, and nothing is known of the uncertainty of images from files"]
    if inference["mirror"] or is_ensemble(task.options["splits"]):
        return []
    return [
        f"{place}: one network looks at each MR once, so nothing spreads; allowed: true beside an ensemble of folds "
        "(splits.folds and splits.test) or mirror images (inference.mirror); hint: mirror: [x]"
    ]
