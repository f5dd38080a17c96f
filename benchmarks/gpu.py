"""The paper's Table 4 on one GPU: time and memory of a training step with each loss, and of synthesising a lung volume.

    PYTHONPATH=src python benchmarks/gpu.py [--out gpu.json]
    PYTHONPATH=src python benchmarks/gpu.py --small --device cpu

The paper's settings: patch 128 x 112 x 160, batch 2, training projected to 1,000 epochs of 250 iterations, inference of
a volume of 533 x 373 x 533 by median fusion. The generator is what nnU-Net plans for that patch (six stages, 32 to 320
features), the feature network of AFP has the architecture of TotalSegmentator's real 3 mm plan, that of Perceptual is
MedicalNet's ResNet-50, SPADE has its default sizes. Weights are random, which cost what trained ones cost; features are
taken on the patch's own grid. A step is the trainer's: mixed precision with gradient scaling, clipping, the optimiser.

In each round every row is made anew, warmed up, and timed, so that ratios have a spread. Two further rows keep
nnU-Net's weights and images with channels last; then the optimiser alone, as it is and fused. By the paper's times the
whole takes under 20 minutes on its card. Please send us the JSON file. --small is the same code at a size for a CPU,
where memory is that of tensors, counted, and says nothing of a GPU.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from afp_loss import IDENTITY, TOTALSEGMENTATOR, CountedBytes, Features, make_unet
from bench_table import sides
from generators import Training
from torch import nn

from afpbench.base import hardware
from afpbench.features.medicalnet import MedicalNetFeatures, ResNet
from afpbench.generators.spade import Spade
from afpbench.inference.volume import predict_volume
from afpbench.losses import LossContext, build_loss
from afpbench.study.kinds.generators.pix2pixhd import ADVERSARIAL
from afpbench.study.kinds.generators.spade import Spade as SpadeKind

PAPER_ITERATIONS = 1000 * 250
PAPER = {  # RTX 2080 Ti: MB and hours of training, MB and seconds of inference
    "nnU-Net / L1": (7390, 29, 2860, 30),
    "nnU-Net / Perceptual": (9070, 33, 2860, 30),
    "nnU-Net / AFP TotalSeg": (10750, 47, 2860, 30),
}


@dataclass(frozen=True)
class Sizes:
    """What is measured. unet: features of the generator's stages. spade: arguments of the SPADE generator."""

    patch: tuple[int, int, int]
    volume: tuple[int, int, int]
    unet: tuple[int, ...]
    totalsegmentator: tuple[int, ...]
    resnet: int
    spade: dict
    judged_by: int
    iterations: int
    warm_up: int
    batch: int = 2


FULL = Sizes(
    patch=(128, 112, 160),
    volume=(533, 373, 533),
    unet=(32, 64, 128, 256, 320, 320),
    totalsegmentator=tuple(TOTALSEGMENTATOR),
    resnet=50,
    spade={name: SpadeKind.properties[name]["default"] for name in SpadeKind.arguments},
    judged_by=ADVERSARIAL["discriminator"]["properties"]["base_features"]["default"],
    iterations=20,
    warm_up=5,
)
SMALL = Sizes(
    patch=(16, 16, 24),
    volume=(24, 20, 36),
    unet=(4, 8, 8),
    totalsegmentator=(4, 8),
    resnet=10,
    spade={"base_features": 2, "max_features": 4, "downsamplings": 2, "blocks": 1, "spade_features": 2},
    judged_by=4,
    iterations=1,
    warm_up=1,
)
# Row -> generator, terms of the loss, layout of weights and images.
TOTALSEG = [{"term": "afp", "networks": ["totalseg"]}]
ROWS: dict[str, tuple[str, list[dict], torch.memory_format]] = {
    "nnU-Net / L1": ("nnunet", [{"term": "l1"}], torch.contiguous_format),
    "nnU-Net / Perceptual": (
        "nnunet",
        [{"term": "perceptual", "networks": ["medicalnet"]}],
        torch.contiguous_format,
    ),
    "nnU-Net / AFP TotalSeg": ("nnunet", TOTALSEG, torch.contiguous_format),
    "SPADE / L1": ("spade", [{"term": "l1", "weight": 10}], torch.contiguous_format),
    "SPADE / AFP TotalSeg": ("spade", [{**TOTALSEG[0], "weight": 10}], torch.contiguous_format),
    "nnU-Net / L1, channels last": ("nnunet", [{"term": "l1"}], torch.channels_last_3d),
    "nnU-Net / AFP TotalSeg, channels last": ("nnunet", TOTALSEG, torch.channels_last_3d),
}


@dataclass(frozen=True)
class Context(LossContext):
    """A loss's context whose networks have the real architectures and random weights."""

    sizes: Sizes = FULL
    layout: torch.memory_format = torch.contiguous_format

    def load_network(self, name, layers=None):
        torch.manual_seed(1)
        makers = {"totalseg": self._totalsegmentator, "medicalnet": self._medicalnet}
        return makers[name](layers).to(self.device, memory_format=self.layout)

    def _totalsegmentator(self, layers):
        return Features(list(self.sizes.totalsegmentator), layers)

    def _medicalnet(self, layers):
        with tempfile.TemporaryDirectory(prefix="medicalnet-") as folder:
            path = Path(folder) / "resnet.pth"
            state = ResNet(self.sizes.resnet, projections=True).state_dict()
            torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
            return MedicalNetFeatures(path, self.spacing_mm, layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--precision", default="auto", choices=["auto", "float16", "bfloat16", "float32"])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    options = parser.parse_args()
    hardware.set_threads(options.threads)
    device = hardware.device(options.device)
    hardware.choose_algorithms(device.type)
    found = measure(SMALL if options.small else FULL, device, options.precision, options.rounds)
    print(table(found))
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure(sizes: Sizes, device: torch.device, precision: str, rounds: int) -> dict:
    """Every figure: seconds of a step and MB of each row in each round, inference, and the optimiser alone."""
    dtype = hardware.autocast_dtype(precision, device.type)
    rows: dict[str, dict[str, list]] = {name: {"seconds": [], "mb": [], "reserved_mb": []} for name in ROWS}
    for _ in range(rounds):
        for name, row in rows.items():
            try:
                figures = one_row(name, sizes, device, dtype)
            except torch.OutOfMemoryError:
                continue  # the table says so
            for key, value in figures.items():
                row[key].append(value)
    return {
        "machine": hardware.describe(),
        "number_format": hardware.format_name(dtype),
        "patch": sizes.patch,
        "batch": sizes.batch,
        "volume": sizes.volume,
        "rows": rows,
        "inference": inference(sizes, device, dtype),
        "optimizer_seconds": {name: optimizer_seconds(sizes, device, fused) for name, fused in OPTIMIZERS.items()},
    }


def one_row(name: str, sizes: Sizes, device: torch.device, dtype: torch.dtype | None) -> dict[str, float]:
    """The median seconds of a step, and the peak of memory, of a row made anew."""
    training, mr, ct = make_row(name, sizes, device, dtype)
    for _ in range(sizes.warm_up):
        training.step(mr, ct)
    times = [timed(lambda: training.step(mr, ct), device) for _ in range(sizes.iterations)]
    return {"seconds": statistics.median(times), **memory(lambda: training.step(mr, ct), device)}


def make_row(name: str, sizes: Sizes, device: torch.device, dtype: torch.dtype | None):
    """A row's training and a batch: MR and CT, each (B, 1, z, y, x)."""
    kind, terms, layout = ROWS[name]
    loss = build_loss(terms, Context(IDENTITY, (1.0, 1.0, 1.0), device=device, sizes=sizes, layout=layout))
    generator = GENERATORS[kind](sizes).to(device, memory_format=layout)
    judged_by = None if kind == "nnunet" else sizes.judged_by
    training = Training(generator, lambda a, b: loss(a, b)[0], device, dtype, judged_by)
    torch.manual_seed(2)
    mr, ct = (torch.randn(sizes.batch, 1, *sizes.patch).to(device, memory_format=layout) for _ in range(2))
    return training, mr, ct


def make_nnunet(sizes: Sizes) -> nn.Module:
    """The U-Net that nnU-Net plans for the patch: as many halvings of each axis as leave four voxels."""
    from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

    strides = get_pool_and_conv_props((1.0, 1.0, 1.0), sizes.patch, 4, 999)[1]
    return make_unet(list(sizes.unet), 0, strides[: len(sizes.unet)])


def make_spade(sizes: Sizes) -> nn.Module:
    torch.manual_seed(0)
    return Spade(1, 1, **sizes.spade)


GENERATORS: dict[str, Callable[[Sizes], nn.Module]] = {"nnunet": make_nnunet, "spade": make_spade}
OPTIMIZERS = {"as it is": False, "fused": True}


def inference(sizes: Sizes, device: torch.device, dtype: torch.dtype | None) -> dict[str, float]:
    """Seconds and memory of a whole volume by the nnU-Net, as synthesis makes it; the first patch is not timed."""
    network = hardware.fast_convolutions(make_nnunet(sizes).to(device).eval())
    image = np.random.default_rng(0).standard_normal(sizes.volume, dtype=np.float32)

    def synthesise(volume: np.ndarray) -> int:
        return predict_volume(network, volume, sizes.patch, 0.5, "median", device, dtype)[1]

    synthesise(image[tuple(slice(0, side) for side in sizes.patch)])
    used = memory(lambda: synthesise(image[tuple(slice(0, side) for side in sizes.patch)]), device)
    begin = time.perf_counter()
    patches = synthesise(image)
    return {"seconds": time.perf_counter() - begin, "patches": patches, **used}


def optimizer_seconds(sizes: Sizes, device: torch.device, fused: bool) -> float:
    """The median seconds of nnU-Net's optimiser alone, on its network with gradients of 0."""
    network = make_nnunet(sizes).to(device)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.99, nesterov=True, fused=fused)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return statistics.median(timed(optimizer.step, device) for _ in range(sizes.iterations))


def timed(action: Callable[[], object], device: torch.device) -> float:
    """Wall-clock seconds, until the GPU is done."""
    wait(device)
    begin = time.perf_counter()
    action()
    wait(device)
    return time.perf_counter() - begin


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def memory(action: Callable[[], object], device: torch.device) -> dict[str, float]:
    """The peak in MB (1e6 bytes) of one more call: of live tensors, and on a GPU of what PyTorch had taken for them.

    Tensors that were there before are left out on a CPU.
    """
    if device.type != "cuda":
        with CountedBytes() as counted:
            action()
        return {"mb": counted.peak / 1e6, "reserved_mb": counted.peak / 1e6}
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    action()
    peaks = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
    return {"mb": peaks[0] / 1e6, "reserved_mb": peaks[1] / 1e6}


def table(found: dict) -> str:
    """Table 4 with ratios to L1, and beside it what the paper printed."""
    first = found["rows"]["nnU-Net / L1"]
    lines = [
        f"{found['machine']['gpu'] or 'CPU'}, {found['number_format']}, patch {sides(found['patch'])}, batch "
        f"{found['batch']}, torch {found['machine']['torch']}",
        "",
        "| row | MB | over L1 | reserved MB | s a step | over L1 | hours of 250,000 steps | paper: MB, hours |",
        "|---|---:|---:|---:|---:|---|---:|---|",
    ]
    for name, row in found["rows"].items():
        if len(row["seconds"]) < len(first["seconds"]):
            lines.append(f"| {name} | does not fit | | | | | | |")
            continue
        seconds, mb = statistics.median(row["seconds"]), max(row["mb"])
        ratios = [a / b for a, b in zip(row["seconds"], first["seconds"], strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        paper = "{} MB, {} h".format(*PAPER[name][:2]) if name in PAPER else ""
        lines.append(
            f"| {name} | {mb:.0f} | {mb / max(first['mb']):.2f} | {max(row['reserved_mb']):.0f} | {seconds:.3f} "
            f"| {spread} | {seconds * PAPER_ITERATIONS / 3600:.1f} | {paper} |"
        )
    one, optimizer = found["inference"], found["optimizer_seconds"]
    optimizers = ", ".join(f"{name} {1e3 * seconds:.2f} ms" for name, seconds in optimizer.items())
    return "\n".join([
        *lines,
        "",
        f"Inference of {sides(found['volume'])} ({math.prod(found['volume']) / 1e6:.1f} million voxels, "
        f"{one['patches']} patches), median fusion: {one['seconds']:.1f} s, {one['mb']:.0f} MB "
        f"({one['reserved_mb']:.0f} MB reserved); the paper: 30 s, 2860 MB.",
        f"The optimiser alone: {optimizers}.",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
