"""What may be said of a column, by hand: ten cases, the reference L1, two rows beside it, and the controls."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from afpbench.metrics.longtable import COLUMNS, line
from afpbench.metrics.seeds import over_seeds
from afpbench.metrics.statistics import compare
from afpbench.report.answer import answers
from afpbench.report.claims import (
    BETTER,
    CONTROL_WINS,
    NEVER_REAL,
    NOT_SHOWN,
    OTHER_SEED,
    POOR_JUDGE,
    REFERENCE,
    TOO_FEW,
    claim,
)
from afpbench.report.glance import all_claims, at_a_glance, table_words
from afpbench.study.kinds.registry import METRICS

CONTROLS = ["real_ct", "mr_linear", "mean_ct"]
SPEC = {"title": "Task", "tables": {"t": {"title": "Quality", "rows": ["l1", "afp", "worst"]}}}
LABELS = {"l1": "L1", "afp": "AFP", "worst": "Worst", "mean_ct": "Mean training CT"}
CASES = np.arange(10)
DICE = ("dice", "bones", "Dice ↑, Bones")
ROWS = {
    "l1": 0.2 + 0 * CASES,
    "afp": 0.3 + CASES / 100,  # 0.345 in the mean; 0.10 to 0.19 better, the median 0.145
    "worst": 0.1 - CASES / 1000,
    "real_ct": 1 + 0 * CASES,
    "mean_ct": 0.25 + 0 * CASES,
    "mr_linear": 0.0 * CASES,
}


def seeded(long, offsets):
    """The long table with a seed for each offset of a variant: what that seed adds to its values."""
    seeds = range(len(next(iter(offsets.values()))))
    parts = [long[~long["variant"].isin(offsets)]]
    for row, added in offsets.items():
        its = long[long["variant"] == row]
        parts += [its.assign(seed=str(seed), value=its["value"] + added[seed]) for seed in seeds]
    return pd.concat(parts, ignore_index=True)


def task_of(rows=None, metric="dice", place="bones", judge_dice=0.9, offsets=None):
    """What the rules read of a task. A value of None: no line of a case with a value. offsets: as `seeded` has them."""
    lines = [
        line("t", row, f"c{case}", "seg" if place == "bones" else "", place, metric,
             math.nan if value is None else value, "both_empty" if value is None else "ok")
        for row, values in (ROWS | (rows or {})).items() for case, value in enumerate(values)
    ]  # fmt: skip
    long = pd.DataFrame(lines, columns=list(COLUMNS))
    long = seeded(long, offsets) if offsets else long
    column = DICE if place == "bones" else (metric, place, f"{METRICS[metric].label} {METRICS[metric].arrow()}")
    context = {"reference": "l1", "variants": ["l1", "afp", "worst"], "controls": CONTROLS, "alpha": 0.05}
    return SimpleNamespace(
        name="t", every=long, compared=over_seeds(long), context=context,
        statistics=compare(long, "l1", controls=CONTROLS, resamples=200),
        judge_dice={"bones": judge_dice}, label=LABELS.get, columns=lambda tables=None: [column],
        seeds=[0], spec=SPEC,
    )  # fmt: skip


def glance(task):
    return at_a_glance(task, all_claims(task))


def claimed(task, column=DICE, variants=("l1", "afp", "worst")):
    return claim(task, column, variants)


def test_a_row_that_is_better_with_its_difference():
    task = task_of()
    one = claimed(task)
    assert (one.verdict, one.best, one.n, one.control) == (BETTER, "afp", 10, "mean_ct")
    assert one.best_mean == pytest.approx(0.345) and one.reference_mean == pytest.approx(0.2)
    assert one.test["median_difference"] == pytest.approx(0.145)
    assert one.test["p"] == 2 / 2**10 and one.test["p_holm"] == 2 * 2 / 2**10
    words = table_words(task, [one])
    assert words.startswith("AFP is better than L1 in Dice ↑, Bones: 0.345 against 0.200, difference +0.145 [0.1")
    assert words.endswith("], p 0.00195, Holm 0.00391, n 10.")


def test_a_trivial_control_wins():
    task = task_of({"mean_ct": 0.4 + 0 * CASES})
    one = claimed(task)
    assert (one.verdict, one.control, one.best) == (CONTROL_WINS, "mean_ct", "afp")
    assert table_words(task, [one]) == (
        "nothing can be said for any row. A control beats every variant in Dice ↑, Bones."
    )
    page = glance(task)
    assert "0 can be judged" in page and "a control wins: Mean training CT" in page and "AFP in 1" not in page
    assert "Not counted: in 1 a trivial control is better than every variant." in page


def test_the_real_ct_is_no_rival():
    assert claimed(task_of()).control == "mean_ct"  # real_ct has 1.0


def test_a_control_is_compared_over_the_cases_that_it_has():
    """Mean training CT has 0.35 in the three cases where AFP has 0.30, 0.31 and 0.32; over all AFP has 0.345."""
    one = claimed(task_of({"mean_ct": [0.35] * 3 + [None] * 7}))
    assert one.verdict == CONTROL_WINS and (one.control_mean, one.rival_mean) == pytest.approx((0.35, 0.31))
    assert claimed(task_of({"mean_ct": [0.35] * 2 + [None] * 8})).verdict == BETTER  # two cases say nothing


def test_a_poor_judge_says_nothing():
    task = task_of(judge_dice=0.1)
    one = claimed(task)
    assert one.verdict == POOR_JUDGE and one.best == ""
    assert "the judge is too poor: Dice 0.10 against the truth" in table_words(task, [one])
    assert "0 can be judged" in glance(task)
    assert claimed(task_of(judge_dice=0.3)).verdict == BETTER
    assert claimed(task_of(judge_dice=math.nan)).verdict == BETTER  # patients: nobody knows


def test_a_structure_that_no_real_ct_shows_says_nothing():
    task = task_of({row: [None] * 10 for row in ROWS})
    one = claimed(task)
    assert one.verdict == NEVER_REAL
    assert "its segmenter finds it on the real CT of no case" in table_words(task, [one])
    assert "in 1 no real CT shows the structure" in glance(task)


@pytest.mark.parametrize(("shared", "verdict"), [(1, TOO_FEW), (2, TOO_FEW), (3, NOT_SHOWN)])
def test_few_common_cases_say_nothing(shared, verdict):
    task = task_of({"l1": [0.2] * shared + [None] * (10 - shared)})
    one = claimed(task)
    assert (one.verdict, one.n) == (verdict, shared)
    if shared == 1:
        assert "nothing can be said: 1 common case." in table_words(task, [one])
        assert "0 can be judged" in glance(task) and "in 1 there are too few common cases" in glance(task)


def test_a_difference_of_chance_is_no_claim():
    """SSIM of 0.8195 beside 0.818: five cases better, five worse."""
    signs = np.where(CASES % 2 == 0, -1, 1)
    rows = {"l1": 0.818 + 0 * CASES, "afp": 0.819 + signs * (CASES + 1) / 1000, "mean_ct": 0 * CASES}
    task = task_of(rows, "ssim", "body")
    one = claimed(task, ("ssim", "body", "SSIM ↑"))
    assert (one.verdict, one.best) == (NOT_SHOWN, "afp")
    words = table_words(task, [one])
    assert words.startswith("no row can be said to be better than L1. SSIM ↑: no difference from L1 is shown; the best")


def test_equal_digits_are_no_lead():
    one = claimed(task_of({"afp": 0.2 + (CASES + 1) / 1e6, "mean_ct": 0 * CASES}))
    assert (one.verdict, one.best, one.test) == (REFERENCE, "l1", None)


def test_what_holm_takes_back_is_no_claim():
    """Six cases, all better: p = 0.031, after Holm over two rows 0.0625."""
    six = {row: [*values[:6], *[None] * 4] for row, values in ROWS.items()}
    one = claimed(task_of(six))
    assert one.test["p"] == 2 / 2**6 and (one.verdict, one.n) == (NOT_SHOWN, 6)


def test_only_rows_of_the_table_count():
    one = claimed(task_of(), variants=("l1", "worst"))
    assert (one.verdict, one.best, one.control) == (CONTROL_WINS, "l1", "mean_ct")


def test_a_lead_that_other_seeds_repeat():
    """Networks' means 0.19, 0.20, 0.21 against 0.335, 0.345, 0.355, and every seed ranks the three rows alike."""
    small = {row: [-0.01, 0.0, 0.01] for row in ("l1", "afp", "worst")}
    task = task_of(offsets=small)
    one = claimed(task)
    assert (one.verdict, one.best, one.n, one.tau) == (BETTER, "afp", 10, 1)
    assert one.test["p"] == 2 / 2**10 and one.test["mean_difference"] == pytest.approx(0.145)
    assert "; over seeds +0.145 [" in table_words(task, [one])
    assert "Every seed ranks the variants alike in 1 of 1." in glance(task)


def test_a_lead_that_another_seed_may_undo():
    """AFP's seeds lie 0.3 apart, the third below L1 in most: better in the cases' means, not beyond another seed.

    Rankings: afp, l1, worst; afp, l1, worst; l1, worst, afp. Tau: 1 of the first pair, -1/3 of the other two.
    """
    task = task_of(offsets={"l1": [0.0, 0.0, 0.0], "afp": [0.3, 0.0, -0.3], "worst": [0.0, 0.0, 0.0]})
    one = claimed(task)
    assert one.verdict == OTHER_SEED and one.test["p_holm"] < 0.05 < one.test["p_seeds"]
    assert one.tau == pytest.approx((1 - 1 / 3 - 1 / 3) / 3)
    words = table_words(task, [one])
    assert words.startswith("no row can be said to be better than L1. Dice ↑, Bones: AFP is better than L1 here, and")
    assert "alike in 0 of 1, least in Dice ↑, Bones (Kendall's tau 0.11)." in glance(task).replace("&#x27;", "'")


def answered(task):
    """The paragraphs of the page's first section."""
    return re.findall(r"<p>(.*?)</p>", answers([(task, all_claims(task))]))


def test_the_answer_names_the_best_row_with_its_difference():
    (line,) = answered(task_of())
    assert line.startswith("AFP has the best mean and is better than L1 in 1 of 1 metric: Dice of Bones by +0.145 [0.1")


def test_the_answer_begins_with_a_control_that_wins():
    first, second = answered(task_of({"mean_ct": 0.4 + 0 * CASES}))
    assert first == (
        "A trivial control beats every row in Dice of Bones (Mean training CT 0.400, the best row AFP 0.345)."
    )
    assert second == "Nothing can be said for any row: of 1 metric none can be judged."


def test_the_answer_where_nothing_is_significant():
    task = task_of({"afp": 0.2 + (CASES + 1) / 1e6, "mean_ct": 0 * CASES})
    assert answered(task) == ["No row can be said to be better than L1 in any of 1 metric."]


def test_the_answer_says_that_another_seed_may_undo_it():
    task = task_of(offsets={"l1": [0.0, 0.0, 0.0], "afp": [0.3, 0.0, -0.3], "worst": [0.0, 0.0, 0.0]})
    assert answered(task)[1] == "Another seed may undo the lead in Dice of Bones."
