"""What to distrust in a task's numbers: failures, few cases, stand-ins, judges, controls, penalties, and machines."""

from collections.abc import Callable, Iterator, Sequence

from ..base import html
from ..metrics.longtable import is_failed
from ..metrics.missing import PENALISED
from ..study.pretrained import folder
from ..study.significance import smallest_p
from .claims import CONTROL_WINS, NEVER_REAL, POOR_DICE, POOR_JUDGE, TOO_FEW, Claim
from .context import Task, section, structure_label
from .glance import only

MANY_CASES = 0.25  # from this share on a row's means tell of what it does not find more than of anything else
NOT_FOUND = (PENALISED, "synthetic_empty")
Claims = Sequence[Claim]


def distrust(task: Task, claims: Claims) -> str:
    """The section; what is no cause for doubt is not said."""
    lines = doubts(task, claims)
    return section(task, "What to distrust", "distrust", html.items(lines)) if lines else ""


def doubts(task: Task, claims: Claims) -> list[str]:
    """The causes for doubt in words."""
    return [line for doubt in DOUBTS for line in doubt(task, claims)]


def _failures(task: Task, claims: Claims) -> Iterator[str]:
    failed = task.long[is_failed(task.long["status"])]
    if len(failed):
        cases = ", ".join(dict.fromkeys(failed["case"]))
        yield f"Cases that failed, in some row or in all: {cases} (Failures says why). They are in no mean."


def _few_cases(task: Task, claims: Claims) -> Iterator[str]:
    n, rows, alpha = len(task.test_cases()), len(task.context["variants"]) - 1, task.context["alpha"]
    smallest = smallest_p(n, rows)
    if rows > 0 and smallest >= alpha:
        yield (
            f"{n} test {'case' if n == 1 else 'cases'}: too few for any difference to be significant. The smallest p "
            f"that {n} can give, after Holm's correction over the other rows ({rows}), is {smallest:.2g}."
        )
    elif n < 10:
        yield f"{n} test cases are few: one of them can carry a mean, and the intervals say little beyond these cases."
    for one in only(claims, TOO_FEW):
        yield f"{one.spoken}: the rows have {one.n} {'case' if one.n == 1 else 'cases'} in common, so nothing is said."


def _one_seed(task: Task, claims: Claims) -> Iterator[str]:
    if task.has_trained_rows and len(task.seeds) == 1:
        yield (
            "One training per row: another seed of the same row may differ by as much as two rows do, and no interval "
            "here holds that (several seeds: the key seeds of the study file)."
        )


def _phantoms(task: Task, claims: Claims) -> Iterator[str]:
    if task.spec["data"]["source"] == "phantom":
        yield f"No patients: {task.source.title}. The order of rows may be another in patients."


def _stand_ins(task: Task, claims: Claims) -> Iterator[str]:
    names = [spec["label"] for spec in task.spec["segmenters"].values() if _is_stand_in(spec)]
    if names:
        yield (
            f"Judges that are stand-ins for the published networks, trained on phantoms: {', '.join(names)}. Their "
            "Dice compares rows here, and no other study."
        )


def _is_stand_in(segmenter: dict) -> bool:
    """Weights that the workflow trains, or that come with the package."""
    paths = [str(segmenter.get(key) or "") for key in ("weights", "folder")]
    return any(path == "stand_in" or f"{folder().parent.name}/{folder().name}/" in path for path in paths)


def _controls(task: Task, claims: Claims) -> Iterator[str]:
    won = only(claims, CONTROL_WINS)
    if won:
        yield (
            "A control that does not look at the anatomy beats every row, so that these metrics praise no row: "
            f"{'; '.join(f'{one.spoken} ({task.label(one.control)})' for one in won)}."
        )


def _judges(task: Task, claims: Claims) -> Iterator[str]:
    for one in only(claims, POOR_JUDGE):
        yield (
            f"{one.spoken}: its segmenter has a Dice of {one.judge_dice:.2f} against the truth on the real CT, below "
            f"{POOR_DICE:g}: it cannot judge."
        )
    for one in only(claims, NEVER_REAL):
        yield f"{one.spoken}: the real CT of no case shows the structure, by its segmenter."


def _not_found(task: Task, claims: Claims) -> Iterator[str]:
    """Structures that rows do not find in many cases: there Dice is 0, and a penalty is in the place of a distance."""
    every = task.compared[task.compared["variant"].isin(task.context["variants"])]
    for place in dict.fromkeys(one.place for one in claims):
        lines = every[every["structure"] == place].drop_duplicates(["variant", "case"])
        shares = lines["status"].isin(NOT_FOUND).groupby(lines["variant"], sort=False).mean()
        rows = [f"{task.label(row)} ({share:.0%})" for row, share in shares.items() if share >= MANY_CASES]
        if rows:
            yield (
                f"{structure_label(task, place)} is not found in a quarter of the cases or more by "
                f"{', '.join(rows)}: there Dice counts as 0 and a distance as its penalty."
            )


def _machine(task: Task, claims: Claims) -> Iterator[str]:
    costs = [cost for _, cost in task.costs()]
    precisions = ", ".join(sorted({str(cost.get("number_format") or cost["precision"]) for cost in costs}))
    if costs:
        yield (
            f"Trained in {precisions}: another kind of processor, precision or version of torch changes digits, and "
            "rows that are close may change places."
        )


DOUBTS: tuple[Callable[[Task, Claims], Iterator[str]], ...] = (
    _failures, _controls, _few_cases, _judges, _not_found, _stand_ins, _phantoms, _one_seed, _machine,
)  # fmt: skip
