"""A generator trained for two iterations, with its card, as the workflow leaves one."""

from pathlib import Path

from conftest import GRID, SPLITS, training_options

from afpbench.base.atomic import read_json
from afpbench.base.hardware import Runtime
from afpbench.prediction.card import write_card
from afpbench.training.variant import train_variant
from afpbench.volumes import mr_range

ABOUT = {
    "name": "thorax/l1",
    "title": "Thorax",
    "label": "L1",
    "generator": "nnunet",
    "loss": [{"term": "l1", "weight": 1}],
    "cite": ["Isensee et al."],
    "spacing_mm": list(GRID.spacing_mm),
    "bias_correction": "none",
    "inference": {"overlap": 0.5, "fusion": "median", "mirror": []},
    "precision": "float32",
}


def train_model(training_set, prepared_cases, folder: Path, seed: int = 1, calibration: dict | None = None) -> Path:
    """The model folder below `folder`. training_set, prepared_cases: the fixtures."""
    options = training_options(iterations=2, iterations_per_epoch=1, augmentation="none")
    variant = {"generator": "nnunet", "loss": ABOUT["loss"], "training": options}
    runtime = Runtime("cpu", "float32", threads=1, seed=seed)
    train_variant("thorax/l1", *training_set, variant, {}, None, folder / "work", folder / "model", runtime)
    train = {case: prepared_cases[case] for case in SPLITS["train"]}
    seen = mr_range.fit(train, train, read_json(training_set[1])["mr"])
    write_card(folder / "model", ABOUT, seen, calibration)
    return folder / "model"
