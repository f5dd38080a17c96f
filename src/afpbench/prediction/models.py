"""The networks that are applied: model folders of the workflow, or a package of them, each with its card."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.atomic import read_json
from ..base.errors import ConfigError, ModelError
from ..study.channels import roles
from ..study.paths import ModelPaths
from . import package
from .card import read_card

# A plan names classes that are imported and called: those of a package from elsewhere are held to where networks are.
NETWORKS_OF = ("dynamic_network_architectures.", "afpbench.generators.")
PARTS_OF = ("torch.nn.", "dynamic_network_architectures.")
ALIKE = ("spacing_mm", "bias_correction", "mr_channels")


@dataclass(frozen=True)
class Model:
    """One trained network: its folder and its card."""

    folder: Path
    card: dict[str, Any]


@contextmanager
def opened(paths: Sequence[Path], chosen: Sequence[int] | None = None) -> Iterator[list[Model]]:
    """The networks of model folders and packages, checked; what a package holds is on the disk for so long.

    chosen: the numbers of those that are used, from 0, in the order of the paths; None for all.
    Raises ModelError or DataError for what is no model, ConfigError for numbers that are not there, and for networks
    that take MRs of different kinds.
    """
    with tempfile.TemporaryDirectory(prefix="afpbench-model-") as temporary:
        folders: list[Path] = []
        for number, path in enumerate(paths):
            packed = path.is_file()
            folders += package.unpack(path, Path(temporary) / str(number)) if packed else [path]
        models = [Model(folder, read_card(folder)) for folder in _chosen(folders, chosen)]
        for model in models:
            _check_architecture(model.folder)
        _check_alike(models)
        yield models


def check_channels(model: Model, found: int) -> None:
    """Refuse another number of images for each MR than the network takes. Raises ConfigError."""
    names = channels_of(model)
    if found != len(roles(names)):
        raise ConfigError(
            f"--mr: {model.card['name']} takes an MR of {len(names)} channels"
            if names
            else f"--mr: {model.card['name']} takes MRs of one image each",
            found=f"--mr given {found} times" if found > 1 else "--mr given once",
            expected=f"--mr for each channel, in this order: {', '.join(names)}" if names else "--mr once",
            hint="" if names else "several cases stand behind one --mr",
        )


def channels_of(model: Model) -> tuple[str, ...]:
    """The names of the channels of the MRs that a network takes, in their order; none of MRs of one image."""
    return tuple(model.card.get("mr_channels", ()))


def _chosen(folders: list[Path], chosen: Sequence[int] | None) -> list[Path]:
    if chosen is None:
        return folders
    if missing := [number for number in chosen if not 0 <= number < len(folders)]:
        raise ConfigError(
            "--folds: no such network",
            found=", ".join(map(str, missing)),
            expected=f"0 to {len(folders) - 1}" if len(folders) > 1 else "0, the only one",
        )
    return [folders[number] for number in dict.fromkeys(chosen)]


def _check_architecture(folder: Path) -> None:
    """Refuse plans that would have anything but a network, or a part of one, called."""
    path = Path(ModelPaths(folder.as_posix()).plans)
    for name, configuration in read_json(path).get("configurations", {}).items():
        architecture = configuration.get("architecture", {})
        arguments = architecture.get("arch_kwargs", {})
        parts = [arguments.get(key) for key in architecture.get("_kw_requires_import", [])]
        wrong = [part for part in parts if part is not None and not str(part).startswith(PARTS_OF)]
        network = str(architecture.get("network_class_name"))
        if wrong or not network.startswith(NETWORKS_OF):
            raise ModelError(
                f"{path}: the architecture of {name} is none of afpbench or nnU-Net",
                found=", ".join(map(str, wrong)) or network,
                expected=f"classes of {', '.join(NETWORKS_OF)}",
                hint="such plans could run any code: do not use a model that you do not trust",
            )


def _check_alike(models: Sequence[Model]) -> None:
    first = models[0]
    for model in models[1:]:
        for key in ALIKE:
            if model.card.get(key) != first.card.get(key):
                raise ConfigError(
                    f"--model: networks that take MRs of different kinds ({key})",
                    found=f"{first.card['name']}: {first.card.get(key)}, {model.card['name']}: {model.card.get(key)}",
                    expected="the folds or the seeds of one row",
                )
