"""What the AFP loss costs over L1, in one training step of a small nnU-Net, on this machine.

    PYTHONPATH=src python benchmarks/afp_loss.py [--features 8 16 32 64] [--patch 32 48 48] [--batch 2] [--repeats 5]

Prints milliseconds of CPU time per step (forward, loss, backward, SGD step) and the ratio to the L1 step of the same
table, for
where the features are taken, and for three ways to compute Eq. 1 that give the same value and gradient. Every variant
is measured in turn, in rounds, and the fastest round counts, so that other jobs on the machine disturb little.
"""

import argparse
import time

import torch
from torch import nn

from afpbench.base import hardware
from afpbench.features.base import FeatureNetwork
from afpbench.features.mapping import InputMapping
from afpbench.features.unet import UNetLayers
from afpbench.losses.distance import l1_sum
from afpbench.nnunet.compat import ensure_torchvision_operators


def make_unet(features: list[int], seed: int) -> nn.Module:
    """A PlainConvUNet as nnU-Net plans them."""
    ensure_torchvision_operators()
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    torch.manual_seed(seed)
    stages = len(features)
    return PlainConvUNet(
        1, stages, features, nn.Conv3d, 3, [1] + [2] * (stages - 1), 2, 1, 2, True,
        nn.InstanceNorm3d, {"eps": 1e-5, "affine": True}, None, None, nn.LeakyReLU, {"inplace": True},
    )  # fmt: skip


class Features(FeatureNetwork):
    """A frozen U-Net of the generator's size on the generator's own grid."""

    def __init__(self, features: list[int], layers: str):
        super().__init__()
        self.network = UNetLayers(make_unet(features, 1), layers)
        self.layer_names, self.strides = self.network.layer_names, self.network.strides
        self.mapping = InputMapping((1, 1, 1))
        self.freeze()

    def extract(self, x):
        return self.network(x)


def separate(network, synthetic, real):
    """As the AFP loss does it: real features without gradient, one synthetic forward, one pass per distance."""
    with torch.no_grad():
        targets = network(real)
    return torch.stack([l1_mean(a, b) for a, b in zip(network(synthetic), targets, strict=True)]).mean()


def plain(network, synthetic, real):
    """The same with torch's own l1_loss."""
    with torch.no_grad():
        targets = network(real)
    losses = [nn.functional.l1_loss(a, b) for a, b in zip(network(synthetic), targets, strict=True)]
    return torch.stack(losses).mean()


def batched(network, synthetic, real):
    """Both images in one batch: one forward, but its backward also runs through the real half."""
    count = len(real)
    features = network(torch.cat([synthetic, real]))
    return torch.stack([nn.functional.l1_loss(a[:count], a[count:].detach()) for a in features]).mean()


def l1(network, synthetic, real):
    return nn.functional.l1_loss(synthetic, real)


def make_step(loss, network, options, channels_last, dtype):
    """A function that runs one training step."""
    torch.manual_seed(0)
    generator = make_unet(options.features, 0)
    if channels_last:
        generator = generator.to(memory_format=torch.channels_last_3d)
        network = network.to(memory_format=torch.channels_last_3d) if network else None
    optimizer = torch.optim.SGD(generator.parameters(), 0.01, momentum=0.99, nesterov=True)
    mr, ct = (torch.randn(options.batch, 1, *options.patch) for _ in range(2))

    def step():
        optimizer.zero_grad(set_to_none=True)
        with hardware.autocast("cpu", dtype):
            value = loss(network, generator(mr), ct)
        value.backward()
        optimizer.step()

    return step


def measure(steps: dict, repeats: int) -> dict[str, float]:
    """The least CPU time of each step in ms, over `repeats` rounds in which all take their turn."""
    best = dict.fromkeys(steps, float("inf"))
    for step in steps.values():
        step()
    for _ in range(repeats):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            best[name] = min(best[name], (time.process_time() - begin) * 1e3)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--patch", type=int, nargs=3, default=[32, 48, 48])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    hardware.set_threads(options.threads)
    variants = {
        "L1": (l1, None),
        "AFP encoder.0": (separate, Features(options.features, ["encoder.0"])),
        "AFP encoder": (separate, Features(options.features, "encoder")),
        "AFP stages (default)": (separate, Features(options.features, "stages")),
        "AFP all blocks": (separate, Features(options.features, "all")),
        "AFP stages, torch's l1_loss": (plain, Features(options.features, "stages")),
        "AFP stages, one batch": (batched, Features(options.features, "stages")),
    }
    modes = [(False, None), (True, None)]
    reduced = hardware.autocast_dtype("auto", "cpu")
    if reduced is not None:
        modes.append((True, reduced))
    print(hardware.describe())
    print(f"features {options.features}, patch {options.patch}, batch {options.batch}, threads {options.threads}\n")
    for channels_last, dtype in modes:
        steps = {
            name: make_step(loss, network, options, channels_last, dtype) for name, (loss, network) in variants.items()
        }
        times = measure(steps, options.repeats)
        print(f"{str(dtype or torch.float32).removeprefix('torch.')}{', channels last' if channels_last else ''}")
        for name, milliseconds in times.items():
            print(f"  {name:30s} {milliseconds:8.1f} ms   {milliseconds / times['L1']:5.2f} x L1")


if __name__ == "__main__":
    main()
