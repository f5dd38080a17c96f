"""A patient whose CT is truncated: the run stops before anything is trained, or goes on without that patient."""

import csv
import json

import pytest
import yaml
from conftest import PROJECT, copy_project, snakemake

from afpbench.metrics.longtable import read_long
from afpbench.phantom.generate import generate
from afpbench.phantom.labels import LABELS
from afpbench.volumes import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
PATIENTS = [f"STS_{i:03d}" for i in range(1, 7)]
BROKEN = "STS_005"
STUDY = """
seed: 7
runtime: {device: cpu, precision: float32, threads: 1}
extensions: [threshold.py]
tasks:
  sts:
    data:
      source: sts
      root: patients
      cases: [STS_001, STS_002, STS_003, STS_004, STS_005, STS_006]
      labels:
        kind: hu_ranges
        structures:
          bone: {hu: [200, 3071]}
          muscle: {hu: [10, 120]}
    spacing_mm: [6.0, 6.0, 6.0]
    registration: {method: none}
    splits: {train: [STS_001, STS_002], validation: [STS_003], test: [STS_004, STS_005, STS_006]}
    segmenters:
      dense: {kind: threshold, label: Above 250 HU, above_hu: 250}
    structures:
      bone: {segmenter: dense, classes: [bone]}
    generators:
      nnunet: {planner: {memory_gb: 0.01, base_features: 4, max_features: 8}, patch_size: [16, 24, 24]}
    training: {iterations: 4, iterations_per_epoch: 2, validation_iterations: 1}
    variants:
      nnunet_l1: {label: L1, generator: nnunet, loss: [{term: l1}]}
    controls: [real_ct]
    reference: nnunet_l1
    tables:
      quality: {columns: [{metric: mae}, {metric: dice, structure: bone}]}
"""


def write_patient(folder, index):
    """The files of an STS patient, made from a phantom: MR, CT, and the tumour (here the heart) drawn in both."""
    made = generate("thorax", index, 7, (6.0, 6.0, 6.0))
    heart = LABELS["heart"]
    files = {
        "MR_T1_image": made.mr,
        "CT_image": made.ct.with_array(io.save_hu(made.ct.array)),
        "MR_T1_mask": made.mr_labels.with_array((made.mr_labels.array == heart).astype("uint8")),
        "CT_mask": made.ct_labels.with_array((made.ct_labels.array == heart).astype("uint8")),
    }
    for name, volume in files.items():
        io.write(volume, folder / f"{name}.nii.gz")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("broken") / "project")
    (folder / "study.yaml").write_text(STUDY)
    page = (PROJECT / "docs/how-to/add-a-segmenter.md").read_text()
    (folder / "threshold.py").write_text(page.split("```python\n", 1)[1].split("```", 1)[0])
    for index, patient in enumerate(PATIENTS):
        write_patient(folder / "patients" / patient, index)
    path = folder / "patients" / BROKEN / "CT_image.nii.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return folder


@pytest.fixture(scope="module")
def stopped(tree):
    """The run that stops at the broken patient: what it printed, and the folders that it left."""
    result = snakemake(tree, "--cores", "1", "--configfile", "study.yaml")
    return result, [path.relative_to(tree / "results" / "sts").as_posix() for path in tree.glob("results/sts/**/")]


@pytest.fixture(scope="module")
def finished(tree, stopped):
    """The same run, told by a profile to go on without what is broken."""
    (tree / "go_on").mkdir()
    (tree / "go_on" / "config.yaml").write_text("keep-going: true\n")
    result = snakemake(tree, "--cores", "2", "--configfile", "study.yaml", "--profile", "go_on")
    assert result.returncode == 0, result.stdout[-5000:]
    return result


def test_the_run_stops_and_names_the_patient(tree, stopped):
    result, _ = stopped
    assert result.returncode != 0
    assert f"ERROR case {BROKEN}: CT: cannot read" in result.stdout
    assert "the file is truncated or damaged" in result.stdout
    assert f"results/sts/logs/import/{BROKEN}.log" in result.stdout
    assert "afpbench: the run did not finish" in result.stdout
    assert "Finished work is kept" in result.stdout
    assert "Traceback" in (tree / "results" / "sts" / "logs" / "import" / f"{BROKEN}.log").read_text()


def test_nothing_was_trained_and_nothing_half_done_is_left(stopped):
    _, folders = stopped
    assert f"cases/{BROKEN}/imported" not in folders
    assert not [
        name for name in folders if name.startswith(("models", "training_sets", "synthetic", "tables", "unfinished"))
    ]
    assert not [name for name in folders if ".tmp-" in name]


def test_with_keep_going_the_others_finish(tree, finished):
    task = tree / "results" / "sts"
    for row in ("nnunet_l1", "real_ct"):
        names = {path.name for path in (task / "synthetic" / row).glob("*.nii.gz")}
        assert names == {"STS_004.nii.gz", "STS_006.nii.gz"}
    record = json.loads((task / "cases" / BROKEN / "prepared" / "failed.json").read_text())
    assert (record["case"], record["stage"]) == (BROKEN, "import")


def test_finished_work_was_not_done_again(stopped, finished):
    _, folders = stopped
    done = [patient for patient in PATIENTS if f"cases/{patient}/imported" in folders]
    assert [patient for patient in done if f"sts: importing {patient}" in finished.stdout] == []


def test_the_tables_name_the_patient_and_the_reason(tree, finished):
    task = tree / "results" / "sts"
    markdown = (task / "tables" / "quality.md").read_text().replace("\\_", "_")
    assert markdown.count("| 2 (1 failed) |") == 2
    assert f"Failed in every row: case {BROKEN}: import: case {BROKEN}: CT: cannot read" in markdown
    assert BROKEN in (task / "tables" / "quality.tex").read_text().replace("\\_", "_")
    assert "| 2 (1 failed) |" in finished.stdout


def test_the_long_table_has_a_line_for_the_patient(tree, finished):
    long = read_long(tree / "results" / "sts" / "metrics" / "metrics.csv")
    broken = long[long["case"] == BROKEN]
    assert set(broken["variant"]) == {"nnunet_l1", "real_ct"}
    assert broken["status"].str.startswith("failed: ").all() and broken["value"].isna().all()
    assert broken["status"].str.contains("cannot read").all()
    others = long[long["case"] != BROKEN]
    assert set(others["case"]) == {"STS_004", "STS_006"} and not others["status"].str.startswith("failed").any()


def test_the_registration_table_has_a_line_for_everyone(tree, finished):
    with open(tree / "results" / "sts" / "registration" / "registration.csv") as file:
        status = {line["case"]: line["status"] for line in csv.DictReader(file)}
    assert list(status) == PATIENTS
    assert status.pop(BROKEN).startswith("failed in import: case STS_005: CT: cannot read")
    assert set(status.values()) == {"ok"}
    page = (tree / "results" / "sts" / "registration" / "qc.html").read_text(encoding="utf-8")
    assert "6 cases; " in page and "failed in import: case STS_005" in page
    assert page.count("<img ") == 2 * (len(PATIENTS) - 1)


def test_nothing_is_left_to_do(tree, finished):
    result = snakemake(tree, "--cores", "1", "--configfile", "study.yaml", "--keep-going")
    assert result.returncode == 0 and "Nothing to be done" in result.stdout


def test_a_mended_patient_comes_back(tree, finished):
    """The same command again is enough, and only what hangs on the patient runs: nothing is trained."""
    write_patient(tree / "patients" / BROKEN, PATIENTS.index(BROKEN))
    result = snakemake(tree, "--cores", "2", "--configfile", "study.yaml")
    assert result.returncode == 0, result.stdout[-5000:]
    assert "sts: training" not in result.stdout
    markdown = (tree / "results" / "sts" / "tables" / "quality.md").read_text()
    assert BROKEN not in markdown and "failed" not in markdown


def test_the_study_reads_as_yaml():
    assert set(yaml.safe_load(STUDY)["tasks"]) == {"sts"}
