import math

import pytest

from afpbench.tables.build import Context
from afpbench.tables.cost import build_cost_tables, machine_words, pooled_cost
from afpbench.tables.render import to_html, to_latex, to_markdown

CPU = {"processor": "Example 9", "cores": 4, "gpu": None, "python": "3.11", "torch": "2"}
GPU = {**CPU, "gpu": "Example RTX"}
SPEC = {"kind": "cost", "caption": "Costs.", "rows": ["nnunet_l1", "nnunet_afp_totalseg"], "epochs": 1000,
        "published": None}  # fmt: skip
CONTEXT = Context(["nnunet_l1", "nnunet_afp_totalseg"], "nnunet_l1", labels={"nnunet_l1": "nnU-Net / L1"})


def cost(seconds_per_iteration, iterations=300, machine=CPU, **other):
    return {"name": "x", "iterations": iterations, "seconds": seconds_per_iteration * iterations,
            "seconds_per_iteration": seconds_per_iteration, "peak_memory_mb": 1234.4, "parameters": 7,
            "patch_size": [16, 24, 32], "batch_size": 2, "gpus": 1, "precision": "float32",
            "machine": machine, **other}  # fmt: skip


def done(case, seconds, memory=900.0, shape=(40, 50, 60)):
    return {"case": case, "status": "ok", "seconds": seconds, "peak_memory_mb": memory, "shape": list(shape)}


SYNTHESES = {
    "nnunet_l1": [done("a", 2.0), done("b", 4.0, 950.0, (40, 50, 62))],
    "nnunet_afp_totalseg": [done("a", 3.0), {"case": "b", "status": "failed: no space"}],
}


def tables(costs, spec=SPEC):
    return build_cost_tables("table4", spec, costs, SYNTHESES, CONTEXT)


def test_the_time_of_1000_epochs_is_projected_and_marked():
    (table,) = tables({"nnunet_l1": cost(0.36), "nnunet_afp_totalseg": cost(0.72)})
    memory, iteration, training, peak, inference = table.rows[0].cells
    assert training.mean == pytest.approx(0.36 * 250_000 / 3600) and training.mark == "†"
    assert (memory.mean, iteration.mean, peak.mean) == (1234.4, 0.36, 950)
    assert inference.mean == 3 and inference.sd == pytest.approx(math.sqrt(2)) and inference.n == 2
    text = to_markdown(table)
    assert "| nnU-Net / L1 | 1234 | 0.360 | 25.00† | 950 | 3.0 ± 1.4 | 2 |" in text
    assert "| nnunet\\_afp\\_totalseg | 1234 | 0.720 | 50.00† | 900 | 3.0 | 1 (1 failed) |" in text
    assert (
        "† Projected to 1000 epochs from the measured time of an iteration (nnU-Net / L1: 300 iterations; "
        "nnunet\\_afp\\_totalseg: 300 iterations)"
    ) in text
    assert "Failed in nnunet\\_afp\\_totalseg: case b: no space" in text
    assert "Volumes of the test cases: 40 × 50 × 60 to 40 × 50 × 62 voxels (z, y, x)" in text


def test_mirroring_is_told():
    costs = {"nnunet_l1": cost(0.36), "nnunet_afp_totalseg": cost(0.72)}
    (plain,) = tables(costs)
    assert not any("mirror" in note for note in plain.footnotes)
    mirrored = {row: [{**entry, "mirror": ["z", "x"]} for entry in entries] for row, entries in SYNTHESES.items()}
    (table,) = build_cost_tables("table4", SPEC, costs, mirrored, CONTEXT)
    assert "Inference on mirror images too (z, x): each case is predicted 4 times" in to_markdown(table)


def test_what_was_run_in_full_is_measured_and_has_no_mark():
    seconds = cost(0.1, iterations=250_000, seconds=7200.0)  # 0.1 s each would be 25000 s
    (table,) = tables({"nnunet_l1": seconds, "nnunet_afp_totalseg": cost(0.36)})
    assert [row.cells[2].mean for row in table.rows] == pytest.approx([2.0, 25.0])
    assert [row.cells[2].mark for row in table.rows] == ["", "†"]
    assert "(nnunet_afp_totalseg: 300 iterations)" in table.footnotes[0]
    (table,) = tables({"nnunet_l1": seconds, "nnunet_afp_totalseg": seconds})
    assert not [note for note in table.footnotes if "†" in note]


def test_the_machine_and_the_settings_are_named():
    (table,) = tables({"nnunet_l1": cost(1), "nnunet_afp_totalseg": cost(1)})
    assert table.caption == "Costs. Training of 1000 epochs of 250 iterations."
    words = " ".join(table.footnotes)
    assert "Memory: the peak of the process." in words
    assert "Machine: 4 cores of Example 9. Patch 16 × 24 × 32, batch 2, precision float32." in words
    (table,) = tables({"nnunet_l1": cost(1, machine=GPU), "nnunet_afp_totalseg": cost(1, machine=GPU)})
    words = " ".join(table.footnotes)
    assert "the peak of the GPU" in words and "Machine: Example RTX." in words


def test_rows_of_different_machines_say_so():
    (table,) = tables({"nnunet_l1": cost(1, machine=GPU), "nnunet_afp_totalseg": cost(1, batch_size=1)})
    assert "Machine:" not in " ".join(table.footnotes)
    assert "nnU-Net / L1: machine: Example RTX" in table.footnotes
    assert "nnunet_afp_totalseg: machine: 4 cores of Example 9" in table.footnotes
    assert "nnunet_afp_totalseg: Patch 16 × 24 × 32, batch 1, precision float32" in table.footnotes
    assert machine_words(GPU) == "Example RTX"


def test_a_batch_that_several_gpus_share_says_so():
    shared = cost(1, machine=GPU, batch_size=4, gpus=2)
    (table,) = tables({"nnunet_l1": shared, "nnunet_afp_totalseg": shared})
    assert "Patch 16 × 24 × 32, batch 4 on 2 GPUs, precision float32." in table.footnotes


def test_nothing_is_best_or_coloured():
    (table,) = tables({"nnunet_l1": cost(1), "nnunet_afp_totalseg": cost(2)})
    assert not any(cell.best or cell.shade or cell.significant for row in table.rows for cell in row.cells)


def test_the_papers_table_4_beside_ours():
    spec = {**SPEC, "published": "table4"}
    table, companion = tables({"nnunet_l1": cost(0.36), "nnunet_afp_totalseg": cost(0.72)}, spec)
    assert companion.name == "table4_published"
    text = to_markdown(companion)
    assert "| nnU-Net / L1 | 1234 | 7390 | 0.360 | — | 25.00† | 29 | 950 | 2860 | 3.0 ± 1.4 | 30 | 2 |" in text
    assert "| nnU-Net / Perceptual | — | 9070 |" in text
    assert "$^{\\dagger}$" in to_latex(companion) and to_latex(companion).isascii()
    assert "25.00†" in to_html(companion)


def test_no_case_was_synthesised():
    failed = {key: [{"case": "a", "status": "failed: x"}] for key in SYNTHESES}
    costs = {"nnunet_l1": cost(1), "nnunet_afp_totalseg": cost(1)}
    (table,) = build_cost_tables("t", SPEC, costs, failed, CONTEXT)
    assert "Failed in every row: case a: x" in table.footnotes
    assert math.isnan(table.rows[0].cells[4].mean) and (table.rows[0].n, table.rows[0].n_failed) == (0, 1)


def test_the_cost_of_folds_is_their_mean_time_and_their_largest_peak():
    pooled = pooled_cost([cost(0.2, peak_memory_mb=1000.0), cost(0.4, peak_memory_mb=900.0)])
    assert pooled["seconds_per_iteration"] == pytest.approx(0.3) and pooled["seconds"] == pytest.approx(90)
    assert (pooled["peak_memory_mb"], pooled["iterations"]) == (1000.0, 300)
    assert pooled_cost([cost(0.36)]) == cost(0.36) | {"seeds": 1, "together": 1}


def test_the_cost_of_seeds_is_their_sum():
    """Two seeds of 300 iterations, 60 and 120 s: 180 s; 5,000 iterations of 0.3 s with each seed are 3,000 s."""
    pooled = pooled_cost([cost(0.2), cost(0.4)], seeds=2)
    assert pooled["seconds"] == pytest.approx(180) and pooled["seconds_per_iteration"] == pytest.approx(0.3)
    spec = {**SPEC, "rows": ["nnunet_l1"], "epochs": 20}
    (table,) = build_cost_tables("t", spec, {"nnunet_l1": pooled}, SYNTHESES, CONTEXT)
    assert table.rows[0].cells[2].mean == pytest.approx(3000 / 3600)
    entries = [{**entry, "seconds": entry["seconds"] + more} for more in (0, 2) for entry in SYNTHESES["nnunet_l1"]]
    (twice,) = build_cost_tables("t", spec, {"nnunet_l1": pooled}, {"nnunet_l1": entries}, CONTEXT)
    assert twice.rows[0].n == table.rows[0].n
    assert twice.rows[0].cells[4].mean == pytest.approx(table.rows[0].cells[4].mean + 1)


def test_a_row_from_files_has_dashes_and_a_note():
    entries = [{"case": "a", "status": "ok"}, {"case": "b", "status": "failed: no such file"}]
    spec = {**SPEC, "rows": ["nnunet_l1", "theirs"]}
    costs = {"nnunet_l1": cost(1)}
    (table,) = build_cost_tables("t", spec, costs, {**SYNTHESES, "theirs": entries}, CONTEXT)
    ours, theirs = table.rows
    assert not math.isnan(ours.cells[0].mean) and all(math.isnan(cell.mean) for cell in theirs.cells)
    assert (theirs.n, theirs.failures) == (1, (("b", "no such file"),))
    assert "theirs: synthetic CT from files, nothing was trained" in table.footnotes
    assert "| theirs | — | — | — | — | — |" in to_markdown(table)


def test_the_cost_of_an_ensemble_is_the_sum_over_its_networks():
    """Two networks of 60 and 120 s: 180 s; of 250,000 iterations of 0.3 s each, 41.67 hours."""
    pooled = pooled_cost([cost(0.2), cost(0.4)], together=2)
    assert pooled["seconds"] == pytest.approx(180) and pooled["together"] == 2
    four = pooled_cost([cost(0.2), cost(0.4)] * 2, seeds=2, together=2)
    assert four["seconds"] == pytest.approx(360)
    entries = [{**done("a", 2.0), "networks": 2, "combine": "median", "mirror": ["x"]}]
    spec = {**SPEC, "rows": ["nnunet_l1"]}
    (table,) = build_cost_tables("table4", spec, {"nnunet_l1": pooled}, {"nnunet_l1": entries}, CONTEXT)
    assert table.rows[0].cells[2].mean == pytest.approx(2 * 250_000 * 0.3 / 3600)
    assert "Training times are summed over the 2 networks that predict together." in table.footnotes
    words = "by 2 networks together, the median of their synthetic CTs, on mirror images too (x)"
    assert f"Inference {words}: each case is predicted 4 times" in table.footnotes
