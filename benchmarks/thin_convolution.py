"""What SPADE's convolutions of 7 x 7 x 7 cost in a training step, as PyTorch computes them and as ThinConv3d does.

    PYTHONPATH=src python benchmarks/thin_convolution.py [--rounds 7]

CPU milliseconds of one thread, of a step of the default study's SPADE with its discriminators and L1, on two patches of
40 x 40 x 64 voxels, channels last as in trainings; the fastest of the rounds, which take turns. In float32, and in
bfloat16 where the processor has it.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from generators import Training
from torch import nn

from afpbench.base import hardware
from afpbench.base.thin_convolution import ThinConv3d
from afpbench.generators.spade import Spade

LAST = torch.channels_last_3d
PATCHES = (2, 1, 40, 40, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    hardware.set_threads(1)
    low = hardware.autocast_dtype("auto", "cpu")
    print("| numbers | Conv3d, ms | ThinConv3d, ms | times faster |\n|---|---:|---:|---:|")
    for dtype in (None, low) if low else (None,):
        steps = [make_step(dtype, plain) for plain in (True, False)]
        plain, thin = (1000 * seconds for seconds in fastest(steps, rounds))
        print(f"| {hardware.format_name(dtype)} | {plain:.0f} | {thin:.0f} | {plain / thin:.2f} |")


def fastest(steps: list[Callable[[], object]], rounds: int) -> list[float]:
    """CPU seconds of each step, the least of the rounds; a first round is not counted."""
    seconds = [float("inf")] * len(steps)
    for number in range(rounds + 1):
        for index, step in enumerate(steps):
            start = time.process_time()
            step()
            if number:
                seconds[index] = min(seconds[index], time.process_time() - start)
    return seconds


def make_step(dtype, plain: bool) -> Callable[[], object]:
    torch.manual_seed(0)
    sizes = {"base_features": 4, "max_features": 64, "downsamplings": 3, "blocks": 2, "spade_features": 4}
    training = Training(Spade(1, 1, **sizes), nn.functional.l1_loss, torch.device("cpu"), dtype, 8)
    for network in (as_pytorch(training.generator, plain), training.discriminator):
        network.to(memory_format=LAST)
    return partial(training.step, torch.randn(PATCHES), torch.randn(PATCHES))


def as_pytorch(network: nn.Module, plain: bool) -> nn.Module:
    """With plain, let ThinConv3d be computed as any Conv3d."""
    for module in network.modules():
        if plain and isinstance(module, ThinConv3d):
            module._conv_forward = partial(nn.Conv3d._conv_forward, module)
    return network


if __name__ == "__main__":
    main()
