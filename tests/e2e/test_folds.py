"""Cross-validation through the whole workflow: each patient is tested once, by networks that have not seen it; and the
networks of folds that predict an independent test case together."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import PROJECT, copy_project, snakemake

from afpbench.base.hardware import Runtime
from afpbench.inference.body import air_beyond, near_body
from afpbench.inference.synthesis import Generator
from afpbench.metrics.longtable import read_long
from afpbench.metrics.uncertainty import uncertainty_metrics
from afpbench.volumes import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
CASES = ["thorax_000", "thorax_001", "thorax_002", "thorax_003"]
TOGETHER = """
title: Two networks on one test case
data: {cases: 3}
registration: {method: none}
splits: {folds: 2, test: 1}
inference: {uncertainty: true}
segmenters: {}
structures: {}
variants:
  l1: {label: L1, generator: nnunet, loss: [{term: l1}]}
reference: l1
tables:
  quality: {columns: [{metric: mae}, {metric: uncertainty_spearman}, {metric: uncertainty_ause}]}
  cost: {kind: cost, epochs: 1}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The finished smallest study in two folds: a calibrated row, and SPADE with a loss inside airways; and its task
    `together`, in which the networks of two folds predict the test case. The networks of `thorax` learn from CTs as
    they lie in the files, and are judged by CTs in their true position."""
    root = copy_project(tmp_path_factory.mktemp("folds") / "project")
    study = yaml.safe_load((PROJECT / "tests/e2e/smallest.yaml").read_text())
    thorax = study["tasks"]["thorax"]
    together = yaml.safe_load(TOGETHER)
    shared = {key: thorax[key] for key in ("spacing_mm", "generators", "training", "controls")}
    study["tasks"]["together"] = {**shared, **together, "data": thorax["data"] | together["data"]}
    thorax["splits"] = {"folds": 2, "validation": 1}
    thorax["registration"] = {"train": {"method": "none"}, "evaluate": {"method": "truth"}}
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
    return root / "results"


@pytest.fixture(scope="module")
def task(results):
    return results / "thorax"


@pytest.fixture(scope="module")
def together(results):
    return results / "together"


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


def test_what_is_learned_from_and_what_is_compared_with_are_registered_apart(task):
    """Every case is a training case once and a test case once; the page and the report tell the two apart."""
    lines = pd.read_csv(task / "registration" / "registration.csv")
    assert lines["case"].tolist() == [case for case in CASES for _ in range(2)]
    assert lines["used_for"].tolist() == ["evaluation", "training"] * len(CASES)
    errors = lines.groupby("used_for")["error_after_mean_mm"]
    assert errors.max()["evaluation"] == 0 < errors.min()["training"]
    for case in CASES:
        folders = [task / "cases" / case / f"prepared{side}" for side in ("", "_train")]
        true, given = (io.read(folder / "ct.nii.gz").array for folder in folders)
        assert (true != given).any() and (task / f"logs/prepare_train/{case}.log").is_file()
        written = io.read(task / "synthetic" / "real_ct" / f"{case}.nii.gz").array
        assert (written == true).all()
    assert "thorax_000, training" in (task / "registration" / "qc.html").read_text()
    page = (task.parent / "report.html").read_text()
    assert "Of all cases, for training" in page and "Of all cases, for evaluation" in page


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


# --- folds that predict together


@pytest.fixture(scope="module")
def members(together):
    """The test case, where its body is, and the synthetic CT that each network makes of it by itself."""
    splits = [read(together / f"folds/{k}/splits/splits.json") for k in (0, 1)]
    assert splits[0]["test"] == splits[1]["test"] and splits[0]["train"] == splits[1]["validation"]
    (case,) = splits[0]["test"]
    mr = io.read(together / "cases" / case / "prepared" / "mr.nii.gz")
    made = []
    for k in (0, 1):
        model = together / f"folds/{k}/models/variants/l1"
        network = Generator(model, {"overlap": 0.5, "fusion": "median"}, Runtime("cpu", "float32", 1))
        made.append(network(mr.array))
    return case, near_body(mr, case), made


def test_the_ensemble_is_the_mean_of_its_members(together, members):
    case, near, made = members
    found = io.read(together / "synthetic/l1" / f"{case}.nii.gz").array
    assert not np.allclose(made[0], made[1], atol=1)
    assert np.abs(found - io.save_hu(air_beyond(near, np.mean(made, axis=0))).astype(int)).max() <= 1
    (entry,) = read(together / "synthetic/l1/records/0.json")["cases"]
    assert (entry["networks"], entry["combine"], entry["uncertainty"]) == (2, "mean", True)


def test_the_uncertainty_is_the_spread_of_the_members(together, members):
    case, near, made = members
    sd = io.read(together / "synthetic/l1/uncertainty" / f"{case}.nii.gz").array
    np.testing.assert_allclose(sd, np.where(near, np.std(made, axis=0, ddof=1), 0), atol=0.05)
    ct, mask = (io.read(together / "cases" / case / "prepared" / f"{name}.nii.gz").array for name in ("ct", "mask"))
    synthetic = io.read(together / "synthetic/l1" / f"{case}.nii.gz").array
    inside = mask > 0
    error = np.clip(synthetic, -1024, 3000)[inside].astype(float) - np.clip(ct, -1024, 3000)[inside]
    long = read_long(together / "metrics" / "metrics.csv")
    lines = long[long["metric"].str.startswith("uncertainty_")].set_index(["variant", "metric"])
    for metric, value in uncertainty_metrics(sd[inside], error).items():
        assert lines.loc[("l1", metric), "value"] == pytest.approx(value)
        assert lines.loc[("real_ct", metric), "status"] == "no_uncertainty"


def test_tables_and_figures_of_an_ensemble(together):
    quality, cost = ((together / "tables" / f"{name}.md").read_text() for name in ("quality", "cost"))
    assert "no network made it, and nothing is known of its uncertainty: Real CT 1 case" in quality
    assert "summed over the 2 networks that predict together" in cost
    assert "by 2 networks together, the mean of their synthetic CTs: each case is predicted 2 times" in cost
    assert (together / "figures/typical/uncertainty.png").stat().st_size > 10_000
    report = (together.parent / "report.html").read_text()
    assert "cross-validation with 2 folds, whose networks predict the test cases together, the first of" in report
