"""`afpbench report`: a study's results as a page, as LaTeX, or as a PDF."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from ..study.plan import StudyPlan
from .progress import add_run, read_plan

DESCRIPTION = """\
Makes of a study's results one page (html), or a folder with every table and figure and a main.tex that plain pdflatex
compiles (latex), or that folder and its PDF by the pdflatex of this machine (pdf). Nothing is computed anew: tables and
figures are those of the results folder. latex and pdf take an unfinished study too, and say what is missing."""
FOLDER = "paper"  # in the results folder
SHOWN = 10  # missing files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench report`."""
    parser.description = DESCRIPTION
    add_run(parser)
    parser.add_argument("--format", choices=list(FORMATS), default="html", help="what to make (default: html)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="the page of html (default: report.html in the results folder), or the folder of latex and pdf (default: "
        "paper in the results folder)",
    )


def run(options: argparse.Namespace) -> int:
    """Make it, and print where it is. Returns 0; raises AfpbenchError for what is not there or cannot be made."""
    FORMATS[options.format](read_plan(options), options.out)
    return 0


def make_page(plan: StudyPlan, out: Path | None) -> None:
    """The page."""
    from ..report.finished import read_finished
    from ..report.page import write_report

    page = out or plan.root / plan.paths.report
    write_report(page, plan.study, read_finished(plan, page))
    print(page)


def make_latex(plan: StudyPlan, out: Path | None) -> Path:
    """The folder for LaTeX. Returns its path."""
    from ..report.paper.write import write_paper

    folder = out or plan.root / plan.paths.results / FOLDER
    print(_missing(write_paper(folder, plan)), end="")
    print(folder / "main.tex")
    return folder


def make_pdf(plan: StudyPlan, out: Path | None) -> None:
    """The folder, and its PDF."""
    from ..report.paper import pdf

    print(pdf.make_pdf(make_latex(plan, out)))


FORMATS: dict[str, Callable[[StudyPlan, Path | None], object]] = {
    "html": make_page, "latex": make_latex, "pdf": make_pdf
}  # fmt: skip


def _missing(paths: Sequence[str]) -> str:
    lines = [f"not made yet: {path}" for path in paths[:SHOWN]]
    lines += [f"... and {len(paths) - SHOWN} more"] if len(paths) > SHOWN else []
    return "".join(f"{line}\n" for line in lines)
