"""benchmarks/gpu.py, at a size for a CPU: every row trains, and the table has what the paper's Table 4 has."""

import statistics

import gpu
import pytest
import torch


@pytest.fixture(scope="module")
def found():
    return gpu.measure(gpu.SMALL, torch.device("cpu"), "float32", rounds=1)


@pytest.mark.slow
def test_every_row_has_time_and_memory(found):
    assert set(found["rows"]) == set(gpu.ROWS) and set(gpu.PAPER) < set(gpu.ROWS)
    for row in found["rows"].values():
        assert len(row["seconds"]) == 1 and row["seconds"][0] > 0 and row["mb"][0] > 0
    l1, afp = (found["rows"][name] for name in ("nnU-Net / L1", "nnU-Net / AFP TotalSeg"))
    assert afp["mb"][0] > l1["mb"][0]
    assert found["inference"]["patches"] == 2 * 2 * 2  # patches of 16 x 16 x 24 by halves over 24 x 20 x 36
    assert set(found["optimizer_seconds"]) == {"as it is", "fused"}


@pytest.mark.slow
def test_the_table_projects_to_the_papers_training(found):
    lines = gpu.table(found).splitlines()
    (line,) = [line for line in lines if line.startswith("| nnU-Net / L1 |")]
    hours = statistics.median(found["rows"]["nnU-Net / L1"]["seconds"]) * 250_000 / 3600
    assert f"| {hours:.1f} | 7390 MB, 29 h |" in line


@pytest.mark.slow
def test_a_row_that_does_not_fit_is_said_to(found):
    rows = {**found["rows"], "SPADE / L1": {"seconds": [], "mb": [], "reserved_mb": []}}
    assert "| SPADE / L1 | does not fit |" in gpu.table({**found, "rows": rows})


def test_full_sizes_are_the_papers():
    assert (gpu.FULL.patch, gpu.FULL.batch, gpu.FULL.volume) == ((128, 112, 160), 2, (533, 373, 533))
    network = gpu.make_nnunet(gpu.FULL)
    assert sum(parameter.numel() for parameter in network.parameters()) > 25e6
    assert gpu.FULL.spade["base_features"] == 32 and gpu.FULL.judged_by == 64
