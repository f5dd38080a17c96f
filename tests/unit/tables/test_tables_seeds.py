"""Tables of rows that several seeds trained, with numbers worked out by hand."""

import csv
import io
import math

import pandas as pd
import pytest

from afpbench.metrics.longtable import COLUMNS, line
from afpbench.metrics.statistics import compare
from afpbench.tables.build import Context, build_table
from afpbench.tables.inputs import Inputs
from afpbench.tables.render import to_csv, to_latex, to_markdown

SPEC = {"caption": "A table.", "columns": [{"metric": "mae"}]}
CONTEXT = Context(["l1", "afp"], "l1", ["real_ct"], {"l1": "L1", "afp": "AFP"})
SEEDS = {"1": -1.0, "2": 0.0, "3": 1.0}  # what a seed adds to every case of l1: SD between the seeds 1
CASES = [10.0, 12.0, 14.0, 16.0, 18.0, 20.0]  # mean 15, SD sqrt(14)


def long_table(better, spread):
    """MAE: l1 has CASES and its seeds' offsets; afp is lower by `better`, its seeds' offsets are times `spread`."""
    lines = []
    for case, value in enumerate(CASES):
        for seed, offset in SEEDS.items():
            for row, mae in (("l1", value + offset), ("afp", value - better - 0.01 * case + spread * offset)):
                lines.append(line("t", row, f"c{case}", "", "body", "mae", mae, "ok", seed))
        lines.append(line("t", "real_ct", f"c{case}", "", "body", "mae", 0.0, "ok"))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def build(better=8.0, spread=2.0):
    long = long_table(better, spread)
    return build_table("t", SPEC, long, compare(long, "l1", controls=["real_ct"]), CONTEXT)


def test_a_cell_has_the_sd_over_cases_and_that_between_seeds_apart():
    l1, afp, real = (row.cells[0] for row in build().rows)
    assert (l1.mean, l1.n) == (pytest.approx(15), 6) and l1.sd == pytest.approx(math.sqrt(14))
    assert (l1.sd_seeds, afp.sd_seeds) == (pytest.approx(1), pytest.approx(2)) and math.isnan(real.sd_seeds)
    text = to_markdown(build())
    assert "| L1 | 15.00 ± 3.74 [1.00] | 6 |" in text and "| *real\\_ct* | 0.00 ± 0.00\\* | 6 |" in text
    assert "trained with 3 seeds" in text and "in brackets: SD between the seeds' means" in text
    lines = list(csv.DictReader(io.StringIO(to_csv(build()))))
    assert [entry["sd_seeds"] for entry in lines] == [repr(l1.sd_seeds), repr(afp.sd_seeds), ""]


def test_an_asterisk_that_another_seed_may_undo_is_marked():
    """Lower in every case by 8, the networks' means 14, 15, 16 and 5, 7, 9: far apart. By 1: not."""
    sure, unsure = build().rows[1].cells[0], build(better=1.0).rows[1].cells[0]
    assert sure.significant and sure.mark == ""
    assert unsure.significant and unsure.mark == "‡"
    assert build().footnotes == () and build(better=1.0).footnotes[0].startswith("‡ By the cases only")
    assert r"$^{\ddagger}$" in to_latex(build(better=1.0)) and to_latex(build(better=1.0)).isascii()


def test_one_seed_is_shown_as_ever():
    long = long_table(1.0, 2.0)
    one = long[long["seed"].isin(["", "2"])]
    table = build_table("t", SPEC, one, compare(one, "l1", controls=["real_ct"]), CONTEXT)
    assert "[" not in to_markdown(table) and "seed" not in to_markdown(table) + to_csv(table)
    unknown = one.assign(seed="")
    again = build_table("t", SPEC, unknown, compare(unknown, "l1", controls=["real_ct"]), CONTEXT)
    assert to_csv(again) == to_csv(table)


def test_tables_of_ones_own_can_have_values_averaged_over_seeds(tmp_path):
    path = tmp_path / "m.csv"
    long_table(8.0, 2.0).to_csv(path, index=False)
    inputs = Inputs({"metrics": str(path)}, ["l1"])
    assert len(inputs.long) == 6 * 7 and len(inputs.averaged) == 6 * 3
    assert inputs.averaged.set_index(["variant", "case"]).loc[("l1", "c1"), "value"] == pytest.approx(12)
