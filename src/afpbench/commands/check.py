"""`afpbench check`: open every case of a study once, before anything is run."""

import argparse
from pathlib import Path

from ..base.log import progress
from ..data.inspection import find_duplicates, inspect_source
from ..data.inspection_report import to_text, write_report
from ..study import load as config
from ..study.kinds.source import Source
from ..study.kinds.sources import open_source
from ..study.paths import StudyPaths
from .arguments import add_choice, add_study, load_chosen

DESCRIPTION = """\
Opens every case of a study's sources once and prints a table: size, spacing, axes, range of HU, overlap of MR and CT,
share of body, and what looks wrong (an MR with values of HU, HU with an offset, axes exchanged in one image, constant
slices, duplicates, modalities that disagree). Writes <results>/<task>/check/index.html with a picture of each pair and
check.csv beside it. Cases that the run will download are named and passed over. The exit code is 1 where something is
wrong or looks so."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench check`."""
    parser.description = DESCRIPTION
    add_study(parser)
    add_choice(parser, seeds=False)
    parser.add_argument("--task", help="check this task only (default: all)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="cases at a time (default: 2)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write (default: the study's results)")


def run(options: argparse.Namespace) -> int:
    """Check, print and write. Returns 0 where every case is ok, else 1; raises AfpbenchError for a bad study file."""
    study = load_chosen(options)
    wanted = [options.task] if options.task else list(study["tasks"])
    if unknown := set(wanted) - set(study["tasks"]):
        raise config.StudyError([config.messages.not_among("--task", unknown.pop(), study["tasks"])])
    good = True
    for name in wanted:
        data = study["tasks"][name]["data"]
        paths = StudyPaths(str(options.out or options.root / study["results"])).task(name)
        source = open_source(data, options.root)
        if source.makes_cases or not source.has_mr:
            images = "CTs" if source.has_ct else "label maps"
            alone = f"no MR, so no pairs to check: the import checks the {images}"
            print(f"{name}: {source.title}: {'nothing to check' if source.makes_cases else alone}")
            continue
        cases, waiting = _here(source, source.cases())
        if waiting:
            print(_waiting_words(name, source, len(cases), waiting))
        if not cases:
            continue
        found = inspect_source(data, cases, options.root, options.jobs)
        inspections = list(progress(found, len(cases), f"{name}: case"))
        find_duplicates(inspections)
        write_report(name, inspections, Path(paths.check_page).parent)
        print(to_text(name, inspections))
        print(f"pictures: {paths.check_page}")
        good &= all(item.status == "ok" for item in inspections)
    return 0 if good else 1


def _here(source: Source, cases: list[str]) -> tuple[list[str], list[str]]:
    """The cases, and those that are to be downloaded and are not yet there."""
    waiting = [
        case
        for case in cases
        if source.needs_download(case) and not all(path.exists() for path in source.files(case).values())
    ]
    return [case for case in cases if case not in waiting], waiting


def _waiting_words(task: str, source: Source, here: int, waiting: list[str]) -> str:
    shown = ", ".join(waiting[:3]) + (", ..." if len(waiting) > 3 else "")
    return (
        f"{task}: {len(waiting)} of {here + len(waiting)} cases are not downloaded yet ({shown}) and are not checked. "
        f"The run downloads them into {source.download_folder}; with `--until import_case` it does that and stops. "
        "Then check again"
    )
