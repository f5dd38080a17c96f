"""Everything here that needs no GPU, both sides of each comparison in one run: the table of docs/performance.md.

    make bench [BENCH="--avx2 --quick --out FILE"]

prints the machine and the table, and writes a JSON file beside it: medians of the rounds' ratios, with their range. It
takes under 15 minutes on two cores; one thread computes. --avx2 holds PyTorch, oneDNN and NumPy to AVX2 and float32,
what most laptops have. --quick leaves out the largest maps, images and studies. --results: the folder of a finished
study, whose own records give the rows on the study as a whole.
"""

import argparse
import json
import os
import sys
import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import afp_loss
import fusion
import metrics
import planning
import study_times
import throughput
import torch
from bench_table import Row, as_json, sides, tables
from threadpoolctl import threadpool_limits

from afpbench.base import hardware

AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX",
}
PAPER_VOXELS = 128 * 112 * 160
STEP = {"features": [8, 16, 32, 64], "patch": [64, 64, 64], "batch": 2}  # a size that the crops divide exactly
OPERATIONS = (
    "two forward passes and half a backward pass of the feature network: 2.0 by operation count. In prototypes "
    "`torch.compile` brought nothing, one batch of both images cost 12 %, checkpointing 20 %"
)
ENCODER = "the encoder's two stages of highest resolution, which no choice of layers leaves out"
CROP = (
    "the generator's own step is 1; the rest is two forward passes and half a backward pass of the box, and its start"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--avx2", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    if options.avx2 and os.environ.get("ATEN_CPU_CAPABILITY") != "avx2":  # read when the libraries are loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **AVX2})
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="surface_distance")
    hardware.set_threads(1)
    hardware.choose_algorithms("cpu")
    begin, load = time.monotonic(), os.getloadavg()[0]
    rows = [row for part in options.only for row in measured(part, options)]
    machine = {key: value for key, value in hardware.describe().items() if key not in ("processor", "gpu")}
    figures = as_json(
        rows,
        machine=machine | {"torch_runs": torch.backends.cpu.get_cpu_capability()},
        number_format=hardware.format_name(formats(options)[-1]),
        avx2=options.avx2,
        load=[load, os.getloadavg()[0]],
        minutes=(time.monotonic() - begin) / 60,
    )
    print("", tables(figures), sep="\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def measured(part: str, options: Namespace) -> Iterator[Row]:
    """The rows of a part, each told of as soon as it is there."""
    begin = time.monotonic()
    for row in PARTS[part](options):
        seconds, begin = time.monotonic() - begin, time.monotonic()
        print(f"{seconds:5.0f} s  {row.what}: {row.measured()}", file=sys.stderr, flush=True)
        yield row


def formats(options: Namespace) -> list[torch.dtype | None]:
    """float32, and what trainings take by themselves on this machine where that is another."""
    if options.avx2:
        return [None]
    return list(dict.fromkeys([None, hardware.autocast_dtype("auto", "cpu")]))


def afp_steps(options: Namespace) -> Iterator[Row]:
    """A training step with AFP, exact and estimated, in each number format."""
    sizes = Namespace(**STEP, repeats=options.rounds)
    for dtype in formats(options):
        times, name = afp_loss.step_times(sizes, dtype), hardware.format_name(dtype)
        naive, l1 = times["naive AFP"], times["L1"]
        exact = times["AFP stages (default)"]
        goal = 2.2 if options.avx2 else 2.0
        what = f"AFP training step, {name}"
        yield Row(what, "naive AFP, times faster", goal, True, OPERATIONS, ratios(naive, exact))
        yield Row(what, "L1 step, all stages", 1.75, False, OPERATIONS, ratios(exact, l1))
        yield Row(what, "L1 step, `layers: encoder`", 1.25, False, ENCODER, ratios(times["AFP encoder"], l1))
        for share in afp_loss.CROPS:
            cropped = ratios(times[f"AFP stages, crop {share}"], l1)
            yield Row(what, f"L1 step, `crop: {share}`", 1.25, False, CROP, cropped)


def ratios(numerators, denominators) -> tuple[float, ...]:
    """Round by round."""
    return tuple(a / b for a, b in zip(numerators, denominators, strict=True))


def afp_memory(options: Namespace) -> Iterator[Row]:
    """Bytes with TotalSegmentator's 3 mm architecture as generator and as feature network, at the paper's patch.

    With half its features, so that activations, which grow with the patch, outweigh weights on the small patches too.
    """
    features, lengths = [count // 2 for count in afp_loss.TOTALSEGMENTATOR], (32, 48)
    names = ("L1", "AFP stages (default)", "AFP encoder")
    peaks = [afp_loss.peaks(features, [side] * 3, 2, names) for side in lengths]
    l1, exact, encoder = (
        drawn_out([side**3 for side in lengths], [peak[name] for peak in peaks], PAPER_VOXELS) for name in peaks[0]
    )
    what = "Peak memory of an AFP step, patch 128 x 112 x 160, batch 2, bytes counted"
    yield Row(what, "L1 (the paper: 1.45)", 1.25, False, "the generator's activations and the signs", (exact / l1,))
    yield Row(what, "L1, `layers: encoder`", 1.25, False, "the generator's activations", (encoder / l1,))


def drawn_out(voxels: list[int], values: list[float], wanted: int) -> float:
    """The straight line through two points, at `wanted`: weights stay, activations grow with the voxels."""
    slope = (values[1] - values[0]) / (voxels[1] - voxels[0])
    return values[0] + slope * (wanted - voxels[0])


def structure_metrics(options: Namespace) -> Iterator[Row]:
    """Dice, NSD and surface distances of many classes."""
    bound = "surfels farther than three voxels from the other surface are searched for one by one"
    for row in measured_metrics(metrics.structures(options.quick), options):
        what = f"Dice, NSD, HD95 of {row['classes']} classes, {sides(row['shape'])}"
        yield Row(what, "surface-distance, times faster", 5.0, True, bound, tuple(row["ratios"]))


def image_metrics(options: Namespace) -> Iterator[Row]:
    """MAE, PSNR, SSIM and MS-SSIM."""
    bound = "twelve additions of each voxel's four moments"
    for row in measured_metrics(metrics.images(options.quick), options):
        what = f"{row['what']}, {sides(row['shape'])}"
        yield Row(what, "SynthRAD's definitions, times faster", 4.0, True, bound, tuple(row["ratios"]))


def measured_metrics(rows, options: Namespace) -> Iterator[dict]:
    with threadpool_limits(1):
        for row in rows:
            yield metrics.measure(*row, options.rounds)


def whole_training(options: Namespace) -> Iterator[Row]:
    """The loader's share, in the row whose step is the shortest."""
    found = throughput.measure(20, options.rounds, "float32" if options.avx2 else "auto")
    what = f"Training throughput of L1, patch {sides(found['patch'])}, {found['number_format']}"
    bound = (
        "the batch is made on the same core: a third of its time is nnU-Net's interpolation of turned patches, a "
        "fifth the unpacking of what is stored. Padding is filled by a mask now, and the process's thread pools are "
        "looked for once: a sixth and a third less"
    )
    yield Row(what, "its bare step", 0.95, True, bound, tuple(found["ratios"]))


def whole_study(options: Namespace) -> Iterator[Row]:
    """What a finished study's own records say."""
    jobs = study_times.read_jobs(options.results)
    done = study_times.is_finished(jobs)
    missing = "" if done else f"no finished study in `{options.results}/`"
    shares = (study_times.rest_over_trainings(jobs),) if done else ()
    minutes = (study_times.first_row_minutes(jobs),) if done else ()
    bound = (
        "segmentation, registration and the start of a process for each job; segmenters come trained, which took most "
        "of what counted as trainings away. Tried: wider tiles of two segmenters, imports that wait"
    )
    yield Row("Default study, CPU time of all but trainings", "the trainings", 0.25, False, bound, shares, missing)
    bound = "cases, the training set and the first row's own training come before"
    yield Row("Minutes to the first trained row", "-", 5.0, False, bound, minutes, missing)


def median_fusion(options: Namespace) -> Iterator[Row]:
    """Both fusions of the paper's lung volume, without the network."""
    shape, patch = fusion.sizes(1.0)
    rounds = []
    for _ in range(options.rounds):
        median, mean = (seconds(fusion.fused, shape, patch, method) for method in ("median", "mean"))
        rounds.append(median / mean)
    what = f"Median fusion, {sides(shape)}"
    yield Row(what, "mean fusion", 1.1, False, "24 comparisons of whole pieces of eight patches", tuple(rounds))


def seconds(fused: Callable, *arguments) -> float:
    total, stand_in, _ = fused(*arguments)
    return total - stand_in


def dry_runs(options: Namespace) -> Iterator[Row]:
    """`snakemake -n`."""
    for cases in (210,) if options.quick else (210, 2000):
        rounds = options.rounds if cases == 210 else 1
        found = planning.measure(cases, rounds)
        what = f"`snakemake -n`, pelvis of {cases} cases, {found['jobs']} jobs"
        bound = (
            "Snakemake's comparison of each input with the outputs of all rules, and its evaluation of each job's "
            "inputs, resources and parameters: 4.7 inputs a job where the toy has one. Digests, fits of controls and "
            "places of files are looked up once: at 1,000 cases 12 s where it was 21"
        )
        yield Row(what, "a toy of as many jobs", 1.3, False, bound, tuple(found["ratios"]))


PARTS: dict[str, Callable[[Namespace], Iterator[Row]]] = {
    "afp": afp_steps,
    "memory": afp_memory,
    "structures": structure_metrics,
    "images": image_metrics,
    "training": whole_training,
    "study": whole_study,
    "fusion": median_fusion,
    "planning": dry_runs,
}

if __name__ == "__main__":
    main()
