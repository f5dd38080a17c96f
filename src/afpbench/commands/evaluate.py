"""`afpbench evaluate`: synthetic CTs or label maps from anywhere, to tables with significance, figures and a report."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from ..base.atomic import write_text
from ..base.errors import ConfigError
from ..base.log import logger
from ..base.package import PROJECT
from ..study import load
from ..study.kinds.sources.patterns import ids_of
from ..volumes import io
from .evaluation import PRESETS, TASK, Question, Segmentation, pattern_of, structures_of, study_of, text_of
from .given_labels import files_of, given_structures, name_of
from .run import follow
from .running import child

DESCRIPTION = """\
Evaluates synthetic CTs of any origin against real ones: writes a study file into the folder --out, runs it by
Snakemake, and ends with tables, Wilcoxon tests against the row --reference, figures and a report. Nothing is trained.
With label maps alone, without any CT, it is the same but for the metrics and figures of images.
Images are matched by case id: each folder has an image for each case, named by its id, or a folder for each case; a
path with {case} in it says where the id stands. Give the same command again to go on after a break."""
TOTALSEGMENTATOR = ("total", "fast", "fastest")
STUDY = "study.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench evaluate`."""
    parser.description = DESCRIPTION
    add = parser.add_argument
    add("--real", type=Path, metavar="REAL", help="the real CTs, in HU")
    add("--synthetic", type=_named, action="append", default=[], metavar="NAME=FOLDER", help=(
        "the synthetic CTs of one method, in HU; once for each method"))  # fmt: skip
    add("--reference", metavar="NAME", help="the row that others are tested against (default: the first)")
    add("--out", type=Path, required=True, metavar="FOLDER", help="where to write")
    add("--mr", type=Path, metavar="MR", help=(
        "the MRs, aligned with the CTs: figures show them, and the region of evaluation is where both do"))  # fmt: skip
    add("--mask", type=Path, metavar="M", help=(
        "where to evaluate (default: the body, found in the CT; of label maps alone everywhere)"))  # fmt: skip
    add("--segmenter", metavar="KIND", help=(
        "who segments real and synthetic CTs: totalsegmentator:fast (or total, fastest), or nnunet:FOLDER; without "
        "one, images alone are compared"))  # fmt: skip
    add("--real-seg", type=Path, metavar="FOLDER", help=(
        "label maps of the real CTs, in place of a segmenter; without --real in place of the CTs too"))  # fmt: skip
    add("--synthetic-seg", type=_named, action="append", default=[], metavar="NAME=FOLDER", help=(
        "label maps of a method's synthetic CTs; once for each method"))  # fmt: skip
    add("--weights", type=Path, metavar="FOLDER", help=(
        "TotalSegmentator's folder of weights (default: where TotalSegmentator itself looks)"))  # fmt: skip
    add("--structure", type=_named, action="append", default=[], metavar="NAME=CLASS,CLASS", help=(
        "what is made of the segmenter's classes, or values of label maps (default: groups of TotalSegmentator's, "
        "each of others)"))  # fmt: skip
    add("--structures", type=Path, metavar="S.yaml", help=(
        "the same of label maps by a file, as `afpbench metrics` takes it"))  # fmt: skip
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
    question, root = _question(options), options.out.resolve()
    study = study_of(question)
    arguments = ["--snakefile", str(PROJECT / "Snakefile"), "--configfile", STUDY, "--cores"]
    load.load_study(study, root)
    _write(root / STUDY, study, shlex.join(["snakemake", *arguments, "all"]))
    _tell(question)
    if options.write_only:
        return 0
    words = [sys.executable, "-m", "snakemake", *child.LOGGER_OPTION, *arguments, options.cores]
    code = follow(words, root, root / "results")
    if code == 0:
        print(where_it_is(options.out))
    return code


def where_it_is(out: Path) -> str:
    """What is said at the end: where everything lies, and what else can be made of it, from the current folder."""
    results, study, root = (shlex.quote(str(path)) for path in (out / "results", out / STUDY, out))
    return f"""\
tables and figures: {out}/results/{TASK}; the report: {out}/results/report.html
  afpbench view {results}    # the images, in the browser
  afpbench report {study} --root {root} --format latex    # all of it for a paper"""


def _tell(question: Question) -> None:
    """What is left out: metrics of images where there are none, and cases that have no real image."""
    if question.ct is None:
        print("label maps alone: no metrics, table or figures of images", flush=True)
    asked = question.segmentation.entry.get("synthetic") if question.segmentation else None
    real = _ids(str(question.ct or question.label_map))
    for row, pattern in (question.rows if question.ct else asked or {}).items():
        if others := sorted(_ids(str(pattern)) - real):
            logger.warning("%s: not evaluated, as there is no real one: %s", row, ", ".join(others))


def _ids(pattern: str) -> set[str]:
    """The cases that have a file of an absolute pattern."""
    return ids_of(pattern.lstrip("/"), Path("/"), pattern)


def _question(options: argparse.Namespace) -> Question:
    rows = _rows(options)
    first = pattern_of(options.real, "--real") if options.real else pattern_of(options.real_seg, "--real-seg")
    return Question(
        ct=first if options.real else None,
        label_map=None if options.real else first,
        rows=rows,
        reference=options.reference or next(iter(rows)),
        mr=pattern_of(options.mr, "--mr") if options.mr else None,
        mask=pattern_of(options.mask, "--mask") if options.mask else None,
        segmentation=_segmentation(options, list(rows), first),
        tables=options.tables,
        resample=options.resample,
        failed_cases=options.failed_cases,
    )


def _rows(options: argparse.Namespace) -> dict[str, str | None]:
    """Row -> the pattern of its synthetic CTs; None where there are label maps alone."""
    for what in ("synthetic", "synthetic_seg"):
        _check_names(options, what, "rows")
    if options.real and options.synthetic:
        return {name: pattern_of(Path(folder), f"--synthetic {name}") for name, folder in options.synthetic}
    given = {name: bool(getattr(options, name)) for name in ("real", "synthetic", "real_seg", "synthetic_seg")}
    if list(given.values()) != [False, False, True, True]:
        found = ", ".join(f"--{name.replace('_', '-')}" for name, there in given.items() if there)
        raise ConfigError(
            "afpbench evaluate: nothing to compare",
            found=found or "no images",
            expected="--real and --synthetic, or --real-seg and --synthetic-seg, or all four",
        )
    if found := ", ".join(f"--{name}" for name in ("mr", "segmenter", "resample") if getattr(options, name)):
        raise ConfigError(
            "afpbench evaluate: label maps alone have no use for it", found=found, expected="--real and --synthetic too"
        )
    return dict.fromkeys(name for name, _ in options.synthetic_seg)


def _check_names(options: argparse.Namespace, what: str, kind: str) -> None:
    """Of two values of one name one would be lost. what: the option's attribute. kind: what it names."""
    names = [name for name, _ in getattr(options, what)]
    if len(set(names)) < len(names):
        raise ConfigError(
            f"afpbench evaluate: two {kind} have one name",
            found=", ".join(names),
            expected=f"a name for each --{what.replace('_', '-')}",
        )


def _segmentation(options: argparse.Namespace, rows: list[str], first: str) -> Segmentation | None:
    """Who segments; None where nobody does. first: the pattern of the real CTs, or of the label maps in their place."""
    _check_names(options, "structure", "structures")
    named = {name: classes.split(",") for name, classes in options.structure}
    if options.weights and (options.segmenter or "").partition(":")[0] != "totalsegmentator":
        raise ConfigError(
            "afpbench evaluate: --weights is TotalSegmentator's folder",
            found=f"--weights {options.weights}"
            + (f" and --segmenter {options.segmenter}" if options.segmenter else ""),
            expected="--segmenter totalsegmentator too, or no --weights",
        )
    if options.structures and (named or not options.real_seg):
        raise ConfigError(
            "afpbench evaluate: --structures is of label maps, and in place of --structure",
            expected="--real-seg and --synthetic-seg, and no --structure",
        )
    if options.real_seg or options.synthetic_seg:
        return _given(options, rows, named, first)
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
    structures = {name: {"classes": classes} for name, classes in (named or structures_of(kind, folder)).items()}
    return Segmentation(entry, structures, _tolerance_mm(options, first))


def _given(options: argparse.Namespace, rows: list[str], named: dict[str, list[str]], first: str) -> Segmentation:
    """Label maps that the user has, of the real CTs and of every row."""
    maps = dict(options.synthetic_seg)
    if options.segmenter or not options.real_seg or sorted(maps) != sorted(rows):
        raise ConfigError(
            "afpbench evaluate: label maps take the place of a segmenter, for all images",
            found=f"label maps of {', '.join([*(['the real CTs'] if options.real_seg else []), *maps])}"
            + (", and --segmenter" if options.segmenter else ""),
            expected=f"--real-seg, and --synthetic-seg of {', '.join(rows)}",
        )
    real = pattern_of(options.real_seg, "--real-seg")
    groups = given_structures(real, named, options.structures, options.failed_cases)
    values = {value for group in groups.values() for value in group.labels}
    entry = {
        "kind": "files",
        "real": real,
        "synthetic": {row: pattern_of(Path(maps[row]), f"--synthetic-seg {row}") for row in rows},
        "classes": {name_of(value): value for value in sorted(values)},
    }
    return Segmentation(entry, {name: group.entry() for name, group in groups.items()}, _tolerance_mm(options, first))


def _tolerance_mm(options: argparse.Namespace, first: str) -> float:
    """As named, or twice the smallest voxel size of the first real CT, or label map in its place."""
    if options.tolerance_mm is not None:
        return float(options.tolerance_mm)
    case, path = next(files_of(first))
    if path.is_dir():
        raise ConfigError(
            "afpbench evaluate: --tolerance-mm is needed for folders of DICOM files",
            found=str(path),
            expected="a number in mm; the paper: twice the voxel size",
        )
    return float(2 * min(io.read(path, f"case {case}").spacing_mm))


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
