"""What can be wrong in a task's figures."""

from ...base.errors import AfpbenchError
from ..messages import not_among
from ..rows import PICKS
from ..splits import make_folds, test_cases
from ..task import Task


def problems(task: Task) -> list[str]:
    """Rows, structures and cases of the figures of a completed task that do not exist."""
    figures, place = task.options["figures"], f"{task.place}.figures"
    rows, structures = [*task.options["variants"], *task.options["controls"]], task.options["structures"]
    lines = [
        not_among(f"{place}.rows", row, rows, "no such variant or control")
        for row in figures["rows"]
        if row not in rows
    ]
    shown = {"structures": figures["structures"], "zoom.structure": list(filter(None, [figures["zoom"]["structure"]]))}
    lines += [
        not_among(f"{place}.{key}", name, structures, "no such structure")
        for key, names in shown.items()
        for name in names
        if name not in structures
    ]
    asked = [case for case in figures["cases"] if case not in PICKS]
    test = _test_cases(task) if asked else []
    return lines + [
        not_among(f"{place}.cases", case, [*PICKS, *test], "no such test case")
        for case in asked
        if test and case not in test
    ]


def _test_cases(task: Task) -> list[str]:
    """The test cases; none where the data or the splits have problems of their own, which other checks report."""
    try:
        folds = make_folds(task.source.cases(), task.options["splits"], task.seed, task.name)
        return test_cases(folds)
    except AfpbenchError:
        return []
