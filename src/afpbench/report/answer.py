"""The answer: a sentence for each task, which row is best on what, by how much, and what is not significant."""

from collections import Counter
from collections.abc import Sequence

from ..base import html
from .claims import BETTER, CONTROL_WINS, JUDGED, NOT_SHOWN, OTHER_SEED, REFERENCE, Claim
from .context import Task
from .glance import difference, number, only

MOST_NAMED = 3  # metrics that a sentence names; the others are counted
HOW = (
    "Rows are compared over the cases that all of them have. Better: p below alpha (two-sided Wilcoxon signed-rank "
    "test) after Holm's correction over the rows. Differences are medians over the cases with their 95 % "
    "bootstrap interval."
)


def answers(said: Sequence[tuple[Task, Sequence[Claim]]]) -> str:
    """The first lines of the page, as HTML: a control that wins, then the best row; "" where no table has scores.

    said: the tasks, each with what can be said of it (glance.all_claims).
    """
    parts = []
    for task, claims in said:
        if lines := answer(task, claims):
            parts += [html.heading(task.spec["title"], 3), *map(html.paragraph, lines)]
    return html.section("The answer", "answer", *parts, html.note(HOW), kind="answer") if parts else ""


def answer(task: Task, claims: Sequence[Claim]) -> list[str]:
    """The answer of one task in words, a paragraph each: a control that wins, the best row, and what is not
    significant; [] where no table has scores."""
    lines = [*_controls(task, claims), _best(task, claims), _not_significant(task, claims)] if claims else []
    return [line for line in lines if line]


def _controls(task: Task, claims: Sequence[Claim]) -> list[str]:
    """What is said before all else: a row that a control beats is not praised."""
    won = only(claims, CONTROL_WINS)
    if not won:
        return []
    named = [
        f"{one.spoken} ({task.label(one.control)} {number(one, one.control_mean)}, the best row {task.label(one.best)} "
        f"{number(one, one.rival_mean)})"
        for one in won[:MOST_NAMED]
    ]
    return [f"A trivial control beats every row in {_listed(named, len(won))}."]


def _best(task: Task, claims: Sequence[Claim]) -> str:
    """The row that is better than the reference in most metrics, and by how much in the tables' first ones."""
    reference, judged, better = task.label(task.context["reference"]), _judged(claims), only(claims, BETTER)
    if not judged:
        return f"Nothing can be said for any row: of {_metrics(len(claims))} none can be judged."
    if not better:
        return f"No row can be said to be better than {reference} in any of {_metrics(len(judged))}."
    counts = Counter(one.best for one in better)
    most = max(counts.values())
    first, *others = [row for row in counts if counts[row] == most]
    own = [one for one in better if one.best == first]
    named = [f"{one.spoken} by {difference(one)}" for one in own[:MOST_NAMED]]
    equal = f" (and so {'has' if len(others) == 1 else 'have'} {', '.join(map(task.label, others))})" if others else ""
    rest = len(better) - most
    more = f" Another row is, in {rest} more." if rest == 1 else f" Other rows are, in {rest} more."
    return (
        f"{task.label(first)} has the best mean and is better than {reference} in {most} of {_metrics(len(judged))}"
        f"{equal}: {_listed(named, len(own))}.{more if rest else ''}"
    )


def _not_significant(task: Task, claims: Sequence[Claim]) -> str:
    """The metrics in which no row can be said to be better than the reference."""
    reference, sentences = task.label(task.context["reference"]), []
    kinds = {
        NOT_SHOWN: "Not significant: {}.",
        OTHER_SEED: "Another seed may undo the lead in {}.",
        REFERENCE: f"No row has a better mean than {reference} in {{}}.",
    }
    for verdict, words in kinds.items():
        names = [one.spoken for one in only(claims, verdict)]
        sentences += [words.format(_listed(names, len(names), 2 * MOST_NAMED))] if names else []
    return " ".join(sentences) if only(claims, BETTER) or only(claims, OTHER_SEED) else ""


def _judged(claims: Sequence[Claim]) -> list[Claim]:
    return [one for one in claims if one.verdict in JUDGED]


def _metrics(count: int) -> str:
    return f"{count} {'metric' if count == 1 else 'metrics'}"


def _listed(names: Sequence[str], count: int, most: int = MOST_NAMED) -> str:
    """Names, and how many more there are of `count`."""
    shown = names[:most]
    return "; ".join(shown) + (f"; and {count - len(shown)} more" if count > len(shown) else "")
