"""A task of a study, completed, with its parts as what they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .file_rows import FileRow
from .kinds import Generator, Loss, Network, Segmenter, Source, Table
from .kinds.registry import GENERATORS, LOSSES, NETWORKS, SEGMENTERS, SOURCES, TABLES
from .rows import TRAINING_CONTROLS


@dataclass(frozen=True, eq=False)
class Task:
    """One task. options: its completed section of the study. root: where relative paths start. seed: the study's."""

    name: str
    options: Mapping[str, Any]
    root: Path
    seed: int = 0

    @property
    def place(self) -> str:
        """Where it stands in the study file."""
        return f"tasks.{self.name}"

    @cached_property
    def source(self) -> Source:
        """Where its cases come from."""
        data = self.options["data"]
        return SOURCES[data["source"]](data, "", self, self.root)

    @cached_property
    def segmenters(self) -> dict[str, Segmenter]:
        """Its segmenters by name."""
        return {name: SEGMENTERS.make(entry, name, self) for name, entry in self.options["segmenters"].items()}

    @cached_property
    def networks(self) -> dict[str, Network]:
        """Its feature networks that are no segmenters, by name."""
        return {name: NETWORKS.make(entry, name, self) for name, entry in self.options["feature_networks"].items()}

    @cached_property
    def generators(self) -> dict[str, Generator]:
        """Its generators by name."""
        return {name: GENERATORS.make(entry, name, self) for name, entry in self.options["generators"].items()}

    @cached_property
    def tables(self) -> dict[str, Table]:
        """Its tables by name."""
        return {name: TABLES.make(entry, name, self) for name, entry in self.options["tables"].items()}

    @cached_property
    def trained(self) -> dict[str, dict[str, Any]]:
        """Its variants that are trained, by name."""
        return {name: entry for name, entry in self.options["variants"].items() if "synthetic" not in entry}

    @cached_property
    def file_rows(self) -> dict[str, FileRow]:
        """Its variants whose synthetic CTs come from files, by name."""
        return {
            name: FileRow(entry, self.root, f"{self.place}.variants.{name}.synthetic")
            for name, entry in self.options["variants"].items()
            if entry.get("synthetic")
        }

    @cached_property
    def label_rows(self) -> list[str]:
        """Its variants that have no synthetic CT: their label maps lie in files."""
        variants = self.options["variants"].items()
        return [name for name, entry in variants if "synthetic" in entry and entry["synthetic"] is None]

    @property
    def needs_training(self) -> bool:
        """Whether anything takes training cases: a variant, a segmenter, a control."""
        learners = any(segmenter.trained_here for segmenter in self.segmenters.values())
        return bool(self.trained) or learners or any(name in TRAINING_CONTROLS for name in self.options["controls"])

    def structure_labels(self, name: str) -> list[int]:
        """The values of a structure's classes in its segmenter's label maps."""
        structure = self.options["structures"][name]
        values = self.segmenters[structure["segmenter"]].class_values()
        return [values[label] for label in structure["classes"]]

    def losses(self, variant: str) -> list[Loss]:
        """The terms of a variant's loss, in order."""
        terms: list[Mapping[str, Any]] = self.options["variants"][variant]["loss"]
        place = f"{self.place}.variants.{variant}.loss"
        return [LOSSES[term["term"]](term, "", self, f"{place}[{index}]") for index, term in enumerate(terms)]

    def feature_network(self, name: str) -> Segmenter | Network | None:
        """The segmenter or feature network of that name, as losses name them; None where there is neither."""
        return self.segmenters.get(name) or self.networks.get(name)

    def loss_networks(self, variant: str) -> list[str]:
        """The networks in a variant's loss, each once, in order."""
        return list(dict.fromkeys(name for loss in self.losses(variant) for name in loss.network_names()))
