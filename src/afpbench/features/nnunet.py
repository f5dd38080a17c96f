"""nnU-Net v2 model folders as feature networks: everything is read from plans.json, dataset.json and a checkpoint."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..base.atomic import read_json
from ..base.errors import ModelError, UnusableFile
from ..nnunet.compat import ensure_torchvision_operators
from .base import FeatureNetwork
from .checkpoints import load_checkpoint
from .mapping import InputMapping
from .unet import UNetLayers

# Readers of nnU-Net that turn images to RAS, against our canonical LPS arrays: y and x run the other way.
NO_FLIP: tuple[int, ...] = ()
FLIPS: dict[str, tuple[int, ...]] = {"NibabelIOWithReorient": (1, 2), "SimpleITKIOWithReorient": (1, 2)}


@dataclass(frozen=True)
class ModelFolder:
    """An nnU-Net v2 model folder, read. `plans` and `configuration` are nnU-Net's own managers."""

    path: Path
    plans: Any
    configuration: Any
    configuration_name: str
    dataset: dict
    checkpoint_path: Path
    checkpoint: dict

    @property
    def has_regions(self) -> bool:
        """Whether the network was trained on overlapping regions (sigmoid) and not on labels (softmax)."""
        return bool(self.plans.get_label_manager(self.dataset).has_regions)


class NnunetFeatures(FeatureNetwork):
    """The features of one fold of an nnU-Net v2 model folder.

    folder: an nnU-Net v2 model folder, `<Trainer>__<Plans>__<configuration>` with plans.json, dataset.json and
    fold_<k>/checkpoint_final.pth. Plans of nnU-Net 2.0 to 2.2 (`UNet_class_name`) load through nnU-Net's conversion.
    spacing_mm: of the training grid. layers: see UNetLayers. Weights load strictly and stay frozen.
    """

    def __init__(
        self,
        folder: str | Path,
        spacing_mm: Sequence[float],
        layers: str | int | Sequence[str] | None = None,
        fold: int | str = "auto",
        checkpoint: str = "checkpoint_final.pth",
        configuration: str | None = None,
    ):
        super().__init__()
        model = read_model_folder(folder, fold, checkpoint, configuration)
        _check_input(model)
        self.has_regions = model.has_regions
        self.source = str(model.path)
        self.network = UNetLayers(build_network(model), layers, f"nnU-Net folder {model.path}")
        self.layer_names = self.network.layer_names
        self.strides = self.network.strides
        self.mapping = InputMapping(
            spacing_mm,
            model.configuration.spacing,
            transpose=model.plans.transpose_forward,
            flip=FLIPS.get(model.plans.plans.get("image_reader_writer"), NO_FLIP),
            normalization=model.configuration.normalization_schemes[0],
            properties=foreground_properties(model),
            divisor=self.network.reduction,
        )
        self.freeze()

    def extract_each(self, x: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """The features of `x` (B, 1, z, y, x), in nnU-Net's preprocessed space."""
        if all(n <= d for n, d in zip(x.shape[2:], self.network.reduction, strict=True)):
            raise ModelError(
                f"nnU-Net folder {self.source}: the patch is too small for the layers used",
                found=f"{tuple(x.shape[2:])} on the network's grid, one voxel in its lowest stage",
                expected=f"more than {tuple(self.network.reduction)} along some axis",
                hint="use larger patches, or name shallower layers (encoder.0, encoder.1, ...)",
            )
        yield from self.network.stream(x)


class FoldEnsemble(FeatureNetwork):
    """Several folds of one model folder: their layers side by side, so that Eq. 1's mean goes over all of them."""

    def __init__(self, networks: dict[str, NnunetFeatures]):
        super().__init__()
        self.networks = nn.ModuleList(networks.values())
        members = list(networks.values())
        self.layer_names = [f"{fold}/{name}" for fold, n in networks.items() for name in n.layer_names]
        self.strides = [stride for network in members for stride in network.network.strides]
        self.mapping = members[0].mapping
        self.has_regions = members[0].has_regions
        self.freeze()

    def extract_each(self, x: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """The features of all folds, one fold after the other."""
        before = 0
        networks: list[Any] = list(self.networks)
        for network in networks:
            for place, feature in network.extract_each(x):
                yield before + place, feature
            before += len(network.layer_names)


def load_nnunet(
    folder: str | Path,
    spacing_mm: Sequence[float],
    layers: str | int | Sequence[str] | None = None,
    fold: int | str | Sequence[int | str] = "auto",
    **options,
) -> FeatureNetwork:
    """One fold of a model folder as a feature network, or several.

    fold: a number, "all" (nnU-Net's fold_all), "auto" (the first there is), "every" (each fold that has the
    checkpoint), or a list. options: those of NnunetFeatures.
    """
    if fold == "every":
        checkpoint = options.get("checkpoint", "checkpoint_final.pth")
        fold = [path.name.removeprefix("fold_") for path in find_folds(Path(folder), checkpoint)]
    if isinstance(fold, str | int):
        return NnunetFeatures(folder, spacing_mm, layers, fold, **options)
    return FoldEnsemble({f"fold_{k}": NnunetFeatures(folder, spacing_mm, layers, k, **options) for k in fold})


def read_model_folder(
    folder: str | Path,
    fold: int | str = "auto",
    checkpoint: str = "checkpoint_final.pth",
    configuration: str | None = None,
) -> ModelFolder:
    """Read an nnU-Net v2 model folder, without building its network.

    configuration: `3d_fullres` and the like; by default what the checkpoint says, else the folder's name, else the
    only one in the plans.
    Raises ModelError when a file is missing or is not what nnU-Net writes.
    """
    ensure_torchvision_operators()
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    folder = Path(folder)
    plans, dataset = (_read_json(folder, name) for name in ("plans.json", "dataset.json"))
    path = _checkpoint_path(folder, fold, checkpoint)
    content = load_checkpoint(path)
    if "network_weights" not in content:
        raise ModelError(
            f"not a checkpoint of nnU-Net v2: {path}", found=f"keys {sorted(content)}", expected="network_weights"
        )
    name = configuration or _configuration_name(folder, plans, content)
    manager = PlansManager(plans)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected old nnU-Net plans format")
            resolved = manager.get_configuration(name)
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"{folder / 'plans.json'}: no usable configuration {name!r}",
            found=", ".join(plans.get("configurations", {})) or "no configurations",
            hint=f"nnU-Net says: {error}",
        ) from error
    return ModelFolder(folder, manager, resolved, name, dataset, path, content)


def foreground_properties(model: ModelFolder) -> dict[str, float]:
    """The foreground intensities (HU) of the first channel in the plans; {} where the normalisation uses none.

    Raises ModelError where CTNormalization has none to work with.
    """
    plans, scheme = model.plans.plans, model.configuration.normalization_schemes[0]
    keys = ("foreground_intensity_properties_per_channel", "foreground_intensity_properties_by_modality")
    found: dict[str, Any] = next((plans[key] for key in keys if plans.get(key)), {})
    properties = found.get("0") or {}
    missing = [key for key in ("mean", "std", "percentile_00_5", "percentile_99_5") if key not in properties]
    if scheme == "CTNormalization" and missing:
        raise ModelError(
            f"{model.path / 'plans.json'}: CTNormalization without the foreground's intensities",
            found=f"no {', '.join(missing)} of channel 0 in {keys[0]}",
            expected="the numbers that nnU-Net found in the training set's CTs",
            hint="copy them from the training set's dataset_fingerprint.json (foreground_intensity_properties_per_"
            "channel), or use the plans.json that nnU-Net wrote",
        )
    return properties


def build_network(model: ModelFolder) -> nn.Module:
    """The folder's network with its weights (strict), without deep supervision, on the CPU."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels

    configuration = model.configuration
    try:
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            determine_num_input_channels(model.plans, configuration, model.dataset),
            model.plans.get_label_manager(model.dataset).num_segmentation_heads,
            allow_init=False,
            deep_supervision=False,
        )
    except (ImportError, KeyError, TypeError, AssertionError) as error:
        raise ModelError(
            f"{model.path / 'plans.json'}: the architecture of {model.configuration_name} cannot be built",
            found=f"{type(error).__name__}: {error}",
            hint="the plans may be of another version of nnU-Net, or the network class is not installed",
        ) from error
    return load_weights(network, model)


def load_weights(network: nn.Module, model: ModelFolder) -> nn.Module:
    """Put the folder's weights into a network, strictly, and return it. Raises ModelError where they do not fit."""
    weights = {key.removeprefix("module."): value for key, value in model.checkpoint["network_weights"].items()}
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise ModelError(
            f"the weights do not fit the plans: {model.checkpoint_path}",
            found="\n    ".join(line.strip() for line in str(error).splitlines()[1:6]),
            expected=f"the parameters of {type(network).__name__} as {model.path / 'plans.json'} says",
            hint=f"the trainer was {model.checkpoint.get('trainer_name')}: if it builds a network of its own, "
            "export it as TorchScript and use kind: torchscript",
        ) from error
    return network


def find_folds(folder: Path, checkpoint: str = "checkpoint_final.pth") -> list[Path]:
    """The fold folders that hold the checkpoint, by name."""
    return sorted(path.parent for path in folder.glob(f"fold_*/{checkpoint}"))


def _checkpoint_path(folder: Path, fold: int | str, checkpoint: str) -> Path:
    folds = find_folds(folder, checkpoint)
    if fold != "auto":
        folds = [path for path in folds if path.name == f"fold_{fold}"]
    if not folds:
        there = sorted(str(path.relative_to(folder)) for path in folder.glob("fold_*/*.pth"))
        raise ModelError(
            f"nnU-Net folder {folder}: no checkpoint {'fold_*' if fold == 'auto' else f'fold_{fold}'}/{checkpoint}",
            found=", ".join(there) or "no checkpoint at all",
            hint="name fold and checkpoint, or put the weights there",
        )
    return folds[0] / checkpoint


def _configuration_name(folder: Path, plans: dict, checkpoint: dict) -> str:
    known = list(plans.get("configurations", {}))
    from_checkpoint = (checkpoint.get("init_args") or {}).get("configuration")
    for name in (from_checkpoint, folder.name.split("__")[-1]):
        if name in known:
            return str(name)
    if len(known) == 1:
        return known[0]
    raise ModelError(
        f"nnU-Net folder {folder}: which configuration is it?",
        found=f"plans with {', '.join(known) or 'no configurations'}; the checkpoint says {from_checkpoint!r}",
        expected="a folder named <Trainer>__<Plans>__<configuration>, or init_args in the checkpoint",
        hint="name it: configuration: 3d_fullres",
    )


def _read_json(folder: Path, name: str) -> dict:
    if not (folder / name).exists():
        raise ModelError(
            f"nnU-Net folder {folder}: no {name}",
            expected="plans.json, dataset.json and fold_<k>/checkpoint_final.pth",
            hint="give the folder <Trainer>__<Plans>__<configuration>, not the one above it or a fold in it",
        )
    try:
        return read_json(folder / name)
    except UnusableFile as error:
        raise ModelError(
            f"{folder / name} cannot be used", found=error.cause, hint="copy the model's folder again, or train it anew"
        ) from error


def _check_input(model: ModelFolder) -> None:
    """A feature network takes one 3D CT: no 2D configuration, no cascade, no second channel."""
    channels = model.dataset.get("channel_names") or model.dataset.get("modality") or {}
    problem = None
    if len(model.configuration.patch_size) != 3:
        problem = f"the configuration {model.configuration_name} is 2D"
    elif model.configuration.previous_stage_name is not None:
        problem = f"the configuration {model.configuration_name} is the second of a cascade"
    elif len(channels) != 1:
        problem = f"input channels: {', '.join(channels.values())}"
    if problem:
        raise ModelError(
            f"nnU-Net folder {model.path}: not usable as a feature network",
            found=problem,
            expected="a 3D network with CT as its only input",
        )
