"""Synthetic CTs that lie in files, evaluated by Snakemake without training; a cell of each kind computed anew."""

import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT, copy_project, planned_jobs, snakemake
from scipy import stats

from afpbench.metrics.longtable import read_long
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
CASES = [f"p{number}" for number in range(1, 8)]
MISSING = "p7"
GRID = Geometry((12, 24, 24), (6.0, 6.0, 6.0), (-72.0, -72.0, 10.0))
STUDY = """
seed: 7
runtime: {device: cpu, precision: float32, threads: 1}
failed_cases: exclude
extensions: [threshold.py]
tasks:
  heads:
    data: {source: folder, root: pairs, mr: "{case}/mr.nii.gz", ct: "{case}/ct.nii.gz", mask: "{case}/mask.nii.gz"}
    spacing_mm: [6.0, 6.0, 6.0]
    registration: {method: none}
    segmenters:
      dense: {kind: threshold, label: Above 250 HU, above_hu: 250}
    structures:
      bone: {label: Bone, segmenter: dense, classes: [bone]}
    variants:
      a: {synthetic: "a/{case}.nii.gz", label: Method A}
      b: {synthetic: "b/{case}.nii.gz", label: Method B}
    reference: a
    tables:
      quality: {columns: [{metric: mae}, {metric: dice, structure: bone}]}
"""


def images(number):
    """MR, real CT, mask, and synthetic CTs of two methods, of a head with a bone; arrays z, y, x."""
    random = np.random.default_rng(number)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, size) for size in GRID.shape], indexing="ij")
    body = y**2 + x**2 < 0.8
    bone = (y - 0.02 * number) ** 2 + x**2 + 0.3 * z**2 < 0.1
    ct = np.where(bone, 700, np.where(body, 40, -1000)) + random.normal(0, 10, GRID.shape)
    mr = np.where(bone, 20, np.where(body, 200, 2)) + random.normal(0, 1, GRID.shape)
    moved = np.roll(bone, 1, axis=2)
    a = np.where(moved, 500, np.where(body, 60, -1000)) + random.normal(0, 20, GRID.shape)
    b = np.where(bone, 690, np.where(body, 45, -1000)) + random.normal(0, 10, GRID.shape)
    return {"mr": mr, "ct": ct, "mask": body, "a": a, "b": b}


def write(folder):
    for number, case in enumerate(CASES, start=1):
        made = images(number)
        for name in ("mr", "ct", "mask"):
            array = made[name].astype(np.uint8 if name == "mask" else np.int16)
            io.write(Volume(array, GRID), folder / "pairs" / case / f"{name}.nii.gz")
        for name in ("a", "b"):
            if (name, case) != ("b", MISSING):
                io.write(Volume(made[name].astype(np.int16), GRID), folder / name / f"{case}.nii.gz")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("files") / "project")
    (folder / "study.yaml").write_text(STUDY)
    page = (PROJECT / "docs/how-to/add-a-segmenter.md").read_text()
    (folder / "threshold.py").write_text(page.split("```python\n", 1)[1].split("```", 1)[0])
    write(folder)
    result = snakemake(folder, "--cores", "2", "--configfile", "study.yaml")
    assert result.returncode == 0, result.stdout[-6000:]
    return folder, result.stdout


@pytest.fixture(scope="module")
def by_hand():
    """(row, case) -> (MAE inside the mask, Dice of the bone there), in plain NumPy."""
    found = {}
    for number, case in enumerate(CASES, start=1):
        made = images(number)
        ct, inside = made["ct"].astype(np.int16).astype(float), made["mask"]
        for row in ("a", "b"):
            image = made[row].astype(np.int16).astype(float)
            real, synthetic = (ct > 250) & inside, (image > 250) & inside
            dice = 2 * (real & synthetic).sum() / (real.sum() + synthetic.sum())
            found[row, case] = (np.abs(image - ct)[inside].mean(), dice)
    return found


def test_nothing_is_trained(finished):
    jobs = planned_jobs(finished[1])
    assert jobs["read_synthetic"] == 2 and jobs["segment_real"] == 1
    assert not {"train_variant", "training_set", "normalization", "train_segmenter", "figure_curves"} & set(jobs)


def test_every_value_is_that_of_plain_numpy(finished, by_hand):
    long = read_long(finished[0] / "results/heads/metrics/metrics.csv")
    for (row, case), values in by_hand.items():
        if (row, case) == ("b", MISSING):
            continue
        lines = long[(long["variant"] == row) & (long["case"] == case)].set_index(["metric", "structure"])["value"]
        assert lines["mae", "body"] == pytest.approx(values[0], rel=1e-6)
        assert lines["dice", "bone"] == pytest.approx(values[1], rel=1e-6)


def test_the_real_ct_is_perfect(finished):
    long = read_long(finished[0] / "results/heads/metrics/metrics.csv")
    control = long[long["variant"] == "real_ct"]
    assert (control.loc[control["metric"] == "mae", "value"] == 0).all()
    assert (control.loc[control["metric"] == "dice", "value"] == 1).all()


def test_a_case_without_a_file_is_a_failed_case(finished):
    folder, _ = finished
    long = read_long(folder / "results/heads/metrics/metrics.csv")
    (status,) = long.loc[(long["variant"] == "b") & (long["case"] == MISSING), "status"].unique()
    assert status.startswith("failed: case p7: synthetic CT: no such file")
    assert MISSING in (folder / "results/heads/tables/quality.md").read_text()


def test_the_p_of_wilcoxon_is_that_of_scipy(finished, by_hand):
    table = pd.read_csv(finished[0] / "results/heads/statistics/statistics.csv", keep_default_na=False)
    common = [case for case in CASES if case != MISSING]
    for place, (metric, structure) in enumerate([("mae", "body"), ("dice", "bone")]):
        line = table[(table["variant"] == "b") & (table["metric"] == metric) & (table["structure"] == structure)]
        differences = [by_hand["b", case][place] - by_hand["a", case][place] for case in common]
        expected = stats.wilcoxon(differences, method="exact").pvalue
        assert float(line["p"].iloc[0]) == pytest.approx(expected) == 2 / 2**6  # b is better in each of six
        assert line["direction"].iloc[0] == "better" and int(line["n"].iloc[0]) == 6


def test_tables_figures_and_the_report(finished):
    folder, _ = finished
    text = (folder / "results/heads/tables/quality.md").read_text()
    assert "Method A" in text and "**" in text and "\\*" in text  # a best value, and significance
    made = {path.name for path in (folder / "results/heads/figures").rglob("*.png")}
    assert made == {"distributions.png", "surfaces.png", *(f"slices_{plane}.png" for plane in
                    ("axial", "coronal", "sagittal"))}  # fmt: skip
    report = (folder / "results/report.html").read_text()
    assert "Method B is better than Method A in MAE (HU) ↓" in report
    assert "no such file" in report
