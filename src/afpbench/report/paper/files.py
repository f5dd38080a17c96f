"""The files of a paper: each task's tables and figures, as the study made them, and where they go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...base import latex
from ...base.atomic import read_text
from ...study.plan.task import TaskPlan
from ..claims import Claim
from ..comparison import comparison_latex
from ..context import Task
from ..ranks import ranks_files
from ..task import ORDER, captions, kind_of

PICKED = {
    "typical": "the median",
    "best": "the best",
    "worst": "the worst",
}  # of the reference row, as `choose_case` says


@dataclass(frozen=True)
class Figure:
    """A figure: its file, or what is in it; where it goes in the paper's folder; what stands below it."""

    content: Path | bytes
    target: str
    caption: str


@dataclass(frozen=True)
class Files:
    """tables, and companions with the paper's numbers beside ours: where each goes in the folder -> its text.

    tests: the same of the statistics. missing: files of the study that are not made yet, as paths of its results.
    """

    tables: dict[str, str]
    companions: dict[str, str]
    tests: dict[str, str]
    figures: tuple[Figure, ...]
    missing: tuple[str, ...]

    @property
    def texts(self) -> dict[str, str]:
        return {**self.tables, **self.companions, **self.tests}

    @property
    def is_empty(self) -> bool:
        return not (self.texts or self.figures)


def collect(plan: TaskPlan, root: Path, task: Task | None, claims: Sequence[Claim]) -> Files:
    """The files of a task. root: the folder that the study's paths start from. task, claims: None and nothing where it
    has no metrics yet.

    Raises UnusableFile for a table that cannot be read.
    """
    names, folder = list(plan.task.tables), plan.task.name
    drawn, undrawn = _figures(plan, root)
    ranks = ranks_files(task, claims, "pdf") if task else []
    tests = comparison_latex(task) if task else ""
    unmade = [plan.paths.table(name, "tex") for name in names if not (root / plan.paths.table(name, "tex")).is_file()]
    return Files(
        _tables(plan, root, names),
        _tables(plan, root, [f"{name}_published" for name in names]),
        {f"statistics/{folder}.tex": _own_label(tests, plan, "statistics")} if tests else {},
        (*(Figure(one.content, f"figures/{folder}/{one.name}.pdf", one.caption) for one in ranks), *drawn),
        (*unmade, *undrawn),
    )


def _tables(plan: TaskPlan, root: Path, names: Sequence[str]) -> dict[str, str]:
    """Those of the tables that are there."""
    files = {name: root / plan.paths.table(name, "tex") for name in names}
    return {
        f"tables/{plan.task.name}/{name}.tex": _own_label(read_text(path), plan, name)
        for name, path in files.items()
        if path.is_file()
    }


def _own_label(text: str, plan: TaskPlan, name: str) -> str:
    """The table with a label that has its task in front: two tasks of a study may have tables of one name."""
    mine = latex.key(f"{plan.task.name}-{name}")
    return text.replace(f"{{tab:{latex.key(name)}}}", f"{{tab:{mine}}}")


def _figures(plan: TaskPlan, root: Path) -> tuple[list[Figure], list[str]]:
    """The figures that are there, as PDF or else as PNG, and those that are not."""
    found: dict[str, Figure] = {}
    missing = []
    for path in sorted(map(PurePosixPath, plan.results.figures("pdf")), key=lambda path: ORDER.index(kind_of(path))):
        there = [root / path.with_suffix(ending) for ending in (".pdf", ".png")]
        file = next((file for file in there if file.is_file()), None)
        if file is None:
            missing.append(str(path))
            continue
        within = path.relative_to(f"{plan.paths.folder}/figures")
        stem = next(stem for stem in _numbered(latex.key(str(within.with_suffix("")))) if stem not in found)
        found[stem] = Figure(file, f"figures/{plan.task.name}/{stem}{file.suffix}", _caption(plan, within))
    return list(found.values()), missing


def _numbered(name: str) -> Iterator[str]:
    """The name, and the same with a number behind it."""
    yield name
    yield from (f"{name}-{number}" for number in range(2, 10_000))


def _caption(plan: TaskPlan, path: PurePosixPath) -> str:
    """What a figure shows, in which plane, of which case. path: below the task's figures."""
    plane, case = path.stem.partition("_")[2], path.parent.name
    words = [captions(plan.task.source)[kind_of(path)], *([f"{plane.capitalize()} plane."] if plane else [])]
    if case in PICKED:
        metric = "MAE" if plan.task.source.has_ct else "mean Dice"
        words.append(f"The case with {PICKED[case]} {metric} of {plan.results.labels[plan.option('reference')]}.")
    elif case:
        words.append(f"Case {case}.")
    return " ".join(words)
