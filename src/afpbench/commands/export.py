"""`afpbench export`: a row's synthetic CTs on the grids of the original MRs."""

import argparse
from pathlib import Path

from ..base.batch import Batch
from ..base.errors import ConfigError
from ..base.formats import is_hidden
from ..base.log import progress
from ..inference.export import export_case
from ..study import load as config
from ..study.paths import StudyPaths
from ..study.seeds import seed_mark
from .arguments import add_choice, add_study, load_chosen

DESCRIPTION = """\
Writes the synthetic CTs of one row of a finished study onto the grids of the original MRs (of several channels of the
first), with their spacing, orientation and field of view (int16, HU), for planning systems or viewers that want CT and
MR alike."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench export`."""
    parser.description = DESCRIPTION
    add_study(parser)
    add_choice(parser, seeds=False)
    parser.add_argument("--task", required=True, help="the task")
    parser.add_argument("--row", required=True, help="the variant or control")
    parser.add_argument("--seed", type=int, help="of a variant of several seeds: which one (default: the study's own)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to write <case>.nii.gz")


def run(options: argparse.Namespace) -> int:
    """Export every synthetic CT of the row. Returns 0; raises AfpbenchError for what is not there.

    A case that cannot be exported ends nothing: the others are written, then the error names each with its cause.
    """
    study = load_chosen(options)
    if options.task not in study["tasks"]:
        raise ConfigError(config.messages.not_among("--task", options.task, study["tasks"]))
    paths = StudyPaths(str(options.root / study["results"])).task(options.task)
    seed = study["seed"] if options.seed is None else options.seed
    run = f"{options.row}{seed_mark(seed, study)}"
    folder = Path(paths.synthetic(run).folder)
    files = sorted(path for path in folder.glob("*.nii.gz") if not is_hidden(path))
    if not files:
        raise ConfigError(
            f"--row: no synthetic CT of '{run}'",
            found=f"nothing in {folder}",
            expected="<case>.nii.gz",
            hint="run the study first, or correct --row or --seed",
        )
    data = study["tasks"][options.task]["data"]
    cases = {path.name.removesuffix(".nii.gz"): path for path in files}
    batch = Batch("export", cases)
    for case, path in progress(cases.items(), len(cases), "export, case"):
        with batch.case(case):
            export_case(path, data, case, options.root, options.out / path.name)
    print(f"{len(cases) - len(batch.failed)} synthetic CTs: {options.out}")
    batch.finish(kept="the other synthetic CTs are written")
    return 0
