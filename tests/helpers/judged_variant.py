"""A variant whose validation case a small nnU-Net looks at, as the workflow gives it to a training."""

from pathlib import Path

from conftest import GRID
from nnunet_folder import make_folder


def judged(prepared: Path, folder: Path, changed: dict) -> dict:
    """The variant `changed` with a judge of two structures. prepared: of p4. folder: for the network's weights, which
    are random: they segment too."""
    weights = str(make_folder(folder / "judge", spacing_mm=GRID.spacing_mm))
    structures = {"one": [1], "others": [2, 3]}
    options = {"kind": "nnunet", "folder": weights, "folds": [0], "tile_step": 0.5}
    return {
        **changed,
        "judge": {
            "structures": {name: {"segmenter": "judge", "labels": labels} for name, labels in structures.items()},
            "segmenters": {"judge": {"options": options, "folder": weights, "weights": [weights]}},
            "cases": {"p4": str(prepared)},
        },
    }
