"""Stand-in weights in MedicalNet's own format, for machines where its weights cannot be had.

MedicalNet's ResNets were trained to segment CT and MR of many organs, with a head that was thrown away. Here the same
network learns to tell tissues apart in the real CT of the training cases (by ranges of HU, so that every data source
serves), on patches normalised as MedicalNet's input is, with a head of MedicalNet's layout that is thrown away as well.
It knows no structure that the tables measure. Real weights replace it through one config key (`weights`).
"""

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from ..base.atomic import atomic_path, sha256_of
from ..base.hardware import Runtime
from ..features.mapping import zscore_normalization
from ..features.medicalnet import ResNet
from ..volumes import io
from . import checkpoints, supervised

TRAINER = "nnUNetTrainerMedicalNet"
# Lower limits in HU; below the first is air, the background.
TISSUES = {"lung": -950, "fat": -300, "soft_tissue": -20, "bone": 150}
SMOOTHING_VOXELS = 0.7  # against noise, before the ranges are applied
PROJECTIONS = {10: True, 18: False, 34: False, 50: True}  # shortcuts of type B, or A, as in MedicalNet's files
HEAD = "conv_seg."


class MedicalNetSegmenter(ResNet):
    """MedicalNet's ResNet with its segmentation head: (B, 1, z, y, x) in HU to logits (B, classes, z, y, x)."""

    def __init__(self, depth: int, classes: int):
        super().__init__(depth, PROJECTIONS[depth])
        last: Any = cast(nn.Sequential, self.layer4)[-1]
        width = last.EXPANSION * 512
        self.conv_seg = nn.Sequential(
            nn.ConvTranspose3d(width, 32, 2, stride=2),
            nn.BatchNorm3d(32),
            nn.ReLU(inplace=True),
            nn.Conv3d(32, 32, 3, padding=1, bias=False),
            nn.BatchNorm3d(32),
            nn.ReLU(inplace=True),
            nn.Conv3d(32, classes, 1, bias=False),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]  # its head in place of its layers
        """Logits on the grid of `x`; each patch is brought to mean 0 and SD 1, as MedicalNet's input is."""
        size = x.shape[2:]
        with torch.autocast(x.device.type, enabled=False):
            x = zscore_normalization(x.float(), {})
        (features,) = super().forward(x, ["layer4"])
        return F.interpolate(self.conv_seg(features).float(), size=size, mode="trilinear", align_corners=False)


def train_stand_in(
    name: str,
    prepared: dict[str, Path],
    splits: dict,
    network: dict,
    spacing_mm,
    work: Path,
    out: Path,
    runtime: Runtime,
) -> None:
    """Train on the real CT of the training cases and write `out` in MedicalNet's format, with curves.csv and cost.json.

    prepared: case id -> prepared folder with ct.nii.gz. network: {depth, planner, patch_size, training}. work: rolling
    state, removed at the end. out: the checkpoint: `state_dict` with keys that begin with `module.`, without a head.
    """
    images = {case: folder / "ct.nii.gz" for case, folder in prepared.items()}
    data = supervised.LabelledCT(
        images,
        partial(_write_tissues, images),
        list(TISSUES),
        _key(images, splits, network, spacing_mm, runtime.seed),
        channel="noNorm",
    )
    training = {"name": name, "training": network["training"], "precision": runtime.precision, "seed": runtime.seed}
    settings = {**training, "depth": network["depth"]}
    model = out.parent / "training"
    supervised.train(TRAINER, data, splits, network, settings, spacing_mm, work, model, runtime)
    write_weights(model, out)
    shutil.rmtree(model)


def write_weights(model: Path, out: Path) -> None:
    """The weights of a trained model folder without their head, in MedicalNet's format, and the training's records."""
    weights = checkpoints.load(model / "fold_0" / "checkpoint_final.pth")["network_weights"]
    state = {f"module.{key}": value for key, value in weights.items() if not key.startswith(HEAD)}
    for name in ("curves.csv", "cost.json"):
        shutil.copyfile(model / name, out.parent / name)
    with atomic_path(out) as temporary:
        torch.save({"state_dict": state}, temporary)


def tissues(ct_hu: np.ndarray) -> np.ndarray:
    """Tissue of each voxel of a CT (z, y, x) in HU: 0 for air, then 1, 2, ... in the order of TISSUES; uint8."""
    smooth = ndimage.gaussian_filter(ct_hu.astype(np.float32), SMOOTHING_VOXELS)
    return np.digitize(smooth, list(TISSUES.values())).astype(np.uint8)


def _write_tissues(images: dict[str, Path], case: str, out: Path) -> set[int]:
    ct = io.read(images[case], f"case {case}: CT")
    found = tissues(ct.array)
    io.write(ct.with_array(found), out)
    return set(np.unique(found).tolist())


def _key(images: dict[str, Path], splits: dict, network: dict, spacing_mm, seed: int) -> str:
    cases = [*splits["train"], *splits["validation"]]
    plan = [network["planner"], network["patch_size"], list(spacing_mm), TISSUES, SMOOTHING_VOXELS, seed]
    parts = [splits["train"], splits["validation"], *plan, [sha256_of(images[case]) for case in cases]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
