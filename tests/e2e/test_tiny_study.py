"""One study from nothing to its tables, by Snakemake, with the real parts."""

import csv
import json
import math
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT

from afpbench.commands import main as cli
from afpbench.metrics.longtable import COLUMNS, read_long
from afpbench.volumes import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
ROWS = ["nnunet_l1", "nnunet_afp", "real_ct", "mr_linear", "mean_ct"]
CASES = [f"thorax_{i:03d}" for i in range(6)]


@pytest.fixture(scope="module")
def task(finished_study):
    return finished_study.task


@pytest.fixture(scope="module")
def splits(task):
    return json.loads((task / "splits" / "splits.json").read_text())


@pytest.fixture(scope="module")
def long(task):
    return read_long(task / "metrics" / "metrics.csv")


def test_everything_that_is_promised_is_there(task, splits):
    files = ["metrics/metrics.csv", "statistics/statistics.csv"]
    files += ["registration/registration.csv", "registration/qc.html"]
    files += ["splits/splits.json", "normalization/normalization.json", "segmenters/accuracy.csv"]
    figures = [f"typical/slices_{plane}" for plane in ("coronal", "sagittal", "axial")] + ["typical/surfaces"]
    figures += ["distributions", "curves"]
    files += [f"figures/{name}.{kind}" for name in figures for kind in ("png", "pdf")]
    files += ["figures/typical/slices.json", "../report.html", "../contents.json"]
    tables = ("quality", "cost", "cost_published")
    files += [f"tables/{name}.{kind}" for name in tables for kind in ("csv", "md", "tex", "html")]
    files += [f"synthetic/{row}/{case}.nii.gz" for row in ROWS for case in splits["test"]]
    segmented = [f"{name}/{row}" for name in ("totalseg", "navi") for row in ["ct", *ROWS]]
    files += [f"segmentations/{folder}/{case}.nii.gz" for folder in segmented for case in splits["test"]]
    model_files = ("plans.json", "dataset.json", "fold_0/checkpoint_final.pth", "curves.csv", "cost.json")
    for folder in ("variants/nnunet_l1", "variants/nnunet_afp", "segmenters/navi", "segmenters/totalseg"):
        files += [f"models/{folder}/{name}" for name in model_files]
    files += [f"models/networks/medicalnet/{name}" for name in ("resnet.pth", "curves.csv", "cost.json")]
    missing = [name for name in files if not (task / name).is_file()]
    assert not missing


def test_the_report_can_be_made_again_and_a_paper_lacks_nothing(finished_study, tmp_path, capsys):
    """`afpbench report` makes the page that the run made, from elsewhere, and a folder with every table and figure."""
    results, study = finished_study.folder / "results", str(finished_study.folder / "study.yaml")
    again, root = tmp_path / "again.html", str(finished_study.folder)
    assert cli.main(["report", study, "--root", root, "--out", str(again)]) == 0
    placed = re.compile(r' <a href="[^"#]*\.pdf">|<th scope="row">Code</th><td>[^<]*</td>')
    first, second = (placed.sub("", page.read_text()) for page in (results / "report.html", again))
    assert first == second
    assert cli.main(["report", study, "--root", root, "--format", "latex", "--out", str(tmp_path / "paper")]) == 0
    assert "not made yet" not in capsys.readouterr().out
    main = (tmp_path / "paper/main.tex").read_text()
    used = set(re.findall(r"\\(?:input|includegraphics)[^{]*\{([^}]+)\}", main))
    files = {
        path.relative_to(tmp_path / "paper").as_posix() for path in (tmp_path / "paper").rglob("*") if path.is_file()
    }
    assert used | {"main.tex"} == files
    figures = ("typical-slices-coronal", "typical-surfaces", "distributions", "curves")
    tables = {f"tables/thorax/{name}.tex" for name in ("quality", "cost", "cost_published")}
    assert used >= tables | {"statistics/thorax.tex"} | {f"figures/thorax/{name}.pdf" for name in figures}


def test_a_run_compared_with_itself_says_the_same(finished_study, tmp_path):
    results, page = finished_study.folder / "results", tmp_path / "page.md"
    words = [str(PROJECT / "docs" / "results" / "compare_runs.py"), str(page), f"one={results}", f"two={results}"]
    subprocess.run([sys.executable, *words], check=True)
    text = page.read_text()
    images, segmentations = re.findall(r"Of (\d+) values of \w+, 0 differ", text)
    assert int(images) > 0 and int(segmentations) > 0
    assert "0 in one alone, 0 in two alone, and 0 say the opposite" in text and "**quality**" in text


def test_nothing_temporary_is_left(finished_study):
    results = finished_study.folder / "results"
    assert not [str(path) for path in results.rglob(".tmp-*")]
    assert not [path for path in (results / "thorax" / "unfinished").rglob("*") if path.is_file()]


def test_the_stand_in_learned_images_as_totalsegmentator_shows_them(task):
    """TotalSegmentator turns every image to RAS; a network that learned LPS would see it turned by 180 degrees."""
    readers = {
        name: json.loads((task / "models" / "segmenters" / name / "plans.json").read_text())["image_reader_writer"]
        for name in ("totalseg", "navi")
    }
    assert readers == {"totalseg": "NibabelIOWithReorient", "navi": "SimpleITKIO"}


def test_the_split_is_what_was_asked_for(splits):
    assert {part: len(splits[part]) for part in ("train", "validation", "test")} == {
        "train": 3, "validation": 1, "test": 2,
    }  # fmt: skip
    assert sorted(splits["train"] + splits["validation"] + splits["test"]) == CASES
    assert splits["seed"] == 7


def test_statistics_come_from_the_training_cases(task, splits):
    record = json.loads((task / "normalization" / "normalization.json").read_text())
    assert record["cases"] == splits["train"]


def test_the_control_real_ct_is_perfect(long):
    real = long[long["variant"] == "real_ct"].set_index(["case", "segmenter", "structure", "metric"])["value"]
    for (_, segmenter, structure, metric), value in real.items():
        expected = {"mae": 0, "me": 0, "rmse": 0, "ssim": 1, "dice": 1, "nsd": 1, "hd95": 0, "assd": 0}.get(metric)
        if expected is not None:
            assert value == expected, (segmenter, structure, metric, value)
    names = {(structure, metric) for _, _, structure, metric in real.index}
    for structure in ("organs", "airways"):
        assert {(structure, metric) for metric in ("dice", "nsd", "hd95")} <= names
    assert {("body", "mae"), ("body", "ssim"), ("volume", "mae")} <= names


def test_the_long_table(long, splits):
    assert tuple(long.columns) == COLUMNS
    assert set(long["task"]) == {"thorax"} and list(dict.fromkeys(long["variant"])) == ROWS
    assert set(long["case"]) == set(splits["test"])
    assert (long.groupby(["variant", "case"]).size().nunique()) == 1
    assert set(long["status"]) <= {"ok", "both_empty", "real_empty", "synthetic_empty"}
    assert long.loc[long["status"] == "ok", "value"].notna().all()
    image = long[long["segmenter"] == ""]
    assert set(image["structure"]) >= {"body", "volume"} and (image["status"] == "ok").all()
    others = long[(long["variant"] != "real_ct") & (long["metric"] == "mae") & (long["structure"] == "body")]
    assert (others["value"] > 1).all()


@pytest.mark.parametrize("row", ROWS)
def test_synthetic_ct_lies_on_the_cases_grid(task, splits, row):
    for case in splits["test"]:
        image, ct = (
            io.read(task / folder / f"{name}.nii.gz")
            for folder, name in ((f"synthetic/{row}", case), (f"cases/{case}/prepared", "ct"))
        )
        assert image.array.dtype == np.int16
        assert image.geometry == ct.geometry
        assert np.array_equal(image.array, ct.array) == (row == "real_ct")


def test_variants_are_not_each_other(task, splits):
    case = splits["test"][0]
    first, second = (io.read(task / "synthetic" / row / f"{case}.nii.gz").array for row in ROWS[:2])
    assert not np.array_equal(first, second)


def test_segmentations_lie_on_the_cases_grid(task, splits):
    for name, allowed in (("totalseg", {0, 5, 10, 51}), ("navi", {0, 1, 2})):
        for row in ("ct", "nnunet_l1"):
            labels = io.read(task / "segmentations" / name / row / f"{splits['test'][0]}.nii.gz")
            ct = io.read(task / "cases" / splits["test"][0] / "prepared" / "ct.nii.gz")
            assert labels.geometry.matches(ct.geometry) and set(np.unique(labels.array)) <= allowed


def test_registration_is_recorded_for_every_case(task):
    with open(task / "registration" / "registration.csv") as file:
        lines = list(csv.DictReader(file))
    assert [line["case"] for line in lines] == CASES
    assert len(lines[0]) > 5
    for case in CASES:
        record = json.loads((task / "cases" / case / "registered" / "registration.json").read_text())
        assert record["method"] == "elastix" and record["seconds"] > 0


def test_segmenter_accuracy(task, splits):
    table = pd.read_csv(task / "segmenters" / "accuracy.csv")
    assert set(table["case"]) == set(splits["test"]) and set(table["structure"]) == {"organs", "airways"}
    dice = table[table["metric"] == "dice"]["value"]
    assert ((dice >= 0) & (dice <= 1)).all()


def test_statistics_compare_with_the_reference(task):
    text = (task / "statistics" / "statistics.csv").read_text()
    assert "nnunet_afp" in text and "nnunet_l1" in text


def test_tables_show_every_row(task):
    markdown = (task / "tables" / "quality.md").read_text()
    latex = (task / "tables" / "quality.tex").read_text()
    for label in ("| L1 + AFP |", "| L1 |", "Real CT", "Mean training CT"):
        assert label in markdown
    assert "Image quality and segmentation." in markdown and "0.5 afp (navi)" in markdown
    assert r"\begin{tabular}" in latex and latex.count("\\\\") >= len(ROWS) + 1
    with open(task / "tables" / "quality.csv") as file:
        lines = list(csv.DictReader(file))
    assert [line["row"] for line in lines[::4]] == ROWS
    assert {line["n"] for line in lines} <= {"1", "2"} and {line["n_failed"] for line in lines} == {"0"}
    real = {line["metric"]: float(line["mean"]) for line in lines if line["row"] == "real_ct"}
    assert real == {"mae": 0, "ssim": 1, "dice": 1, "nsd": 1}
    assert all(math.isfinite(float(line["mean"])) for line in lines if line["metric"] in ("mae", "ssim"))


def test_the_cost_table_is_that_of_the_records(task):
    with open(task / "tables" / "cost.csv") as file:
        cells = {(line["row"], line["metric"]): line for line in csv.DictReader(file)}
    for variant in ("nnunet_l1", "nnunet_afp"):
        cost = json.loads((task / "models" / "variants" / variant / "cost.json").read_text())
        projected = cells[variant, "training_hours"]
        assert float(projected["mean"]) == pytest.approx(cost["seconds"] / 8 * 250_000 / 3600)
        assert projected["mark"] == "†"
        assert float(cells[variant, "training_vram_mb"]["mean"]) == cost["peak_memory_mb"]
        assert (
            float(cells[variant, "inference_seconds"]["mean"]) > 0 and cells[variant, "inference_seconds"]["n"] == "2"
        )
    text = (task / "tables" / "cost.md").read_text()
    assert f"Machine: {cost['machine']['cores']} cores of" in text and "L1: 8 iterations" in text


def test_the_terminal_shows_where_the_tables_are(finished_study):
    assert "afpbench: done. The tables:" in finished_study.output
    assert "results/thorax/tables/quality.md (and .csv, .tex, .html)" in finished_study.output
    assert "| L1 + AFP |" in finished_study.output


def test_the_logs_prove_that_the_real_parts_ran(task):
    logs = {path.relative_to(task / "logs").as_posix(): path.read_text() for path in (task / "logs").rglob("*.log")}
    totalseg = logs["segment/totalseg.ct.0.log"]
    assert re.search(r"by TotalSegmentator \d[\d.]*, nnunetv2 \d", totalseg)
    assert "If you use this tool please cite: https://pubs.rsna.org" in totalseg
    assert "Using 'fastest' option: resampling to lower resolution (6mm)" in totalseg
    for name in ("train/nnunet_l1.log", "train/nnunet_afp.log", "train_segmenter/navi.log"):
        assert "Please cite the following paper when using nnU-Net" in logs[name], name
        assert re.search(r"epoch 2/2: train_loss [\d.-]+, .*about 0 s left", logs[name]), name
    assert "train_afp" in logs["train/nnunet_afp.log"] and "train_perceptual" in logs["train/nnunet_afp.log"]
    for case in CASES:
        assert re.search(r"by itk-elastix \d", logs[f"register/{case}.log"])
        assert re.search(rf"case {case}: elastix, [\d.]+ s, Jacobian", logs[f"register/{case}.log"])
        assert list((task / "cases" / case / "registered").glob("TransformParameters*"))
    assert re.search(r"by surface-distance \d[\d.]*, ", logs["metrics/nnunet_l1.log"])


def test_every_job_left_its_benchmark(task):
    names = {path.relative_to(task / "benchmarks").as_posix() for path in (task / "benchmarks").rglob("*.tsv")}
    assert {f"import/{case}.tsv" for case in CASES} <= names
    assert {"train/nnunet_l1.tsv", "train_segmenter/navi.tsv", "segment/totalseg.ct.0.tsv", "metrics.tsv"} <= names


def test_paths_of_this_machine_are_not_in_the_results(finished_study):
    for name in ("tables/quality.csv", "metrics/metrics.csv", "registration/registration.csv", "splits/splits.json"):
        assert str(finished_study.folder) not in (finished_study.task / name).read_text(), name
