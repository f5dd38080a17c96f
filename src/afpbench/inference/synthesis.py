"""From the MR of a test case and a trained variant to a synthetic CT in HU on the case's own grid."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from ..base import hardware
from ..base.atomic import read_json
from ..base.errors import DataError
from ..study.paths import Images
from ..volumes import channels, io, normalization
from .body import air_beyond, near_body
from .volume import predict_volume

if TYPE_CHECKING:
    from .ensemble import Ensemble


class Synthesizer(Protocol):
    """A network that makes a synthetic CT (float32 HU, z, y, x) of an MR (z, y, x, or channels, z, y, x), and what a
    record says of it."""

    device: torch.device
    patch: tuple[int, ...]
    options: dict
    patches: int  # of the last call

    def __call__(self, mr: np.ndarray) -> np.ndarray: ...


class Generator:
    """A trained variant, loaded once: MR array in, HU array out.

    folder: the variant's model folder. options: {overlap, fusion}, the overlap one number or three in z, y, x.
    runtime: what it computes with.
    """

    def __init__(self, folder: Path, options: dict, runtime: hardware.Runtime):
        hardware.set_threads(runtime.threads)
        self.device = hardware.device(runtime.device)
        hardware.search_convolutions(self.device.type)
        self.dtype = hardware.autocast_dtype(runtime.precision, self.device.type)
        self.options = options
        settings = read_json(folder / "plans.json")["afpbench"]
        self.mr_statistics, self.ct_statistics = settings["mr_statistics"], settings["ct_statistics"]
        self.network, self.patch = _network(folder, len(normalization.channel_stats(self.mr_statistics)))
        hardware.fast_convolutions(fixed_weights(self.network.to(self.device).eval()))
        self.patches = 0

    def __call__(self, mr: np.ndarray) -> np.ndarray:
        """Synthetic CT (float32 HU, z, y, x) of one MR (any scale; z, y, x, of several channels channels, z, y, x)."""
        values, self.patches = predict_volume(
            self.network,
            normalization.normalize_mr(mr, self.mr_statistics),
            self.patch,
            self.options["overlap"],
            self.options["fusion"],
            self.device,
            self.dtype,
        )
        return normalization.denormalize_ct(values, self.ct_statistics)


def synthesize_case(ensemble: "Ensemble", prepared: Path, out: Path, case: str, with_uncalibrated: bool = True) -> dict:
    """Write the synthetic CT of one prepared case; return its record (time, memory, patches, device).

    Outside the body in the MR it is air, and certain. Beside `out` lie, where the ensemble makes them, what HU were
    before their calibration, `uncalibrated/<case>.nii.gz` (unless with_uncalibrated is False), and their standard
    deviation, `uncertainty/<case>.nii.gz` (float32).
    """
    begin = time.monotonic()
    source = prepared / "mr.nii.gz"
    found = channels.read(prepared, case)
    mr, made = found["mr"], ensemble(channels.stacked(found))
    values = made.hu
    if not np.isfinite(values).all():
        raise DataError(
            f"case {case}: the synthetic CT has values that are not finite",
            found=f"{int((~np.isfinite(values)).sum())} of {values.size} voxels",
            expected="finite HU everywhere",
            hint="the training diverged: look at curves.csv of the variant",
        )
    near, beside = near_body(mr, case), Images(str(out.parent))
    if made.uncalibrated_hu is not None and with_uncalibrated:
        plain = air_beyond(near, made.uncalibrated_hu)
        io.write(mr.with_array(io.save_hu(plain)), Path(beside.uncalibrated(case)), like=source)
    if made.sd_hu is not None:
        io.write(mr.with_array(np.where(near, made.sd_hu, np.float32(0))), Path(beside.uncertainty(case)), like=source)
    io.write(mr.with_array(io.save_hu(air_beyond(near, values))), out, like=source)
    return {
        "case": case,
        "status": "ok",
        **ensemble.record(),
        "seconds": time.monotonic() - begin,
        "peak_memory_mb": hardware.peak_training_memory_mb(),
        "shape": list(mr.array.shape),
    }


def _network(folder: Path, inputs: int):
    """The trained network (strict weights) with so many input channels, and its patch size."""
    from ..nnunet.environment import use_nnunet

    use_nnunet()
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    from ..features.nnunet import load_weights, read_model_folder

    model = read_model_folder(folder)
    configuration = model.configuration
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        inputs,
        1,
        allow_init=False,
        deep_supervision=False,
    )
    return load_weights(network, model), tuple(configuration.patch_size)


def fixed_weights(network: nn.Module) -> nn.Module:
    """Replace weights that are computed anew in each call (spectral norm) by their values; returns the network.

    The network must be in evaluation mode. What it computes stays the same.
    """
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return network
