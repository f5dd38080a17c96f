"""`afpbench metrics`: metrics of synthetic CTs from anywhere, without a study, Snakemake or training."""

import argparse
import math
from pathlib import Path

import pandas as pd

from ..base import formats
from ..base.batch import Batch
from ..base.errors import ConfigError, DataError
from ..base.log import logger, progress
from ..metrics.definitions import DEFINITIONS
from ..metrics.edges import CLASSES, synthrad2025_scores
from ..metrics.evaluate import evaluate_pair
from ..metrics.longtable import COLUMNS, failed_status, line, write_long
from ..metrics.pair import Pair
from ..metrics.structures import Structure, parse_structures
from ..study.kinds.registry import METRICS
from ..volumes.images import is_hu, read_image
from ..volumes.labels import read_labels
from ..volumes.masks import read_mask
from .structures_file import read_structures

DESCRIPTION = """\
MAE, ME, RMSE, PSNR, SSIM and MS-SSIM between a real and a synthetic CT and, for two label maps, Dice, NSD, HD95,
average surface distances and volume error of each structure. Each argument is one file, or a folder; folders are
matched by case id, which is the file's name without its extension. The output is afpbench's long table."""
READERS = {
    "real": ("real CT", read_image),
    "synthetic": ("synthetic CT", read_image),
    "mask": ("mask", read_mask),
    "real_seg": ("real segmentation", read_labels),
    "synthetic_seg": ("synthetic segmentation", read_labels),
}
SEGMENTER = "given"  # the label maps' entry in the column `segmenter`: whoever made them is unknown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench metrics`."""
    parser.description = DESCRIPTION
    parser.add_argument("--real", type=Path, metavar="CT", help="the real CT in HU")
    parser.add_argument("--synthetic", type=Path, metavar="SCT", help="the synthetic CT in HU, on the same grid")
    parser.add_argument("--mask", type=Path, metavar="M", help="where to evaluate, e.g. the body (default: everywhere)")
    parser.add_argument("--real-seg", type=Path, metavar="A", help="label map of the real CT")
    parser.add_argument("--synthetic-seg", type=Path, metavar="B", help="label map of the synthetic CT")
    parser.add_argument("--structures", type=Path, metavar="S.yaml", help=(
        "structures as `name: [labels]` or `name: {labels: [...], exclude: [...], tolerance_mm: T, tree: true}` "
        "(default: each label that occurs)"))  # fmt: skip
    parser.add_argument(
        "--tolerance-mm", type=float, metavar="T", help="tolerance of NSD; the paper: twice the voxel size"
    )
    parser.add_argument(
        "--definition",
        choices=DEFINITIONS,
        default="afpbench",
        help="whose definitions of the metrics (default: afpbench)",
    )
    parser.add_argument("--region", choices=CLASSES, help=(
        "also SynthRAD2025's Dice and HD95, means over its classes of this region in TotalSegmentator's label maps; "
        "then labels are no structures by default"))  # fmt: skip
    parser.add_argument("--task", default="metrics", help="what to write in the column `task` (default: metrics)")
    parser.add_argument("--row", default="synthetic", help="what to write in the column `variant` (default: synthetic)")
    parser.add_argument("--out", type=Path, required=True, metavar="metrics.csv", help="the long table to write")


def run(args: argparse.Namespace) -> int:
    """Compute, write and print a summary. Returns 0; raises AfpbenchError for input that cannot be.

    A case that cannot be evaluated ends nothing: the table has the values of the others and lines `failed: ...` of it,
    then the error names each with its cause. Where every case failed, nothing is written.
    """
    _check(args)
    structures = None if args.structures is None else read_structures(args.structures)
    roles = {"real": args.real, "synthetic": args.synthetic, "mask": args.mask,
             "real_seg": args.real_seg, "synthetic_seg": args.synthetic_seg}  # fmt: skip
    files = _match({role: path for role, path in roles.items() if path is not None})
    lines, batch = [], Batch("metrics", files)
    for case, paths in progress(files.items(), len(files), "metrics, case"):
        with batch.case(case):
            lines += _lines(args, structures, _read(case, paths))
    if batch.all_failed:
        batch.finish(kept="nothing was written")
    values, lines = len(lines), lines + _failed_lines(args, lines, batch)
    long = pd.DataFrame(lines, columns=list(COLUMNS))
    write_long(long, args.out)
    print(summary(long))
    print(f"{len(files)} case{'s' if len(files) > 1 else ''}, {values} values: {args.out}")
    batch.finish(kept=f"the values of the others are in {args.out}")
    return 0


def summary(long: pd.DataFrame) -> str:
    """Mean, SD and n of every metric, as text."""
    lines = [f"{'structure':<28} {'metric':<24} {'mean':>10} {'SD':>10} {'n':>4}"]
    for (structure, metric), group in long.groupby(["structure", "metric"], sort=False):
        values, decimals = group["value"].dropna(), METRICS[metric].decimals
        spread = f"{values.std(ddof=1):.{decimals}f}" if len(values) > 1 else ""
        mean = f"{values.mean():.{decimals}f}" if len(values) else "undefined"
        lines.append(f"{structure:<28} {metric:<24} {mean:>10} {spread:>10} {len(values):>4}")
    return "\n".join(lines)


def _check(args: argparse.Namespace) -> None:
    for first, second in (("real", "synthetic"), ("real_seg", "synthetic_seg")):
        given = [name for name in (first, second) if getattr(args, name) is not None]
        if len(given) == 1:
            names = f"--{first} and --{second}".replace("_", "-")
            raise ConfigError("afpbench metrics: half a pair", found=f"--{given[0]}".replace("_", "-"), expected=names)
    if args.real is None and args.real_seg is None:
        raise ConfigError(
            "afpbench metrics: nothing to compare",
            expected="--real and --synthetic, or --real-seg and --synthetic-seg, or all four",
        )
    if args.structures is not None and args.real_seg is None:
        raise ConfigError("afpbench metrics: --structures needs label maps", expected="--real-seg and --synthetic-seg")
    if args.region is not None and args.real_seg is None:
        raise ConfigError("afpbench metrics: --region needs label maps", expected="--real-seg and --synthetic-seg")


def _match(roles: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """case -> {role: file}, sorted by case. Files are one case, named after the first; folders hold the same cases."""
    folders = {role: path.is_dir() for role, path in roles.items()}
    if not any(folders.values()):
        return {formats.stem(next(iter(roles.values()))): roles}
    if not all(folders.values()):
        raise ConfigError(
            "afpbench metrics: files and folders mixed",
            found=", ".join(f"{path} is a {'folder' if folders[role] else 'file'}" for role, path in roles.items()),
            expected="files only, or folders only",
        )
    cases = {role: _cases(path) for role, path in roles.items()}
    everything = sorted(set().union(*cases.values()))
    missing = [f"{case} in {roles[role]}" for role in roles for case in everything if case not in cases[role]]
    if missing or not everything:
        raise DataError(
            "afpbench metrics: the folders do not hold the same cases",
            found="missing: " + ", ".join(missing) if missing else "no image files",
            expected="the same file names, apart from the extension, in each folder",
            hint="rename the files by case id, or move the others away",
        )
    return {case: {role: cases[role][case] for role in roles} for case in everything}


def _cases(folder: Path) -> dict[str, Path]:
    """case -> file whose name says volume; pictures, texts and hidden files (macOS's `._`) are passed over."""
    found: dict[str, Path] = {}
    for path in filter(formats.is_volume_name, sorted(folder.iterdir())):
        case = formats.stem(path)
        if case in found:
            raise DataError(
                f"afpbench metrics: case {case} twice in {folder}",
                found=f"{found[case].name} and {path.name}",
                expected="one file for each case",
            )
        found[case] = path
    return found


def _read(case: str, paths: dict[str, Path]) -> Pair:
    images = {role: READERS[role][1](path, f"case {case}: {READERS[role][0]}") for role, path in paths.items()}
    if "real" in images and not is_hu(images["real"]):
        logger.warning("case %s: the values of the real CT do not look like HU: %s", case, images["real"].source)
    segmentations = {SEGMENTER: (images["real_seg"], images["synthetic_seg"])} if "real_seg" in images else {}
    return Pair(case, images.get("real"), images.get("synthetic"), images.get("mask"), segmentations)


def _lines(args: argparse.Namespace, structures: dict[str, dict] | None, pair: Pair) -> list[dict]:
    wanted, definition = _structures(args, structures, pair), DEFINITIONS[args.definition]
    return evaluate_pair(pair, args.task, args.row, wanted, definition=definition) + _region_lines(args, pair)


def _failed_lines(args: argparse.Namespace, lines: list[dict], batch: Batch) -> list[dict]:
    """Lines without values of the cases that failed: one for each value that any other case has."""
    keys = dict.fromkeys((entry["segmenter"], entry["structure"], entry["metric"]) for entry in lines)
    return [
        line(args.task, args.row, case, *key, math.nan, failed_status(cause))
        for case, cause in batch.causes().items()
        for key in keys
    ]


def _structures(args: argparse.Namespace, given: dict[str, dict] | None, pair: Pair) -> list[Structure]:
    if not pair.segmentations or (args.region and given is None):
        return []
    spec = given or {f"label_{label}": {"labels": [label]} for label in _labels(pair)}
    return parse_structures(
        {name: {**entry, "segmenter": SEGMENTER} for name, entry in spec.items()}, args.tolerance_mm
    )


def _region_lines(args: argparse.Namespace, pair: Pair) -> list[dict]:
    """SynthRAD2025's scores of a case, a structure `synthrad2025_<region>`. The challenge uses no mask for them."""
    if args.region is None:
        return []
    real, synthetic = pair.segmentations[SEGMENTER]
    scores = synthrad2025_scores(real.array, synthetic.array, real.spacing_mm, args.region)
    missing = "real_empty" if math.isnan(scores["dice"]) else "synthetic_empty"
    return [
        line(args.task, args.row, pair.case, SEGMENTER, f"synthrad2025_{args.region}", metric, value,
             missing if math.isnan(value) else "ok")
        for metric, value in scores.items()
    ]  # fmt: skip


def _labels(pair: Pair) -> list[int]:
    found: set[int] = set()
    for segmentation in pair.segmentations[SEGMENTER]:
        found |= set(pd.unique(segmentation.array.ravel()).tolist())
    return sorted(found - {0})
