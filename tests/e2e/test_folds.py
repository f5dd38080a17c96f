"""Cross-validation through the whole workflow: each patient is tested once, by networks that have not seen it."""

import json

import pytest
import yaml
from conftest import PROJECT, copy_project, snakemake

from afpbench.metrics.longtable import read_long

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
CASES = ["thorax_000", "thorax_001", "thorax_002", "thorax_003"]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The finished task of the smallest study in two folds: a calibrated row, and SPADE with a loss inside airways."""
    root = copy_project(tmp_path_factory.mktemp("folds") / "project")
    study = yaml.safe_load((PROJECT / "tests/e2e/smallest.yaml").read_text())
    thorax = study["tasks"]["thorax"]
    thorax["splits"] = {"folds": 2, "validation": 1}
    thorax["controls"] = ["real_ct", "mr_linear"]
    thorax["variants"]["afp"]["hu_calibration"] = "affine"
    sizes = {"base_features": 4, "max_features": 8, "downsamplings": 1, "blocks": 1, "spade_features": 4}
    thorax["generators"]["spade"] = {"kind": "spade", **sizes, "discriminator": {"base_features": 4, "layers": 2}}
    inside = {"term": "afp", "networks": ["navi"], "region": "inside", "region_of": ["airways"]}
    thorax["variants"]["spade"] = {"label": "SPADE", "generator": "spade", "loss": [{"term": "l1"}, inside]}
    thorax["tables"]["cost"] = {"kind": "cost"}
    (root / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    result = snakemake(root, "--cores", "2", "--configfile", "study.yaml")
    assert result.returncode == 0, result.stdout[-4000:]
    return root / "results" / "thorax"


def read(path):
    return json.loads(path.read_text())


def test_the_long_table_holds_each_case_once_for_each_row(task):
    long = read_long(task / "metrics" / "metrics.csv")
    for row in ("afp", "spade", "real_ct", "mr_linear"):
        lines = long[(long["variant"] == row) & (long["metric"] == "mae") & (long["structure"] == "body")]
        assert sorted(lines["case"]) == CASES and (lines["status"] == "ok").all()
    table = (task / "tables" / "quality.csv").read_text()
    assert "afp" in table and "spade" in table and (task.parent / "report.html").is_file()


def test_no_network_of_a_fold_has_seen_the_cases_that_it_is_tested_on(task):
    tested = []
    for fold in ("folds/0", "folds/1"):
        splits = read(task / fold / "splits" / "splits.json")
        tested += splits["test"]
        assert set(splits["train"] + splits["validation"] + splits["test"]) == set(CASES)
        assert read(task / fold / "normalization" / "normalization.json")["cases"] == splits["train"]
        stored = read(task / fold / "training_sets/nnunet/Dataset001_translation/splits_final.json")
        assert stored == [{"train": splits["train"], "val": splits["validation"]}]
    assert sorted(tested) == CASES


def test_each_chunk_comes_from_the_networks_of_its_fold(task):
    """The line that calibrated a case's HU is the one of the fold that tests it; the folds' lines differ."""
    lines = {}
    for chunk, fold in enumerate(("folds/0", "folds/1")):
        test = read(task / fold / "splits" / "splits.json")["test"]
        line = read(task / fold / "models/variants/afp/calibration.json")
        record = read(task / "synthetic" / "afp" / "records" / f"{chunk}.json")["cases"]
        assert [entry["case"] for entry in record] == test
        assert all(entry["calibration"]["slope"] == line["slope"] for entry in record)
        lines[fold] = line["slope"]
    assert lines["folds/0"] != lines["folds/1"]


def test_nothing_is_trained_outside_the_folds(task):
    assert not (task / "models").exists() and not (task / "normalization").exists()
    for fold in ("folds/0", "folds/1"):
        assert (task / fold / "models/segmenters/navi/fold_0/checkpoint_final.pth").is_file()


def test_the_table_of_costs_pools_the_folds(task):
    lines = (task / "tables" / "cost.csv").read_text().splitlines()
    assert len(lines) > 1 and any("afp" in line for line in lines[1:])
