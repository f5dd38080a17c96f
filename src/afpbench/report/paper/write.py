"""Write a study's paper: a folder with main.tex, tables and figures."""

import re
import shutil
from pathlib import Path

from ...base.atomic import atomic_path, read_text, write_text
from ...base.errors import ConfigError
from ...study.plan import StudyPlan
from ..finished import read_task
from ..glance import all_claims
from ..page import facts
from .document import MARK, Part, document
from .files import Figure, collect
from .methods import methods

COMPILED = ("main.pdf", "main.aux")  # of an earlier main.tex
WRITTEN = re.compile(
    r"\{((?:tables|statistics|figures)(?:/[A-Za-z0-9_-]+)+\.(?:tex|pdf|png))\}"
)  # as `files` names them


def write_paper(folder: Path, plan: StudyPlan) -> list[str]:
    """Write main.tex, tables/, statistics/ and figures/. Returns the files of the study that are not made yet.

    A folder that holds something else is refused; of an earlier paper the files that are no more are removed.
    Raises ConfigError for such a folder, and for a study without any table, figure or metric.
    """
    earlier = _earlier(folder)
    parts = [_part(plan, name) for name in plan.tasks]
    if all(part.files.is_empty for part in parts):
        raise ConfigError(
            f"{plan.root / plan.paths.results}: nothing to put into a paper",
            found="no table, figure or metrics of any task",
            expected="a study that has been run, if only in part",
            hint="run it first (`afpbench run`), or name the study, --preset and --root that it was run with; of "
            "`afpbench evaluate --out FOLDER` it is --root FOLDER",
        )
    figures = [figure for part in parts for figure in part.files.figures]
    texts = {target: text for part in parts for target, text in part.files.texts.items()}
    text = document(parts, facts(plan.study, [part.task for part in parts if part.task]))
    write_text(folder / "main.tex", text)  # first of all: a folder with it may be written into again
    for target, table in texts.items():
        write_text(folder / target, table)
    for figure in figures:
        _place(figure, folder)
    for target in earlier - set(texts) - {figure.target for figure in figures} | {*COMPILED}:
        (folder / target).unlink(missing_ok=True)
    return [path for part in parts for path in part.files.missing]


def _part(plan: StudyPlan, name: str) -> Part:
    task, its = read_task(plan, name), plan.tasks[name]
    claims = all_claims(task) if task else []
    said, files = methods(its, task.splits if task else ()), collect(its, plan.root, task, claims)
    return Part(name, its.option("title"), task, claims, said, files)


def _earlier(folder: Path) -> set[str]:
    """The files that an earlier paper in the folder consists of. Raises ConfigError for a folder of something else."""
    main = folder / "main.tex"
    content = read_text(main) if main.is_file() else ""
    found = "a file" if folder.is_file() else "a main.tex of your own" if content else "other files"
    if folder.is_file() or (not content.startswith(MARK) and folder.exists() and any(folder.iterdir())):
        raise ConfigError(
            f"{folder}: would be overwritten, and is not this command's",
            found=found,
            expected="a new folder, or one that this command wrote",
            hint="name another folder: --out FOLDER",
        )
    return set(WRITTEN.findall(content))


def _place(figure: Figure, folder: Path) -> None:
    with atomic_path(folder / figure.target) as temporary:
        if isinstance(figure.content, bytes):
            temporary.write_bytes(figure.content)
        else:
            shutil.copyfile(figure.content, temporary)
