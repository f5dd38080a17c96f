"""What can be said, in words: of each table, and of each task at a glance."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from ..base import html
from ..study.kinds.metric import Metric
from .claims import (
    BETTER,
    CONTROL_WINS,
    JUDGED,
    NEVER_REAL,
    NOT_SHOWN,
    OTHER_SEED,
    POOR_DICE,
    POOR_JUDGE,
    REFERENCE,
    TOO_FEW,
    Claim,
    claim,
)
from .context import Task, section

WEAK = (NOT_SHOWN, POOR_JUDGE, NEVER_REAL, TOO_FEW)  # verdicts that are said last
SEVERAL_SEEDS = (
    "Values are means over the seeds. What another seed would change is the second interval, of the difference of the "
    "means (Welch's, of the networks' means over the cases): a row is better only where that p is below alpha too."
)


def tables_in_words(task: Task) -> str:
    """What each table says, a sentence for each of its columns, for a reader to open."""
    tables = [(spec["title"], spec["rows"], task.columns([name])) for name, spec in task.spec["tables"].items()]
    lines = [
        f"{title}: {table_words(task, _claims(task, columns, rows))}" for title, rows, columns in tables if columns
    ]
    seeds = [html.paragraph(SEVERAL_SEEDS)] if len(task.seeds) > 1 else []
    return html.folded("What each table says, column by column", html.items(lines), *seeds) if lines else ""


def table_words(task: Task, claims: Sequence[Claim]) -> str:
    """The claims of one table in a few sentences; those that a control wins are counted only."""
    better, reference = only(claims, BETTER), task.label(task.context["reference"])
    sentences = [_words(task, one) for one in better]
    if not any(one.verdict in JUDGED for one in claims):
        sentences.append("nothing can be said for any row.")
    elif not better:
        sentences.append(f"no row can be said to be better than {reference}.")
    if wins := only(claims, CONTROL_WINS):
        sentences.append(f"A control beats every variant in {_names(wins)}.")
    sentences += [_words(task, one) for one in only(claims, OTHER_SEED)]
    if best := only(claims, REFERENCE):
        sentences.append(f"No row has a better mean than {reference} in {_names(best)}.")
    sentences += [_words(task, one) for verdict in WEAK for one in only(claims, verdict)]
    return " ".join(sentences)


def at_a_glance(task: Task, claims: Sequence[Claim]) -> str:
    """For each column of the tables the reference row, the best variant with its difference, and what this is worth."""
    if not claims:
        return ""
    reference = task.label(task.context["reference"])
    judged = [one for one in claims if one.verdict in JUDGED]
    counts = Counter(task.label(one.best) for one in judged).most_common()
    bests = ", ".join(f"{row} in {count}" for row, count in counts)
    sentence = (
        f"Of {len(claims)} {'metric' if len(claims) == 1 else 'metrics'} of the tables, {len(judged)} can be judged"
        f"{f'; there the best mean has: {bests}' if judged else ''}. In {len(only(claims, BETTER))} of them that row "
        f"is better than the reference row {reference} with p < {task.context['alpha']:g} after Holm's correction. "
        f"{_left_out(claims)}{_ranking(claims)}"
    )
    heads = ["Metric", f"Reference: {reference}", "Best variant", "its mean", "Difference [95 %]"]
    heads += ["Best trivial control", "Verdict"]
    lines = [
        (one.name, number(one, one.reference_mean), task.label(one.best) if one.best else "–",
         number(one, one.best_mean), difference(one) if one.test is not None else "–",
         f"{task.label(one.control)} {number(one, one.control_mean)}" if one.control else "–",
         html.Cell([VERDICTS[one.verdict](task, one)], "words"))
        for one in claims
    ]  # fmt: skip
    table = html.table(heads, lines)
    return section(task, "At a glance", "glance", html.paragraph(sentence.strip()), table, tables_in_words(task))


def all_claims(task: Task) -> list[Claim]:
    """What each column of the tables says of all variants."""
    return _claims(task, task.columns(), task.context["variants"])


def _poor(task: Task, one: Claim) -> str:
    return f"the judge is too poor: Dice {one.judge_dice:.2f} against the truth"


VERDICTS: Mapping[str, Callable[[Task, Claim], str]] = {
    NEVER_REAL: lambda task, one: "nothing can be said: its segmenter finds it on the real CT of no case",
    TOO_FEW: lambda task, one: f"nothing can be said: {one.n} common {'case' if one.n == 1 else 'cases'}",
    POOR_JUDGE: _poor,
    CONTROL_WINS: lambda task, one: f"a control wins: {task.label(one.control)}",
    REFERENCE: lambda task, one: "no variant is better than the reference row",
    BETTER: lambda task, one: f"better: {_p(one)}",
    OTHER_SEED: lambda task, one: f"better by the cases, another seed may differ: {_p(one)}",
    NOT_SHOWN: lambda task, one: f"no difference is shown{f': {_p(one)}' if one.test is not None else ''}",
}


def _words(task: Task, one: Claim) -> str:
    """A claim as a sentence."""
    reference, best = task.label(task.context["reference"]), task.label(one.best)
    if one.verdict == CONTROL_WINS:
        control, ours, rival = task.label(one.control), number(one, one.control_mean), number(one, one.rival_mean)
        return f"{one.name}: {control} has {ours}, the best variant, {best}, {rival}."
    if one.test is None:
        return f"{one.name}: {VERDICTS[one.verdict](task, one)}."
    known = f"{number(one, one.best_mean)} against {number(one, one.reference_mean)}, difference {difference(one)}"
    if one.verdict == BETTER:
        return f"{best} is better than {reference} in {one.name}: {known}, {_p(one)}."
    if one.verdict == OTHER_SEED:
        return f"{one.name}: {best} is better than {reference} here, and another seed may differ: {known}, {_p(one)}."
    return f"{one.name}: no difference from {reference} is shown; the best is {best}, {known}, {_p(one)}."


def _left_out(claims: Sequence[Claim]) -> str:
    words = {
        CONTROL_WINS: "a trivial control is better than every variant",
        POOR_JUDGE: f"the judge is too poor (Dice below {POOR_DICE:g} against the truth)",
        NEVER_REAL: "no real CT shows the structure",
        TOO_FEW: "there are too few common cases",
    }
    counts = [(len(only(claims, verdict)), reason) for verdict, reason in words.items()]
    reasons = [f"in {count} {reason}" for count, reason in counts if count]
    return f"Not counted: {', '.join(reasons)}." if reasons else ""


def _ranking(claims: Sequence[Claim]) -> str:
    """In how many columns every seed ranks the variants alike, and where they do so least; "" for one seed."""
    ranked = [one for one in claims if not math.isnan(one.tau)]
    if not ranked:
        return ""
    least = min(ranked, key=lambda one: one.tau)
    alike = sum(one.tau == 1 for one in ranked)
    exception = "" if least.tau == 1 else f", least in {least.name} (Kendall's tau {html.minus(f'{least.tau:.2f}')})"
    return f" Every seed ranks the variants alike in {alike} of {len(ranked)}{exception}."


def _claims(task: Task, columns: Sequence[tuple[str, str, str]], rows: Sequence[str]) -> list[Claim]:
    variants = [row for row in rows if row in task.context["variants"]]
    return [claim(task, column, variants) for column in columns]


def only(claims: Sequence[Claim], verdict: str) -> list[Claim]:
    return [one for one in claims if one.verdict == verdict]


def _names(claims: Sequence[Claim]) -> str:
    return "; ".join(one.name for one in claims)


def number(one: Claim, value: float) -> str:
    return "–" if math.isnan(value) else html.minus(f"{value:.{one.metric.decimals}f}")


def difference(one: Claim) -> str:
    line, digits = one.test, one.metric.decimals
    assert line is not None
    interval = "" if math.isnan(line["ci_low"]) else f" [{line['ci_low']:.{digits}f}, {line['ci_high']:.{digits}f}]"
    return html.minus(f"{line['median_difference']:+.{digits}f}{interval}")


def _p(one: Claim) -> str:
    assert one.test is not None
    seeds = seeds_words(one.test, one.metric)
    return f"p {one.test['p']:.3g}, Holm {one.test['p_holm']:.3g}, n {one.test['n']:d}{f'; {seeds}' if seeds else ''}"


def seeds_words(line: pd.Series, metric: type[Metric]) -> str:
    """The second test of a line of the statistics; "" for one seed."""
    if math.isnan(line["p_seeds"]):
        return ""
    difference, low, high = (line[name] for name in ("mean_difference", "seeds_ci_low", "seeds_ci_high"))
    digits = metric.decimals
    numbers = f"{difference:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    return f"over seeds {html.minus(numbers)}, p {line['p_seeds']:.3g}"
