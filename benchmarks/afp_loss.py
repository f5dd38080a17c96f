"""What the AFP loss costs over L1 and against a naive AFP, in one training step of a small nnU-Net, on this machine.

    PYTHONPATH=src python benchmarks/afp_loss.py [--features 8 16 32 64] [--patch 40 40 56] [--batch 2] [--repeats 5]
        [--float32] [--json FILE]

For each number format it prints CPU time of a step (forward, loss, backward, SGD step; the fastest of all rounds), the
ratio to the L1 step, how much faster than the naive AFP it is (medians over the rounds, in which all take their turn,
with the lowest and the highest), and the peak of the bytes that live tensors hold over that of L1, counted tensor by
tensor, so that the machine does not matter. The naive AFP is float32 throughout: hooks keep every activation, the
frozen network's weights take gradients, and both images have a graph. It gives the same value.

--float32 leaves bfloat16 out. To see what a processor with AVX2 alone does, set ATEN_CPU_CAPABILITY=avx2 and
ONEDNN_MAX_CPU_ISA=AVX2 as well.
"""

import argparse
import json
import os
import statistics
import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from afpbench.base import hardware
from afpbench.features.base import FeatureNetwork
from afpbench.features.mapping import InputMapping
from afpbench.features.unet import UNetLayers
from afpbench.losses import LossContext, build_loss
from afpbench.nnunet.compat import ensure_torchvision_operators

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
CROPS = (0.75, 0.625, 0.5)
TOTALSEGMENTATOR = [32, 64, 128, 256, 320]  # features of its 3 mm model's plan: two convolutions a stage, strides of 2
IDENTITY = {"lower_hu": -1e9, "upper_hu": 1e9, "mean_hu": 0.0, "std_hu": 1.0}


def make_unet(features: list[int], seed: int, strides: Sequence | None = None) -> nn.Module:
    """A PlainConvUNet as nnU-Net plans them. strides: of each stage; by default halvings of every axis."""
    ensure_torchvision_operators()
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    torch.manual_seed(seed)
    stages = len(features)
    return PlainConvUNet(
        1, stages, features, nn.Conv3d, 3, strides or [1] + [2] * (stages - 1), 2, 1, 2, True,
        nn.InstanceNorm3d, {"eps": 1e-5, "affine": True}, None, None, nn.LeakyReLU, {"inplace": True},
    )  # fmt: skip


class Features(FeatureNetwork):
    """A frozen U-Net of the generator's size on the generator's own grid."""

    def __init__(self, features: list[int], layers: str | list[str] | None):
        super().__init__()
        self.network = UNetLayers(make_unet(features, 1), layers)
        self.layer_names, self.strides = self.network.layer_names, self.network.strides
        self.mapping = InputMapping((1, 1, 1), divisor=self.network.reduction)
        self.freeze()

    def extract_each(self, x):
        yield from self.network.stream(x)


class Context(LossContext):
    """A loss's context whose one network has random weights, which cost what trained ones cost."""

    def load_network(self, name, layers=None):
        return Features([int(n) for n in name.split()], layers).to(self.device, memory_format=torch.channels_last_3d)


def make_afp(features: list[int], device: torch.device | str = "cpu", **options: Any) -> Loss:
    """The AFP loss as a study trains with it; options: those of the term."""
    name = " ".join(map(str, features))
    loss = build_loss([{"term": "afp", "networks": [name], **options}], Context(IDENTITY, (1, 1, 1), device=device))
    return lambda synthetic, real: loss(synthetic, real)[0]


def make_naive(features: list[int]) -> Loss:
    """Eq. 1 as one writes it down: the same layers, through PyTorch's own modules."""
    network = UNetLayers(make_unet(features, 1), "stages")
    kept: list[torch.Tensor] = []
    for module in network.modules():
        if isinstance(module, nn.LeakyReLU):
            module.register_forward_hook(lambda _, inputs, output: kept.append(output))

    def loss(synthetic, real):
        kept.clear()
        with torch.autocast("cpu", enabled=False):
            pairs = zip(network(synthetic.float()), network(real), strict=True)
            return torch.stack([nn.functional.l1_loss(a, b) for a, b in pairs]).mean()

    return loss


def make_step(loss: Loss, options: argparse.Namespace, dtype: torch.dtype | None, plain: bool) -> Callable[[], None]:
    """A function that runs one training step. plain: the generator as it comes, else as the trainer lays it out."""
    generator = make_unet(options.features, 0)
    mr, ct = (torch.randn(options.batch, 1, *options.patch) for _ in range(2))
    if not plain:
        generator = generator.to(memory_format=torch.channels_last_3d)
        mr = mr.contiguous(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.SGD(generator.parameters(), 0.01, momentum=0.99, nesterov=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with hardware.autocast("cpu", dtype):
            value = loss(generator(mr).float(), ct)
        value.backward()
        optimizer.step()

    return step


def measure(steps: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """CPU milliseconds of each step in each of `repeats` rounds."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(repeats):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            times[name].append((time.process_time() - begin) * 1e3)
    return times


class CountedBytes(TorchDispatchMode):
    """The bytes that tensors made in here hold, and their peak."""

    def __init__(self):
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(output):
            if (
                isinstance(tensor, torch.Tensor)
                and (key := (storage := tensor.untyped_storage())._cdata) not in self.sizes
            ):
                self.sizes[key] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._free, key)
        return output

    def _free(self, key):
        self.now -= self.sizes.pop(key)


def peak_bytes(step: Callable[[], None]) -> int:
    """The peak of one step, the second, in which the optimiser has its state already."""
    step()
    with CountedBytes() as counted:
        step()
    return counted.peak


def spread(numerators: list[float], denominators: list[float]) -> list[float]:
    """Median, lowest and highest ratio over the rounds."""
    ratios = [a / b for a, b in zip(numerators, denominators, strict=True)]
    return [round(value, 3) for value in (statistics.median(ratios), min(ratios), max(ratios))]


def make_losses(features: list[int]) -> dict[str, Callable[[], Loss]]:
    """Every loss that is compared, by name, each to be made when it is wanted."""
    return {
        "L1": lambda: nn.functional.l1_loss,
        "naive AFP": lambda: make_naive(features),
        "AFP stages (default)": lambda: make_afp(features),
        "AFP encoder": lambda: make_afp(features, layers="encoder"),
        "AFP all blocks": lambda: make_afp(features, layers="all"),
        **{f"AFP stages, crop {share}": partial(make_afp, features, crop=share) for share in CROPS},
    }


def make_steps(options: argparse.Namespace, dtype: torch.dtype | None) -> dict[str, Callable[[], None]]:
    """A training step with each loss; that of the naive AFP is in float32 and laid out as it comes."""
    steps = {}
    for name, make in make_losses(options.features).items():
        naive = name == "naive AFP"
        steps[name] = make_step(make(), options, None if naive else dtype, plain=naive)
    return steps


def step_times(options: argparse.Namespace, dtype: torch.dtype | None) -> dict[str, list[float]]:
    """CPU milliseconds of a step with each loss in each round. options: features, patch, batch, repeats."""
    return measure(make_steps(options, dtype), options.repeats)


def peaks(features: list[int], patch: list[int], batch: int, names: Sequence[str]) -> dict[str, int]:
    """Peak bytes of a float32 step with some of the losses."""
    options = argparse.Namespace(features=features, patch=patch, batch=batch)
    losses = make_losses(features)
    return {name: peak_bytes(make_step(losses[name](), options, None, plain=False)) for name in names}


def rows(options: argparse.Namespace, dtype: torch.dtype | None) -> dict[str, dict]:
    """One number format's rows: name -> figures."""
    steps = make_steps(options, dtype)
    times = measure(steps, options.repeats)
    peak = {name: peak_bytes(step) for name, step in steps.items()}
    return {
        name: {
            "milliseconds": round(min(times[name]), 1),
            "over_l1": spread(times[name], times["L1"]),
            "faster_than_naive": spread(times["naive AFP"], times[name]),
            "peak_mb": round(peak[name] / 1e6, 1),
            "memory_over_l1": round(peak[name] / peak["L1"], 3),
        }
        for name in steps
    }


def show(number_format: str, table: dict[str, dict]) -> None:
    print(f"\n{number_format}\n  {'':24s} {'ms':>8s}   {'time over L1':>20s}   {'naive over it':>20s}   bytes over L1")
    for name, row in table.items():
        cells = ["{:.2f} ({:.2f} to {:.2f})".format(*row[key]) for key in ("over_l1", "faster_than_naive")]
        print(
            f"  {name:24s} {row['milliseconds']:8.1f}   {cells[0]:>20s}   {cells[1]:>20s}   {row['memory_over_l1']:.2f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--patch", type=int, nargs=3, default=[40, 40, 56])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="leave bfloat16 out")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    hardware.set_threads(options.threads)
    hardware.choose_algorithms("cpu")
    machine = {**hardware.describe(), "torch_runs": torch.backends.cpu.get_cpu_capability()}
    machine["onednn_limit"] = os.environ.get("ONEDNN_MAX_CPU_ISA")
    dtypes = [None] if options.float32 else list(dict.fromkeys([None, hardware.autocast_dtype("auto", "cpu")]))
    sizes = {key: getattr(options, key) for key in ("features", "patch", "batch", "threads", "repeats")}
    print(machine, sizes, sep="\n")
    tables = {}
    for dtype in dtypes:
        tables[hardware.format_name(dtype)] = table = rows(options, dtype)
        show(hardware.format_name(dtype), table)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, **sizes, "rows": tables}, indent=2) + "\n")


if __name__ == "__main__":
    main()
