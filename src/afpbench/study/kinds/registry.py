"""Which kinds there are. They are named here and imported when a study is planned; a new one changes no other file.

A kind of a user's own comes from an installed package (entry points in the group `afpbench.losses` and so on), or from
a file that the study names under `extensions`. Jobs learn of such files by an environment variable.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from ...base.errors import ConfigError
from .contract import ExtensionError
from .generator import Generator
from .kind import Kind
from .lookup import Registry
from .loss import Loss
from .metric import Metric
from .network import Network
from .segmenter import Segmenter
from .source import Source
from .table import Table

EXTENSIONS_VARIABLE = "AFPBENCH_EXTENSIONS"


SOURCES = Registry(
    "sources",
    Source,
    {
        "phantom": ".sources.phantom:Phantom",
        "sts": ".sources.sts:Sts",
        "table": ".sources.table:Table",
        "folder": ".sources.folder:Folder",
        "bids": ".sources.bids:Bids",
        "synthrad2023": ".sources.synthrad2023:SynthRad2023",
        "synthrad2025": ".sources.synthrad2025:SynthRad2025",
    },
)
SEGMENTERS = Registry(
    "segmenters",
    Segmenter,
    {
        "totalsegmentator": ".segmenters.totalsegmentator:TotalSegmentator",
        "nnunet": ".segmenters.nnunet:NnUNet",
        "trained": ".segmenters.trained:Trained",
        "distilled": ".segmenters.distilled:Distilled",
        "naviairway": ".segmenters.naviairway:NaviAirway",
        "files": ".segmenters.label_files:LabelFiles",
    },
)
NETWORKS = Registry(
    "networks",
    Network,
    {
        "medicalnet": ".networks.medicalnet:MedicalNet",
        "torchscript": ".networks.torchscript:TorchScript",
        "nnunet": ".networks.nnunet:NnUNet",
        "naviairway": ".networks.naviairway:NaviAirway",
    },
)
GENERATORS = Registry(
    "generators",
    Generator,
    {
        "nnunet": ".generators.nnunet:NnUNet",
        "pix2pixhd": ".generators.pix2pixhd:Pix2PixHD",
        "spade": ".generators.spade:Spade",
    },
)
LOSSES = Registry(
    "losses",
    Loss,
    {
        "l1": ".losses.l1:L1",
        "mse": ".losses.mse:Mse",
        "afp": ".losses.afp:Afp",
        "perceptual": ".losses.perceptual:Perceptual",
        "hu_anchor": ".losses.hu_anchor:HuAnchor",
        "segmentation": ".losses.segmentation:Segmentation",
    },
)
METRICS = Registry(
    "metrics",
    Metric,
    {
        "mae": ".metrics.image:Mae",
        "me": ".metrics.image:Me",
        "rmse": ".metrics.image:Rmse",
        "psnr": ".metrics.image:Psnr",
        "ssim": ".metrics.image:Ssim",
        "ms_ssim": ".metrics.image:MsSsim",
        "checkerboard": ".metrics.image:Checkerboard",
        "mr_edges": ".metrics.mr:MrEdges",
        "mae_uncalibrated": ".metrics.image:MaeUncalibrated",
        "me_uncalibrated": ".metrics.image:MeUncalibrated",
        "uncertainty_spearman": ".metrics.uncertainty:UncertaintySpearman",
        "uncertainty_ause": ".metrics.uncertainty:UncertaintyAuse",
        "dice": ".metrics.structure:Dice",
        "nsd": ".metrics.structure:Nsd",
        "hd95": ".metrics.structure:Hd95",
        "assd": ".metrics.structure:Assd",
        "asd_real_to_synthetic": ".metrics.structure:AsdRealToSynthetic",
        "asd_synthetic_to_real": ".metrics.structure:AsdSyntheticToReal",
        "volume_error": ".metrics.structure:VolumeError",
        "tree_length": ".metrics.tree:TreeLength",
        "branches": ".metrics.tree:Branches",
        "branch_count": ".metrics.tree:BranchCount",
        "leakage": ".metrics.tree:Leakage",
        "training_vram_mb": ".metrics.cost:TrainingMemory",
        "iteration_seconds": ".metrics.cost:IterationSeconds",
        "training_hours": ".metrics.cost:TrainingHours",
        "inference_vram_mb": ".metrics.cost:InferenceMemory",
        "inference_seconds": ".metrics.cost:InferenceSeconds",
    },
)
TABLES = Registry(
    "tables",
    Table,
    {
        "scores": ".tables.scores:Scores",
        "cost": ".tables.cost:Cost",
        "registration_bias": ".tables.registration_bias:RegistrationBias",
    },
)
REGISTRIES: dict[str, Registry[Any]] = {
    registry.group: registry for registry in (SOURCES, SEGMENTERS, NETWORKS, GENERATORS, LOSSES, METRICS, TABLES)
}


def use_extensions(paths: Iterable[str | Path], root: Path) -> None:
    """Take the kinds of these files, in the place of those of any study before, here and in processes started later.

    Raises ExtensionError for files that are missing, cannot be imported, hold no kind, or one that cannot be used or
    whose name is taken; no file is in use then.
    """
    given = [Path(os.path.normpath(root / Path(path).expanduser())).absolute() for path in paths]
    files = list(dict.fromkeys(given))
    _forget_files()
    if problems := [problem for path in files for problem in _problems_of(_load_file, path)]:
        _forget_files()
        raise ExtensionError(problems)
    if files:
        os.environ[EXTENSIONS_VARIABLE] = os.pathsep.join(map(str, files))


def _forget_files() -> None:
    for registry in REGISTRIES.values():
        registry.forget_files()
    os.environ.pop(EXTENSIONS_VARIABLE, None)


def extensions() -> list[Path]:
    """The extension files in use."""
    return [Path(path) for path in os.environ.get(EXTENSIONS_VARIABLE, "").split(os.pathsep) if path]


def _load_file(path: Path) -> None:
    module = _import_file(path)
    found = [
        cls
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, Kind) and cls.__module__ == module.__name__ and cls.name
    ]
    if not found:
        raise ConfigError(
            f"extensions: {path} holds no kind",
            expected="a class that derives from one of afpbench.study.kinds and has a `name`",
        )
    if problems := [problem for cls in found for problem in _problems_of(_register, cls, path)]:
        raise ExtensionError(problems)


def _register(cls: type[Kind], path: Path) -> None:
    if cls.GROUP not in REGISTRIES:
        raise ConfigError(
            f"extensions: {path}: class {cls.__qualname__} belongs to no group of kinds",
            expected="a class that derives from " + ", ".join(group.base.__name__ for group in REGISTRIES.values()),
        )
    REGISTRIES[cls.GROUP].add_file_class(cls, path)


def _problems_of(action: Callable[..., None], *arguments: Any) -> list[ConfigError]:
    """What keeps the action from being done; nothing where it is done."""
    try:
        action(*arguments)
    except ExtensionError as error:
        return error.problems
    except ConfigError as error:
        return [error]
    return []


class _FromSource(SourceFileLoader):
    """Reads a file as it is now: bytecode on the disk may be of one that was edited within the same second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(
            f"extensions: no such file: {path}",
            expected="a Python file",
            hint="relative paths start from the folder where Snakemake runs",
        )
    name = f"afpbench_extension_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"extensions: {path} is not a Python file", expected="a name that ends in .py")
    spec.loader = _FromSource(name, str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(
            f"extensions: {path} cannot be imported",
            found=f"{type(error).__name__}: {error}",
            hint="import what is heavy inside the methods that use it, so that a study can be planned without it"
            if isinstance(error, ImportError)
            else "correct the file: python FILE shows where",
        ) from error
    return module


def _of_environment() -> None:
    """A job knows the extension files from the process that started it."""
    if paths := extensions():
        use_extensions(paths, Path.cwd())


_of_environment()
