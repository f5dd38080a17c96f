"""The seeds that a study trains its variants with, and what the results of each are called. Standard library only.

The results of the study's own seed bear the row's name alone, as in a study without `seeds`: a finished study that gets
more seeds trains the new ones only.
"""

import re
from collections.abc import Mapping
from typing import Any

RANGE = 2**32  # of NumPy's and PyTorch's seeds
MARK = r"\.seed_\d+"  # behind a row's name; no name has a dot


def training_seeds(study: Mapping[str, Any]) -> list[int]:
    """The seeds that variants are trained with: those listed, so many from the study's own on, or that one alone."""
    own, wanted = study["seed"], study["seeds"]
    if isinstance(wanted, list):
        return list(wanted)
    return [(own + step) % RANGE for step in range(wanted or 1)]


def from_command_line(seeds: Any) -> Any:
    """`seeds` as a study file has it: of `--config seeds=[1,2]` Snakemake makes a list of texts."""
    if not isinstance(seeds, list):
        return seeds
    return [int(seed) if isinstance(seed, str) and re.fullmatch(r"\d+", seed) else seed for seed in seeds]


def seed_marks(study: Mapping[str, Any]) -> dict[str, int]:
    """The wildcard `seed` -> the seed, of each seed that variants are trained with."""
    return {seed_mark(seed, study): seed for seed in training_seeds(study)}


def seed_mark(seed: int, study: Mapping[str, Any]) -> str:
    """The wildcard of a seed: "" for the study's own, `.seed_7` for another."""
    return "" if seed == study["seed"] else f".seed_{seed}"


def with_seed(label: str, mark: str, seeds: Mapping[str, int]) -> str:
    """The name of a network for people, with its seed where there are several. seeds: as `seed_marks` returns them."""
    return f"{label}, seed {seeds[mark]}" if len(seeds) > 1 else label
