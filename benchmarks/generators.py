"""What each generator costs with each loss, in training steps on phantoms, on this machine.

    PYTHONPATH=src python benchmarks/generators.py [--iterations 30] [--patch 32 32 48] [--features 8] [--threads 1]

With a GPU: the paper's patch of 128 x 112 x 160 voxels, phantoms of 1.5 mm, and sizes of the default settings. Without:
a small size. For nnU-Net, pix2pixHD and SPADE with L1, Perceptual and AFP it prints seconds per iteration and peak
memory, both also as a ratio to nnU-Net with L1 of the same run, and the loss of the first and of the last fifth of the
iterations. A loss that is not finite stops the run. The feature networks have random weights, which cost what trained
ones cost. Each row runs in a process of its own, so that peak memories do not mix.
"""

import argparse
import multiprocessing
import time
from functools import partial

import numpy as np
import torch
from afp_loss import make_afp, make_unet
from scipy import ndimage
from torch import nn

from afpbench.base import hardware
from afpbench.features.medicalnet import ResNet
from afpbench.generators import adversarial
from afpbench.generators.discriminator import MultiScaleDiscriminator
from afpbench.generators.pix2pixhd import Pix2PixHD
from afpbench.generators.spade import Spade
from afpbench.losses.distance import l1_sum
from afpbench.phantom.generate import generate

GENERATORS, LOSSES = ("nnunet", "pix2pixhd", "spade"), ("L1", "Perceptual", "AFP")


def load_pairs(spacing_mm: float, count: int = 2) -> list[np.ndarray]:
    """MR and CT of thorax phantoms on the CT's grid, normalised, as (2, z, y, x)."""
    pairs = []
    for index in range(count):
        case = generate("thorax", index, 2026, spacing_mm)
        ct, mr = (volume.array.astype(np.float32) for volume in (case.ct, case.mr))
        mr = ndimage.zoom(mr, [a / b for a, b in zip(ct.shape, mr.shape, strict=True)], order=1)
        pairs.append(np.stack([(mr - mr.mean()) / mr.std(), (ct - ct.mean()) / ct.std()]))
    return pairs


def batches(pairs, patch, size, iterations, device):
    """Random patches: MR and CT, each (B, 1, z, y, x)."""
    rng = np.random.default_rng(0)
    for _ in range(iterations):
        parts = []
        for _ in range(size):
            pair = pairs[rng.integers(len(pairs))]
            start = [rng.integers(0, n - p + 1) for n, p in zip(pair.shape[1:], patch, strict=True)]
            parts.append(pair[(slice(None), *(slice(s, s + p) for s, p in zip(start, patch, strict=True)))])
        batch = torch.from_numpy(np.stack(parts)).to(device)
        yield batch[:, :1], batch[:, 1:]


def feature_distance(network, synthetic, real):
    """The mean over layers of the L1 distance between features."""
    with torch.no_grad():
        targets = network(real)
    pairs = zip(network(synthetic), targets, strict=True)
    return torch.stack([l1_sum(a, b) / a.numel() for a, b in pairs]).mean()


def make_loss(name: str, options, device):
    """The reconstruction loss and its frozen network."""
    if name == "L1":
        return nn.functional.l1_loss
    torch.manual_seed(1)
    if name == "AFP":
        return make_afp(options.unet, device)
    network = ResNet(options.resnet, projections=True).to(device).eval().requires_grad_(False)
    return partial(feature_distance, network)


def make_generator(kind: str, options) -> nn.Module:
    torch.manual_seed(0)
    if kind == "nnunet":
        return make_unet(options.unet, 0)
    sizes = {
        "base_features": options.features,
        "max_features": 8 * options.features,
        "downsamplings": options.downsamplings,
        "blocks": options.blocks,
    }
    return (
        Pix2PixHD(1, 1, **sizes) if kind == "pix2pixhd" else Spade(1, 1, **sizes, spade_features=2 * options.features)
    )


class Training:
    """A generator, its discriminator where it has one, and their optimisers; one step as the trainers do it.

    loss: synthetic and real CT -> a scalar. judged_by: features of the discriminator, or None for none.
    """

    def __init__(self, generator: nn.Module, loss, device, dtype, judged_by: int | None = None):
        self.device, self.dtype, self.game_dtype = device, dtype, adversarial.game_dtype(dtype)
        self.loss, self.generator = loss, generator.to(device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        self.discriminator = None
        if judged_by is None:
            self.optimizer = torch.optim.SGD(self.generator.parameters(), 0.01, momentum=0.99, nesterov=True)
            return
        self.optimizer = torch.optim.Adam(self.generator.parameters(), 2e-4, (0.5, 0.999))
        self.discriminator = MultiScaleDiscriminator(2, 4, judged_by).to(device)
        self.second = torch.optim.Adam(self.discriminator.parameters(), 2e-4, (0.5, 0.999))

    def step(self, mr, real) -> float:
        """One step of each network; the reconstruction loss."""
        with hardware.autocast(self.device.type, self.dtype):
            synthetic = self.generator(mr).float()
            value = total = self.loss(synthetic, real)
        if self.discriminator is not None:
            with hardware.autocast(self.device.type, self.game_dtype):
                self.discriminator.requires_grad_(False)
                with torch.no_grad():
                    _, targets = self.discriminator(mr, real)
                scores, features = self.discriminator(mr, synthetic)
                self.discriminator.requires_grad_(True)
                matching = adversarial.feature_matching(features, targets)
                total = value + adversarial.adversarial(scores) + 10 * matching
        self._update(total, self.optimizer, self.generator)
        if self.discriminator is not None:
            with hardware.autocast(self.device.type, self.game_dtype):
                real_scores, _ = self.discriminator(mr, real)
                synthetic_scores, _ = self.discriminator(mr, synthetic.detach())
                judged = adversarial.hinge_real(real_scores) + adversarial.hinge_synthetic(synthetic_scores)
            self._update(judged, self.second, self.discriminator)
        return float(value.detach())

    def _update(self, loss, optimizer, network):
        if not torch.isfinite(loss.detach()):
            raise SystemExit(f"the loss is not finite: {loss.item()}")
        optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(network.parameters(), 12)
        self.scaler.step(optimizer)
        self.scaler.update()


def measure(kind: str, loss: str, options, pairs, queue):
    """Train one row and report seconds per iteration (the first two left out), peak memory in MB and the losses."""
    hardware.set_threads(options.threads)
    device = hardware.device()
    judged_by = None if kind == "nnunet" else 2 * options.features
    made = make_generator(kind, options), make_loss(loss, options, device)
    training = Training(*made, device, hardware.autocast_dtype("auto", device.type), judged_by)
    losses, seconds = [], []
    for mr, ct in batches(pairs, options.patch, 2, options.iterations, device):
        begin = time.monotonic() if device.type == "cuda" else time.process_time()
        losses.append(training.step(mr, ct))  # float() waits for the GPU
        seconds.append((time.monotonic() if device.type == "cuda" else time.process_time()) - begin)
    queue.put((float(np.median(seconds[2:])), hardware.peak_training_memory_mb(), losses))


def run_row(kind, loss, options, pairs):
    """`measure` in a process of its own."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=measure, args=(kind, loss, options, pairs, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{kind} with {loss} failed")
    return queue.get()


def parse(gpu: bool):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patch", type=int, nargs=3, default=[128, 112, 160] if gpu else [32, 32, 48])
    parser.add_argument("--spacing-mm", type=float, default=1.5 if gpu else 6.0)
    parser.add_argument("--iterations", type=int, default=200 if gpu else 30)
    parser.add_argument("--features", type=int, default=32 if gpu else 8, help="at full resolution, of every network")
    parser.add_argument("--downsamplings", type=int, default=4 if gpu else 2)
    parser.add_argument("--blocks", type=int, default=9 if gpu else 2)
    parser.add_argument("--resnet", type=int, choices=[10, 18, 34, 50], default=50 if gpu else 10)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    stages = 6 if gpu else 3
    options.unet = [min(options.features * 2**level, 10 * options.features) for level in range(stages)]
    return options


def main():
    options = parse(torch.cuda.device_count() > 0)  # counts without starting CUDA, which must not happen before a fork
    pairs = load_pairs(options.spacing_mm)
    print(f"patch {options.patch}, batch 2, {options.iterations} iterations, features {options.features}")
    clock = "wall clock" if torch.cuda.device_count() else "CPU time"
    print(
        f"{'':24s}{'s/iteration':>12s}{'ratio':>7s}{'peak MB':>9s}{'ratio':>7s}   loss: first to last fifth ({clock})"
    )
    first, part = None, max(1, options.iterations // 5)
    for kind in GENERATORS:
        for loss in LOSSES:
            seconds, memory, losses = run_row(kind, loss, options, pairs)
            first = first or (seconds, memory)
            falls = f"{np.mean(losses[:part]):.4f} to {np.mean(losses[-part:]):.4f}"
            ratios = seconds / first[0], memory / first[1]
            name = f"{kind} / {loss}"
            print(f"{name:24s}{seconds:12.3f}{ratios[0]:7.2f}{memory:9.0f}{ratios[1]:7.2f}   {falls}", flush=True)


if __name__ == "__main__":
    main()
