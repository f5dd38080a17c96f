"""`afpbench evaluate`: synthetic CTs from anywhere, to tables with significance, figures and the report."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..base.atomic import write_text
from ..base.errors import ConfigError
from ..base.package import PROJECT
from ..study import load
from ..study.kinds.sources import open_source
from ..volumes.images import read_image
from ..volumes.labels import read_labels
from .evaluation import PRESETS, TASK, Question, Segmentation, pattern_of, structures_of, study_of, text_of
from .run import follow
from .running import child

DESCRIPTION = """\
Evaluates synthetic CTs of any origin against real ones: writes a study file into the folder --out, runs it by
Snakemake, and ends with tables, Wilcoxon tests against the row --reference, figures and a report. Nothing is trained.
Images are matched by case id: each folder has an image for each case, named by its id, or a folder for each case; a
path with {case} in it says where the id stands. Give the same command again to go on after a break."""
TOTALSEGMENTATOR = ("total", "fast", "fastest")
STUDY = "study.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench evaluate`."""
    parser.description = DESCRIPTION
    add = parser.add_argument
    add("--real", type=Path, required=True, metavar="REAL", help="the real CTs, in HU")
    add("--synthetic", type=_named, action="append", required=True, metavar="NAME=FOLDER", help=(
        "the synthetic CTs of one method, in HU; once for each method"))  # fmt: skip
    add("--reference", metavar="NAME", help="the row that others are tested against (default: the first)")
    add("--out", type=Path, required=True, metavar="FOLDER", help="where to write")
    add("--mr", type=Path, metavar="MR", help=(
        "the MRs, aligned with the CTs: figures show them, and the region of evaluation is where both do"))  # fmt: skip
    add("--mask", type=Path, metavar="M", help="where to evaluate (default: the body, found in the CT)")
    add("--segmenter", metavar="KIND", help=(
        "who segments real and synthetic CTs: totalsegmentator:fast (or total, fastest), or nnunet:FOLDER; without "
        "one, images alone are compared"))  # fmt: skip
    add("--real-seg", type=Path, metavar="FOLDER", help="label maps of the real CTs, in place of a segmenter")
    add("--synthetic-seg", type=_named, action="append", default=[], metavar="NAME=FOLDER", help=(
        "label maps of a method's synthetic CTs; once for each method"))  # fmt: skip
    add("--weights", type=Path, metavar="FOLDER", help=(
        "TotalSegmentator's folder of weights (default: where TotalSegmentator itself looks)"))  # fmt: skip
    add("--structure", type=_named, action="append", default=[], metavar="NAME=CLASS,CLASS", help=(
        "what is made of the segmenter's classes, or values of label maps (default: groups of TotalSegmentator's, "
        "each of others)"))  # fmt: skip
    add("--tolerance-mm", type=float, metavar="T", help=(
        "tolerance of NSD (default: twice the smallest voxel size of the first case)"))  # fmt: skip
    add("--tables", choices=PRESETS, default="paper", help=(
        "which tables, and whose definitions of the metrics (default: paper)"))  # fmt: skip
    add("--resample", action="store_true", help="resample synthetic CTs that lie on other grids")
    add("--failed-cases", choices=("stop", "exclude"), default="stop", help=(
        "what a case without a usable image does (default: stop)"))  # fmt: skip
    add("--cores", default="all", metavar="N", help="processor cores to use (default: all)")
    add("--write-only", action="store_true", help="write the study file and run nothing")


def run(options: argparse.Namespace) -> int:
    """Write the study, check it, run it. Returns the exit code of `run.follow`; raises AfpbenchError."""
    study, root = study_of(_question(options)), options.out.resolve()
    arguments = ["--snakefile", str(PROJECT / "Snakefile"), "--configfile", STUDY, "--cores"]
    load.load_study(study, root)
    _write(root / STUDY, study, shlex.join(["snakemake", *arguments, "all"]))
    if options.write_only:
        return 0
    words = [sys.executable, "-m", "snakemake", *child.LOGGER_OPTION, *arguments, options.cores]
    code = follow(words, root, root / "results")
    if code == 0:
        print(f"tables and figures: {options.out}/results/{TASK}; the report: {options.out}/results/report.html")
    return code


def _question(options: argparse.Namespace) -> Question:
    ct = pattern_of(options.real, "--real")
    synthetic = {name: pattern_of(Path(folder), f"--synthetic {name}") for name, folder in options.synthetic}
    if len(synthetic) < len(options.synthetic):
        raise ConfigError(
            "afpbench evaluate: two rows have one name",
            found=", ".join(name for name, _ in options.synthetic),
            expected="a name for each --synthetic",
        )
    return Question(
        ct=ct,
        synthetic=synthetic,
        reference=options.reference or next(iter(synthetic)),
        mr=pattern_of(options.mr, "--mr") if options.mr else None,
        mask=pattern_of(options.mask, "--mask") if options.mask else None,
        segmentation=_segmentation(options, ct),
        tables=options.tables,
        resample=options.resample,
        failed_cases=options.failed_cases,
    )


def _segmentation(options: argparse.Namespace, ct: str) -> Segmentation | None:
    named = {name: classes.split(",") for name, classes in options.structure}
    if options.real_seg or options.synthetic_seg:
        return _given(options, named, ct)
    if options.segmenter is None:
        if named:
            raise ConfigError("afpbench evaluate: --structure needs a segmenter", expected="--segmenter, or --real-seg")
        return None
    kind, _, which = options.segmenter.partition(":")
    entry: dict[str, Any]
    if kind == "totalsegmentator" and which in ("", *TOTALSEGMENTATOR):
        folder, weights = None, _absolute(options.weights or _weights_folder())
        entry = {"kind": kind, "task": which or "total", "weights": weights}
    elif kind == "nnunet" and which:
        folder = Path(_absolute(Path(which)))
        entry = {"kind": kind, "folder": str(folder)}
    else:
        raise ConfigError(
            "afpbench evaluate: --segmenter: no such segmenter",
            found=options.segmenter,
            expected=f"totalsegmentator:{', totalsegmentator:'.join(TOTALSEGMENTATOR)}, or nnunet:FOLDER",
            hint="others stand in a study file: --write-only writes one to start from",
        )
    return Segmentation(entry, named or structures_of(kind, folder), _tolerance_mm(options, ct))


def _given(options: argparse.Namespace, named: dict[str, list[str]], ct: str) -> Segmentation:
    """Label maps that the user has, of the real CTs and of every row."""
    rows, maps = [name for name, _ in options.synthetic], dict(options.synthetic_seg)
    if options.segmenter or not options.real_seg or sorted(maps) != sorted(rows):
        raise ConfigError(
            "afpbench evaluate: label maps take the place of a segmenter, for all images",
            found=f"label maps of {', '.join([*(['the real CTs'] if options.real_seg else []), *maps])}"
            + (", and --segmenter" if options.segmenter else ""),
            expected=f"--real-seg, and --synthetic-seg of {', '.join(rows)}",
        )
    real = pattern_of(options.real_seg, "--real-seg")
    if named:
        values = sorted({_value(text) for group in named.values() for text in group})
    else:
        values = sorted(int(value) for value in np.unique(read_labels(*_first(real, "label map")).array) if value)
    groups = named or {f"label_{value}": [str(value)] for value in values}
    entry = {
        "kind": "files",
        "real": real,
        "synthetic": {row: pattern_of(Path(maps[row]), f"--synthetic-seg {row}") for row in rows},
        "classes": {f"label_{value}": value for value in values},
    }
    structures = {name: [f"label_{_value(text)}" for text in group] for name, group in groups.items()}
    return Segmentation(entry, structures, _tolerance_mm(options, ct))


def _value(text: str) -> int:
    if not text.strip().isdigit():
        raise ConfigError("afpbench evaluate: --structure: no value of a label map", found=text, expected="NAME=1,2")
    return int(text)


def _tolerance_mm(options: argparse.Namespace, ct: str) -> float:
    """As named, or twice the smallest voxel size of the first real CT."""
    return float(options.tolerance_mm or 2 * min(read_image(*_first(ct, "real CT")).spacing_mm))


def _first(pattern: str, what: str) -> tuple[Path, str]:
    """The first case's file of a pattern, and what it is."""
    source = open_source({"source": "folder", "root": "/", "ct": pattern.lstrip("/")}, Path("/"))
    case = source.cases()[0]
    path = source.files(case)["ct"]
    if path.is_dir():
        raise ConfigError(
            "afpbench evaluate: --tolerance-mm is needed for folders of DICOM files",
            found=str(path),
            expected="a number in mm; the paper: twice the voxel size",
        )
    return path, f"case {case}: {what}"


def _weights_folder() -> Path:
    """Where TotalSegmentator has its weights."""
    if named := os.environ.get("TOTALSEG_WEIGHTS_PATH"):
        return Path(named)
    return Path(os.environ.get("TOTALSEG_HOME_DIR", "~/.totalsegmentator")) / "nnunet" / "results"


def _absolute(path: Path) -> str:
    return str(path) if str(path).startswith("pretrained:") else os.path.abspath(path.expanduser())


def _write(path: Path, study: dict[str, Any], command: str) -> None:
    """Write the study file. Raises ConfigError where another one is there: it may have been extended by hand."""
    if path.is_file() and load.read_study(path) == study:
        return
    if path.is_file():
        raise ConfigError(
            f"afpbench evaluate: {path} is there already, and is another study",
            expected="the study of this command, or none",
            hint="give another --out, remove it, or run it as it is by the command in its first lines",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text_of(study, command))


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=... is expected")
    return name, value
