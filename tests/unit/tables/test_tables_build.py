import math
from dataclasses import replace

import pandas as pd
import pytest

from afpbench.base.errors import ConfigError
from afpbench.metrics.longtable import COLUMNS, line, write_long
from afpbench.metrics.statistics import compare, write_statistics
from afpbench.tables.build import Context, build_all, build_companion, build_table
from afpbench.tables.inputs import Inputs
from afpbench.tables.scores import score_files

CASES = range(8)
SPEC = {"caption": "A table.", "columns": [
    {"metric": "mae"}, {"metric": "mae", "region": "volume"}, {"metric": "dice", "structure": "bones"},
    {"metric": "hd95", "structure": "bones"},
]}  # fmt: skip
CONTEXT = Context(
    variants=["nnunet_l1", "nnunet_afp_totalseg"],
    controls=["real_ct"],
    reference="nnunet_l1",
    labels={"nnunet_l1": "nnU-Net / L1", "real_ct": "Real CT"},
    structures={"bones": {"label": "Bones", "segmenter": "ts"}},
    notes="L1 + AFP is 1:1.",
)


def values_of(row, case):
    base = {"nnunet_l1": 0.0, "nnunet_afp_totalseg": 0.1, "real_ct": 0.5}[row] + case / 100
    return {"mae": 70 - 10 * base, "volume": 30 - base, "dice": 0.4 + base, "hd95": 9 - 8 * base}


def make_long(changes=None):
    lines = []
    for row in ("nnunet_l1", "nnunet_afp_totalseg", "real_ct"):
        for case in CASES:
            values = values_of(row, case)
            lines += [
                line("pelvis", row, f"c{case}", "", "body", "mae", values["mae"], "ok"),
                line("pelvis", row, f"c{case}", "", "volume", "mae", values["volume"], "ok"),
                line("pelvis", row, f"c{case}", "ts", "bones", "dice", values["dice"] * (1 + case / 50), "ok"),
                line("pelvis", row, f"c{case}", "ts", "bones", "hd95", values["hd95"], "ok"),
            ]
    for entry in lines:
        for (row, case, metric), (value, status) in (changes or {}).items():
            if (entry["variant"], entry["case"]) == (row, case) and metric in (entry["metric"], "all"):
                entry.update(value=value, status=status)
    return pd.DataFrame(lines, columns=list(COLUMNS))


def build(spec=SPEC, changes=None, context=CONTEXT):
    long = make_long(changes)
    return build_table("table5", spec, long, compare(long, "nnunet_l1", controls=context.controls), context)


def test_rows_columns_and_numbers():
    table = build()
    assert [column.key for column in table.columns] == ["mae", "mae:volume", "dice:bones", "hd95:bones"]
    assert [column.group for column in table.columns] == ["Image", "Image (whole volume)", "Bones", "Bones"]
    assert [(row.key, row.kind, row.n) for row in table.rows] == [
        ("nnunet_l1", "variant", 8), ("nnunet_afp_totalseg", "variant", 8), ("real_ct", "control", 8)
    ]  # fmt: skip
    assert [row.label for row in table.rows] == ["nnU-Net / L1", "nnunet_afp_totalseg", "Real CT"]
    numbers = pd.Series([70 - case / 10 for case in CASES])
    assert table.rows[0].cells[0].mean == pytest.approx(numbers.mean())
    assert table.rows[0].cells[0].sd == pytest.approx(numbers.std(ddof=1))


def test_best_and_asterisks_are_the_variants():
    table = build()
    assert [cell.best for cell in table.rows[0].cells] == [False] * 4
    assert [cell.best for cell in table.rows[1].cells] == [True] * 4
    assert [cell.best for cell in table.rows[2].cells] == [False] * 4  # better, but a control
    assert [cell.significant for cell in table.rows[0].cells] == [False] * 4
    assert [cell.significant for cell in table.rows[1].cells] == [True] * 4


def test_significantly_worse_has_no_asterisk():
    changes = {("nnunet_afp_totalseg", f"c{case}", "mae"): (99 + case, "ok") for case in CASES}
    table = build(changes=changes)
    assert not table.rows[1].cells[0].significant and table.rows[0].cells[0].best


def test_equal_digits_share_the_bold():
    changes = {("nnunet_afp_totalseg", f"c{case}", "hd95"): (values_of("nnunet_l1", case)["hd95"] + 1e-6, "ok")
               for case in CASES}  # fmt: skip
    assert [row.cells[3].best for row in build(changes=changes).rows] == [True, True, False]


def test_a_single_variant_is_not_the_best_of_anything():
    table = build({**SPEC, "rows": ["nnunet_l1", "real_ct"]})
    assert not any(cell.best for row in table.rows for cell in row.cells)


def test_failures_are_counted_and_told():
    table = build(changes={
        ("nnunet_afp_totalseg", "c3", "all"): (math.nan, "failed: out of memory"),
        ("nnunet_l1", "c0", "hd95"): (math.nan, "both_empty"), ("nnunet_l1", "c0", "dice"): (0.5, "ok"),
        ("nnunet_l1", "c1", "all"): (math.nan, "failed: no overlap"),
        ("nnunet_afp_totalseg", "c1", "all"): (math.nan, "failed: no overlap"),
        ("real_ct", "c1", "all"): (math.nan, "failed: no overlap"),
    })  # fmt: skip
    assert [(row.n, row.n_failed) for row in table.rows] == [(7, 1), (6, 2), (7, 1)]
    assert [cell.n for cell in table.rows[0].cells] == [6, 6, 6, 5]  # the cases that both variants have
    assert [cell.n for cell in table.rows[1].cells] == [6, 6, 6, 5]
    assert [cell.n for cell in table.rows[2].cells] == [6, 6, 6, 5]
    assert table.footnotes == (
        "Failed in every row: case c1: no overlap",
        "Failed in nnunet_afp_totalseg: case c3: out of memory",
        "HD95 of Bones undefined, found in neither CT: nnU-Net / L1 1 case",
        CONTEXT.notes,
    )
    assert "over up to 7 test cases" in table.caption


def test_a_structure_that_no_real_ct_shows_has_its_reason_below_the_table():
    """L1 finds bones that are not there in one case, the others find none: dashes and zeros would look like results."""
    rows = ("nnunet_l1", "nnunet_afp_totalseg", "real_ct")
    changes = {(row, f"c{case}", metric): (math.nan, "both_empty")
               for row in rows for case in CASES for metric in ("dice", "hd95")}  # fmt: skip
    changes |= {("nnunet_l1", "c0", "dice"): (0.0, "real_empty"), ("nnunet_l1", "c0", "hd95"): (math.nan, "real_empty")}
    note, _ = build(changes=changes).footnotes
    assert note.startswith("Bones: the segmenter ts finds it on the real CT of no case")


def found_in(row, distances_mm):
    """Changes after which a row finds the bones in the first cases only, at these distances."""
    missing = [(math.nan, "synthetic_empty")] * (len(CASES) - len(distances_mm))
    entries = [(float(distance), "ok") for distance in distances_mm] + missing
    return {(row, f"c{case}", "hd95"): entry for case, entry in enumerate(entries)}


def hd95(missing, changes):
    """The column of HD95, its cells of both variants, and the table; every image has a diagonal of 100 mm."""
    diagonals = [line("pelvis", row, f"c{case}", "", "volume", "diagonal_mm", 100, "ok")
                 for row in (*CONTEXT.variants, "real_ct") for case in CASES]  # fmt: skip
    long = pd.concat([make_long(changes), pd.DataFrame(diagonals, columns=list(COLUMNS))], ignore_index=True)
    statistics = compare(long, "nnunet_l1", controls=["real_ct"], missing=missing)
    table = build_table("t", SPEC, long, statistics, replace(CONTEXT, missing=missing))
    return table.columns[3], [row.cells[3] for row in table.rows[:2]], table


def test_a_row_that_finds_nothing_is_not_the_best_by_one_case():
    """L1 finds 1 of 8 at 2 mm, AFP 5 of 8 at 5 mm: (2 + 7 * 100) / 8 against (5 * 5 + 3 * 100) / 8."""
    changes = found_in("nnunet_l1", [2]) | found_in("nnunet_afp_totalseg", [5] * 5)
    column, (l1, afp), table = hd95("penalty", changes)
    assert (l1.mean, afp.mean, l1.n, afp.n, column.n_common) == (87.75, 40.625, 8, 8, 8)
    assert (l1.best, afp.best, l1.penalised, afp.penalised) == (False, True, 7, 3)
    note = "HD95 of Bones with the penalty: nnU-Net / L1 7 cases, nnunet_afp_totalseg 3 cases"
    assert table.footnotes == (note, CONTEXT.notes) and "of a distance the image's diagonal" in table.reading[0]


def test_without_a_penalty_one_common_case_compares_nothing():
    changes = found_in("nnunet_l1", [2]) | found_in("nnunet_afp_totalseg", [5] * 5)
    column, (l1, afp), table = hd95("common", changes)
    assert (l1.mean, afp.mean, l1.n, afp.n, column.n_common) == (2, 5, 1, 5, 1)
    assert not any(cell.best or cell.shade or cell.significant for cell in (l1, afp))
    assert table.footnotes[-2] == "HD95 of Bones not compared: 1 case in common, each row is over its own"
    assert "of a distance the case is left out" in table.reading[0] and "fewer than 3" in table.reading[0]


def test_without_a_penalty_rows_are_compared_over_common_cases():
    """L1 finds its 3 easy cases at 4 mm. AFP has 3 mm there and 9 mm in the 5 others: 6.75 over all, 3 over L1's."""
    changes = found_in("nnunet_l1", [4] * 3) | found_in("nnunet_afp_totalseg", [3] * 3 + [9] * 5)
    column, (l1, afp), _ = hd95("common", changes)
    assert (l1.mean, afp.mean, l1.n, afp.n, column.n_common) == (4, 3, 3, 3, 3)
    assert (l1.best, afp.best) == (False, True)


def test_a_row_that_never_has_a_value_does_not_empty_the_column():
    column, (l1, afp), _ = hd95("common", found_in("nnunet_l1", []))
    assert (column.n_common, l1.n, afp.n) == (8, 0, 8) and not afp.best


def test_a_column_whose_rows_do_not_differ_has_no_colours():
    """MAE 0.2 HU apart: worse by 1.2, 4.2, 5.2, 8.2, better by 1.8, 2.8, 5.8, 6.8, ranks of sum 18 each: p = 1."""
    differences = [1.2, -1.8, -2.8, 4.2, 5.2, -5.8, -6.8, 8.2]
    changes = {
        ("nnunet_afp_totalseg", f"c{case}", "mae"): (values_of("nnunet_l1", case)["mae"] + difference, "ok")
        for case, difference in enumerate(differences)
    }
    table = build(changes=changes)
    assert table.rows[1].cells[0].mean - table.rows[0].cells[0].mean == pytest.approx(0.2)
    assert [row.cells[0].shade for row in table.rows] == ["", "", ""] and not table.columns[0].differs
    assert table.rows[1].cells[2].shade == "optimal" and table.columns[2].differs  # Dice: 8 of 8 better
    assert "in columns whose variants differ (Friedman's test" in table.legend


def test_a_caption_has_neither_colours_nor_losses():
    losses = {"nnunet_l1": [{"term": "l1", "weight": 1}]}
    table = build(context=replace(CONTEXT, losses=losses))
    assert table.losses == "Losses: nnU-Net / L1: l1." and table.legend.startswith("Dark green: the best")
    assert "Losses" not in table.caption and "green" not in table.caption


def test_everything_failed():
    table = build(changes={("nnunet_l1", f"c{case}", "all"): (math.nan, "failed: x") for case in CASES})
    assert table.rows[0].n == 0 and math.isnan(table.rows[0].cells[0].mean)
    assert not any(cell.significant for row in table.rows for cell in row.cells)


def test_caption_says_how():
    table = build()
    assert table.caption == (
        "A table. Mean ± SD over 8 test cases. Bold: the best of the variants. *: better than nnU-Net / L1, Wilcoxon "
        "p < 0.05, not adjusted for multiple tests."
    )
    assert "two-sided Wilcoxon signed-rank test" in table.reading[-1]
    assert table.footnotes[-1].endswith("L1 + AFP is 1:1.")


def test_infinite_means_have_no_sd():
    changes = {("real_ct", "c0", "mae"): (math.inf, "ok")}
    cell = build(changes=changes).rows[2].cells[0]
    assert cell.mean == math.inf and math.isnan(cell.sd)


def test_rows_are_as_listed_controls_below():
    table = build({**SPEC, "rows": ["real_ct", "nnunet_afp_totalseg", "nnunet_l1"]})
    assert [row.key for row in table.rows] == ["nnunet_afp_totalseg", "nnunet_l1", "real_ct"]


def test_published_beside_ours():
    long = make_long()
    table, companion = build_all("table5", {**SPEC, "published": "table6"}, long, compare(long, "nnunet_l1"), CONTEXT)
    assert companion == build_companion(table, "table6") and companion.name == "table5_published"
    assert [column.key for column in companion.columns][4:6] == ["dice:bones", "dice:bones (published)"]
    assert [(row.key, row.kind) for row in companion.rows] == [
        ("nnunet_l1", "variant"), ("nnunet_afp_totalseg", "variant"), ("nnunet_perceptual", "published"),
        ("nnunet_l1_afp_totalseg", "published"), ("real_ct", "control"),
    ]  # fmt: skip
    ours, theirs = companion.rows[1].cells[4:6]
    assert ours == table.rows[1].cells[2]
    assert (theirs.mean, theirs.sd, theirs.best, theirs.significant) == (0.780, 0.203, True, False)
    assert math.isnan(companion.rows[1].cells[1].mean)  # Table 6 has no MAE
    assert math.isnan(companion.rows[2].cells[4].mean) and companion.rows[2].cells[5].mean == 0.727
    assert all(math.isnan(cell.mean) for cell in companion.rows[4].cells[1::2])
    assert build_all("table5", SPEC, long, compare(long, "nnunet_l1"), CONTEXT) == [table]


def test_the_papers_mae_stands_beside_the_body_only():
    companion = build_companion(build(), "table5")
    cells = companion.rows[0].cells
    assert cells[1].mean == 65.3 and cells[1].decimals == 3 and math.isnan(cells[3].mean)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"columns": [{"metric": "dise"}]}, r"tables.table5.columns: unknown metric\n.*dise\n.*mae, me"),
        ({"columns": [{"metric": "dice", "structure": "lungs"}]}, r"dice of this structure is not.*\n.*lungs\n.*bones"),
        ({"columns": [{"metric": "dice"}]}, r"dice of this region is not.*\n.*body\n.*computed per structure"),
        (
            {"columns": [{"metric": "leakage", "structure": "bones"}]},
            r"leakage is not in the metrics(.|\n)*make the metrics anew",
        ),
        ({"columns": [{"metric": "mae", "region": "head"}]}, r"mae of this region is not.*\n.*head\n.*body, volume"),
        ({"columns": [{"metric": "dice", "structure": "bones", "segmenter": "x"}]}, r"found: bones by x\n.*ts"),
        (
            {**SPEC, "rows": ["nnunet_l1", "spade"]},
            r"tables.table5.rows: not in the metrics\n.*found: spade\n.*real_ct",
        ),
    ],
)
def test_refused_specs(spec, message):
    with pytest.raises(ConfigError, match=message):
        build({"caption": "x", **spec})


def test_a_caption_names_a_challenges_definition(tmp_path):
    long = make_long()
    write_long(long, tmp_path / "metrics.csv")
    write_statistics(compare(long, "nnunet_l1"), tmp_path / "statistics.csv")
    inputs = Inputs({name: str(tmp_path / f"{name}.csv") for name in ("metrics", "statistics")}, list(CONTEXT.variants))
    spec = {**SPEC, "rows": list(CONTEXT.variants)}
    own, theirs = (
        score_files("t", spec, inputs, replace(CONTEXT, definition=name))["t.md"]
        for name in ("afpbench", "synthrad2025_evaluation")
    )
    assert "definition" not in own
    assert "Metrics by the definition synthrad2025_evaluation." in theirs.replace("\\_", "_")


def test_a_variant_without_metrics_is_never_dropped_silently():
    context = Context(variants=["nnunet_l1", "spade_l1"], reference="nnunet_l1")
    with pytest.raises(ConfigError, match=r"not in the metrics\n.*spade_l1"):
        build(context=context)


def test_two_tasks_need_a_name():
    long = pd.concat([make_long(), make_long().assign(task="thorax")], ignore_index=True)
    statistics = compare(long, "nnunet_l1")
    with pytest.raises(ConfigError, match=r"which task\n.*none given\n.*pelvis, thorax"):
        build_table("t", SPEC, long, statistics, CONTEXT)
    context = Context(CONTEXT.variants, "nnunet_l1", task="thorax")
    assert build_table("t", SPEC, long, statistics, context).rows[1].cells[0].significant
