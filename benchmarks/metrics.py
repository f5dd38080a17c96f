"""The speed of the metrics: ours beside surface-distance, and beside SynthRAD's definitions written out plainly.

    PYTHONPATH=src python benchmarks/metrics.py [--rounds 3] [--only structures images] [--quick] [--json figures.json]

Structures: Dice, NSD, HD95, ASSD and its halves of every class of two label maps; the alternative calls
surface-distance class by class. The maps: the 61 classes of a real one at 3 mm (AFPBENCH_REAL_DATA) against itself,
warped by about a voxel; 60 classes in 200 x 200 x 200 and 117 in 300 x 300 x 300 voxels, which they fill, warped alike.
Images: MAE, PSNR, SSIM and MS-SSIM in the body and in the volume; ours adds ME and RMSE, and once the checkerboard.
CPU seconds of one thread. Both sides are measured in turn, in rounds: medians, and the ratio's range over the rounds.
"""

import argparse
import json
import os
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import surface_distance
from bench_table import sides
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates, uniform_filter, zoom
from scipy.signal import fftconvolve
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from threadpoolctl import threadpool_limits

from afpbench.base import hardware
from afpbench.metrics import image
from afpbench.metrics.surface import label_boxes, structure_metrics
from afpbench.volumes import io

REAL_DATA = Path(os.environ.get("AFPBENCH_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))
FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")
LOWEST, HIGHEST, WEIGHTS = -1024.0, 3000.0, (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=("structures", "images"), default=("structures", "images"))
    parser.add_argument("--quick", action="store_true", help="the smallest of each only")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="surface_distance")
    makers = {"structures": structures, "images": images}
    print("| what | classes | voxels | ours, s | alternative, s | times faster | range | largest difference |")
    print("|---|---|---|---|---|---|---|---|")
    with threadpool_limits(1):
        rows = [show(measure(*row, options.rounds)) for kind in options.only for row in makers[kind](options.quick)]
    machine = hardware.describe() | {"flags": [flag for flag in FLAGS if flag in hardware._cpu_flags()]}
    print(f"\nOne thread of {machine['processor']} ({', '.join(machine['flags'])}), load {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def measure(what, classes, shape, ours, theirs, difference, rounds) -> dict:
    """One row, with both sides in turn, in rounds. ours, theirs: functions of no arguments."""
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds):
        results = []
        for side, function in enumerate((ours, theirs)):
            begin = time.process_time()
            results.append(function())
            seconds[side].append(time.process_time() - begin)
    ratios = [slow / fast for fast, slow in zip(*seconds, strict=True)]
    return {
        "what": what, "classes": classes, "shape": list(shape), "ours_s": seconds[0], "alternative_s": seconds[1],
        "ratios": ratios, "times_faster": statistics.median(ratios), "largest_difference": difference(*results),
    }  # fmt: skip


def show(row: dict) -> dict:
    """Print a row of the table, and return it."""
    fast, slow = (statistics.median(row[side]) for side in ("ours_s", "alternative_s"))
    print(
        f"| {row['what']} | {row['classes'] or ''} | {sides(row['shape'])} | {fast:.2f} | {slow:.2f} | "
        f"{row['times_faster']:.1f} | {min(row['ratios']):.1f} to {max(row['ratios']):.1f} | "
        f"{row['largest_difference']:.0e} |",
        flush=True,
    )
    return row


def structures(quick: bool):
    """Rows of label maps: what, classes, shape, our function, theirs, and their largest difference."""
    maps = real_maps()
    if not quick:
        maps += [("cells", *cells((200,) * 3, 60)), ("cells", *cells((300,) * 3, 117))]
    for what, real, spacing_mm in maps:
        synthetic = warped(real)
        labels = sorted(set(np.unique(real).tolist()) & set(np.unique(synthetic).tolist()) - {0})
        yield (
            f"Dice, NSD, HD95, ASSD: {what}", len(labels), real.shape,
            lambda a=real, b=synthetic, mm=spacing_mm, labels=labels: our_structures(a, b, mm, labels),
            lambda a=real, b=synthetic, mm=spacing_mm, labels=labels: their_structures(a, b, mm, labels),
            lambda ours, theirs: float(np.abs(np.array(ours) - np.array(theirs)).max()),
        )  # fmt: skip


def our_structures(real, synthetic, spacing_mm, labels):
    boxes = label_boxes([[label] for label in labels], [real, synthetic])
    keys = ("dice", "nsd", "hd95", "asd_real_to_synthetic", "asd_synthetic_to_real")
    found = (
        structure_metrics(real[box] == label, synthetic[box] == label, spacing_mm, 3.0)
        for label, box in zip(labels, boxes, strict=True)
    )
    return [[values[key] for key in keys] for values in found]


def their_structures(real, synthetic, spacing_mm, labels):
    values = []
    for label in labels:
        first, second = real == label, synthetic == label
        distances = surface_distance.compute_surface_distances(first, second, spacing_mm)
        values.append([
            surface_distance.compute_dice_coefficient(first, second),
            surface_distance.compute_surface_dice_at_tolerance(distances, 3.0),
            surface_distance.compute_robust_hausdorff(distances, 95),
            *surface_distance.compute_average_surface_distance(distances),
        ])  # fmt: skip
    return values


def real_maps():
    path = REAL_DATA / "totalsegmentator" / "example_seg_fast_force_split.nii.gz"
    if not path.is_file():
        return [("cells", *cells((100,) * 3, 60))]
    volume = io.read(path)
    return [("a real map", volume.array, volume.spacing_mm)]


def cells(shape, count):
    """A label map that is full of classes, each of the voxels that are nearest to its seed, at 1.5 mm."""
    generator = np.random.default_rng(count)
    seeds = np.zeros(shape, np.uint8)
    seeds[tuple(generator.integers(0, size, count) for size in shape)] = np.arange(1, count + 1)
    nearest = distance_transform_edt(seeds == 0, return_distances=False, return_indices=True)
    return seeds[tuple(nearest)], (1.5, 1.5, 1.5)


def warped(labels):
    """The map moved by a smooth random field of one voxel (standard deviation) along each axis."""
    generator = np.random.default_rng(0)
    coarse = [max(4, size // 12) for size in labels.shape]
    places = np.indices(labels.shape, dtype=np.float32)
    for axis in range(3):
        field = gaussian_filter(generator.normal(size=coarse), 1)
        places[axis] += zoom(field / field.std(), np.divide(labels.shape, coarse), order=1, output=np.float32)
    return map_coordinates(labels, places, order=0, mode="nearest")


def images(quick: bool):
    """Rows of images: a CT and a mask of its body, and a blurred, noisy copy."""
    for shape in ((112, 101, 122), *(() if quick else ((160, 192, 192),))):
        real, synthetic, mask = ct(shape)
        for what, ours in (
            ("MAE, PSNR, SSIM, MS-SSIM", lambda a=real, b=synthetic, m=mask: without_checkerboard(a, b, m)),
            ("the same, and the checkerboard", lambda a=real, b=synthetic, m=mask: image.image_metrics(a, b, m)),
        ):
            yield (
                what, 0, shape, ours, lambda a=real, b=synthetic, m=mask: challenges(a, b, m),
                lambda ours, theirs: max(
                    abs(ours[region][key] - value) for region in theirs for key, value in theirs[region].items()
                ),
            )  # fmt: skip


def ct(shape):
    generator = np.random.default_rng(0)
    grid = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    mask = grid[0] ** 4 + (grid[1] / 0.8) ** 2 + (grid[2] / 0.95) ** 2 < 1
    tissue = sum(s * 60 * gaussian_filter(generator.normal(0, 100, shape), s) for s in (2, 6))
    real = np.where(mask, np.clip(tissue, -1000, 2500), -1000).astype(np.int16)
    synthetic = gaussian_filter(real.astype(np.float32), 0.8) + generator.normal(0, 30, shape).astype(np.float32)
    return real, synthetic.astype(np.float64), mask


def without_checkerboard(real, synthetic, mask):
    """Our metrics but the checkerboard, which no challenge has."""
    checkerboard, image.checkerboard = image.checkerboard, lambda _: 0.0
    try:
        return image.image_metrics(real, synthetic, mask)
    finally:
        image.checkerboard = checkerboard


def challenges(real, synthetic, mask):
    """SynthRAD2023's MAE, PSNR and SSIM and SynthRAD2025's MS-SSIM, step by step as their code takes them."""
    regions = {"body": mask, "volume": np.ones(real.shape, bool)}
    return {name: challenge(real.astype(np.float64), synthetic, inside) for name, inside in regions.items()}


def challenge(real, synthetic, inside):
    weights = np.where(inside, 1.0, 0.0)
    real, synthetic = (np.where(inside, values, LOWEST) for values in (real, synthetic))
    mae = np.sum(np.abs(np.clip(real, LOWEST, HIGHEST) * weights - np.clip(synthetic, LOWEST, HIGHEST) * weights))
    clipped = [np.clip(values, LOWEST, HIGHEST) for values in (real, synthetic)]
    psnr = peak_signal_noise_ratio(*(values[inside] for values in clipped), data_range=HIGHEST - LOWEST)
    x, y = (np.where(inside, values, LOWEST) - LOWEST for values in clipped)
    _, ssim_map = structural_similarity(x, y, data_range=HIGHEST - LOWEST, full=True)
    inner = (slice(3, -3),) * 3
    ssim = ssim_map[inner][inside[inner]].mean()
    return {"mae": mae / weights.sum(), "psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim(x, y, inside)}


def ms_ssim(x, y, inside):
    pads = [(max(0, 97 - size) // 2, max(0, 97 - size) - max(0, 97 - size) // 2) for size in x.shape]
    x, y, inside = (np.pad(values, pads, mode="edge") for values in (x, y, inside))
    inner, product = (slice(3, -3),) * 3, 1.0
    for weight in WEIGHTS:
        product *= np.clip(components(x, y, weight)[inner][inside[inner]].mean(), 0, 1)
        x, y = (fftconvolve(values, np.full((2, 2, 2), 1 / 8), mode="same")[::2, ::2, ::2] for values in (x, y))
        inside = inside[::2, ::2, ::2]
    return product


def components(x, y, weight):
    """Luminance, contrast and structure of a scale, each to its weight."""
    c1, c2 = (0.01 * (HIGHEST - LOWEST)) ** 2, (0.03 * (HIGHEST - LOWEST)) ** 2
    mean_x, mean_y = uniform_filter(x, size=7), uniform_filter(y, size=7)
    sample = 343 / 342
    var_x = sample * (uniform_filter(x * x, size=7) - mean_x * mean_x)
    var_y = sample * (uniform_filter(y * y, size=7) - mean_y * mean_y)
    covariance = sample * (uniform_filter(x * y, size=7) - mean_x * mean_y)
    sd_x, sd_y = np.clip(var_x, 0, None) ** 0.5, np.clip(var_y, 0, None) ** 0.5
    luminance = np.clip((2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1), 0, None)
    contrast = np.clip((2 * sd_x * sd_y + c2) / (var_x + var_y + c2), 0, None)
    structure = np.clip((covariance + c2 / 2) / (sd_x * sd_y + c2 / 2), 0, None)
    return luminance**weight * contrast**weight * structure**weight


if __name__ == "__main__":
    main()
