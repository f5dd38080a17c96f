"""`afpbench init`: look at a folder of images, and write a study file for it."""

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path

import yaml

from ..base.atomic import write_text
from ..base.errors import ConfigError
from ..study import load
from .init_study import label_values, look, splits_of, study_path, study_text
from .layouts.kinds import KINDS, recognise
from .layouts.layout import SHOWN, Asked, Layout, whole_cases
from .layouts.mr import chosen_mr

DESCRIPTION = """\
Looks at a folder of MR and CT, says what it recognised and what not, and writes a study file with comments. Recognised
are names with the case's id in them ({case}/mr.nii.gz, ct/{case}.mha), folders of DICOM files for each case, BIDS,
SynthRAD, and a table with the columns case, mr and ct. What is ambiguous is asked, with the options that decide it, and
nothing is written then; of several MRs for each case also those that take them all, as channels. An existing file is
never overwritten."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench init`."""
    parser.description = DESCRIPTION
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="the folder of your images, or a table of cases")
    add("--out", type=Path, default=Path("study.yaml"), metavar="STUDY.yaml", help=(
        "the file to write (default: study.yaml)"))  # fmt: skip
    add("--source", choices=list(KINDS), help="how to read the folder, where there are several ways")
    add("--mr", action="append", default=[], metavar="[NAME=]PATTERN", help=(
        "which files are the MRs: '{case}/t1.nii.gz'; in BIDS: T1w, or acq-ute_T1w; in a table: the column. Of an MR "
        "of several channels once for each with a name, t1='{case}/t1.nii.gz'; the first is registered"))  # fmt: skip
    add("--ct", metavar="PATTERN", help="which files are the CTs, in the same way")
    add("--mask", metavar="PATTERN", help="which files are the region of evaluation, on the MR's grid, or none")
    add("--label-map", metavar="PATTERN", help=(
        "which files are label maps to learn from, on the CT's grid, or none"))  # fmt: skip
    add("--root", type=Path, default=Path(), help=(
        "folder that the study's relative paths start from (default: the current one)"))  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Look, say, write. Returns 0; raises AfpbenchError where nothing fits, much fits, or a study is there already."""
    if options.out.exists():
        raise ConfigError(f"afpbench init: {options.out} is there already", hint="give another --out, or remove it")
    asked = Asked(options.source, chosen_mr(options.mr), options.ct, options.mask, options.label_map)
    layout = recognise(options.folder, asked)
    data = {key: _named(key, value, options.root) for key, value in layout.data.items()}
    cases, broken = whole_cases(data, options.root)
    if broken:
        data["exclude"] = sorted(broken)
    splits = splits_of(len(cases), left_out(broken))
    values = label_values(data, cases, options.root) if data.get("label_map") else []
    grid = look(data, cases, options.root)
    text = study_text(str(options.out), data, layout.words, splits, grid, values)
    load.load_study(yaml.safe_load(text), options.root)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(options.out, text)
    print("\n".join(said(layout, cases, broken)))
    print(next_steps(options.out))
    return 0


def said(layout: Layout, cases: list[str], broken: Mapping[str, str]) -> list[str]:
    """What was recognised, and what was not, a line each."""
    lines = [f"recognised: {layout.words}", f"{len(cases)} cases with MR and CT: {_some(cases)}"]
    if broken:
        lines += [f"left out by data.exclude: {len(broken)}", *left_out(broken)]
    return lines + [f"not used: {other}" for other in layout.others]


def left_out(broken: Mapping[str, str]) -> list[str]:
    """A line for each case that cannot be used."""
    lines = [f"  {case}: {why}" for case, why in list(broken.items())[:SHOWN]]
    return lines + ([f"  and {len(broken) - SHOWN} more"] if len(broken) > SHOWN else [])


def next_steps(study: Path) -> str:
    """What to type next."""
    name = shlex.quote(str(study))
    return "\n".join(
        [
            f"\nwritten: {study}. Next:",
            f"  afpbench validate {name}    # what it asks for",
            f"  afpbench check {name}       # every case opened once, with pictures",
            f"  afpbench run {name}         # a first look, on a CPU; --preset gpu for the paper's length",
        ]
    )


def _named(key: str, value: object, root: Path) -> object:
    return study_path(Path(str(value)), root) if key in ("root", "table") else value


def _some(cases: list[str]) -> str:
    return ", ".join(cases[:SHOWN]) + (", ..." if len(cases) > SHOWN else "")
