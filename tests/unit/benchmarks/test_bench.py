"""The table of `make bench`: what its rows say, and what is read from a finished study. Speeds are not tested."""

import json
import os
from argparse import Namespace
from pathlib import Path

import bench
import bench_table
import pytest
import study_times
import throughput
from bench_table import Row

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def row(*ratios, goal=2.0, at_least=True):
    return Row("a step", "another", goal, at_least, "the memory", ratios)


def test_a_row_shows_the_median_its_range_and_what_bounds_it():
    assert row(3.0, 1.0, 2.5).markdown() == "| a step | another | 2.50 (1.00 to 3.00) | ≥ 2 | reached |"
    assert row(1.5).markdown() == "| a step | another | 1.50 | ≥ 2 | the memory |"
    assert row(2.0, goal=2.0, at_least=False).reached and not row(2.01, goal=2.0, at_least=False).reached
    absent = Row("a step", "another", 2.0, True, "the memory", missing="no study")
    assert absent.markdown() == "| a step | another | not measured: no study | ≥ 2 |  |" and not absent.reached


def test_ratios_are_those_of_each_round():
    assert bench.ratios([2.0, 6.0], [4.0, 2.0]) == (0.5, 3.0)


def test_bytes_are_drawn_out_on_a_straight_line():
    assert bench.drawn_out([10, 20], [150.0, 250.0], 100) == 1050.0  # 50 for weights, 10 a voxel


def record(results: Path, name: str, seconds: float, cpu: str, end: float) -> None:
    path = results / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:01\t1\t1\t1\t1\t0\t0\t50\t{cpu}\n")
    os.utime(path, (end, end))


@pytest.fixture
def results(tmp_path) -> Path:
    """A study of two tasks; the first job begins at 990 s, the first row is trained at 1890 s, 15 minutes later."""
    record(tmp_path, "thorax/benchmarks/import/a", 10, "8.0", 1000)
    record(tmp_path, "thorax/benchmarks/train_segmenter/navi", 100, "90.0", 1200)
    record(tmp_path, "thorax/benchmarks/train/l1", 300, "200.0", 1890)
    record(tmp_path, "pelvis/benchmarks/folds/0/train/l1", 300, "110.0", 1990)
    record(tmp_path, "pelvis/benchmarks/metrics/l1", 2, "NA", 2000)
    record(tmp_path, "benchmarks/report", 50, "40.0", 2100)
    return tmp_path


def test_a_finished_study_tells_its_times(results):
    jobs = study_times.read_jobs(results)
    assert study_times.is_finished(jobs)
    assert study_times.by_kind(jobs) == {
        "import": 8, "train_segmenter": 90, "train": 310, "metrics": 2, "report": 40,
    }  # fmt: skip
    assert study_times.rest_over_trainings(jobs) == 50 / 400
    assert study_times.first_row_minutes(jobs) == 15


def test_rows_of_a_study_say_where_there_is_none(results, tmp_path_factory):
    found = list(bench.whole_study(Namespace(results=results)))
    assert [row.ratios for row in found] == [(0.125,), (15.0,)]
    empty = tmp_path_factory.mktemp("empty")
    assert all("no finished study" in row.markdown() for row in bench.whole_study(Namespace(results=empty)))


def test_the_tables_of_a_page_are_those_of_the_files(tmp_path):
    figures = {
        "machine": {"cores": 2, "instructions": ["avx2"], "torch": "2.0"},
        "number_format": "float32", "avx2": True, "load": [0.1, 1.2], "minutes": 9.6,
    }  # fmt: skip
    content = bench_table.as_json([row(3.0)], **figures)
    (tmp_path / "avx2.json").write_text(json.dumps(content))
    page = "# Page\n\n<!-- avx2 -->\nold\n<!-- end -->\nrest\n"
    made = bench_table.with_tables(page, tmp_path)
    assert made.startswith("# Page\n\n<!-- avx2 -->\n2 cores (avx2), held to AVX2 and float32; automatic number format")
    assert made.endswith("| a step | another | 3.00 | ≥ 2 | reached |\n<!-- end -->\nrest\n") and "old" not in made
    assert bench_table.with_tables(made, tmp_path) == made


def test_the_page_shows_the_reference_figures():
    page = bench_table.PAGE.read_text(encoding="utf-8")
    assert list(bench_table.REFERENCE.glob("*.json"))
    assert bench_table.with_tables(page, bench_table.REFERENCE) == page


@pytest.mark.slow
def test_throughput_goes_through_the_studys_own_trainer():
    found = throughput.measure(iterations=1, rounds=2, precision="float32")
    assert len(found["ratios"]) == 2 and min(found["ratios"]) > 0
    assert found["patch"] == [40, 40, 56] and found["batch"] == 2 and found["number_format"] == "float32"
