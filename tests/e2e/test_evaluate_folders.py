"""One command, three folders of CT with label maps beside: tables, tests, figures and the report."""

import numpy as np
import pandas as pd
import pytest
from evaluation import evaluate
from scipy import ndimage, stats

from afpbench.metrics.longtable import read_long
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
CASES = [f"p{number}" for number in range(1, 7)]
GRID = Geometry((12, 24, 24), (5.0, 4.0, 4.0), (-48.0, -48.0, 10.0))


def images(number):
    """Real CT and two synthetic ones of a body with a bone, in HU (int16; z, y, x)."""
    random = np.random.default_rng(number)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, size) for size in GRID.shape], indexing="ij")
    body, bone = y**2 + x**2 < 0.8, (y - 0.02 * number) ** 2 + x**2 + 0.3 * z**2 < 0.1
    moved = np.roll(bone, 1, axis=2)
    arrays = {
        "real": np.where(bone, 700, np.where(body, 40, -1000)) + random.normal(0, 10, GRID.shape),
        "a": np.where(moved, 500, np.where(body, 60, -1000)) + random.normal(0, 20, GRID.shape),
        "b": np.where(bone, 690, np.where(body, 45, -1000)) + random.normal(0, 10, GRID.shape),
    }
    return {name: array.astype(np.int16) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    for number, case in enumerate(CASES, start=1):
        for name, array in images(number).items():
            io.write(Volume(array, GRID), folder / name / f"{case}.nii.gz")
            io.write(Volume((array > 250).astype(np.uint8), GRID), folder / "labels" / name / f"{case}.mha")
    words = ["--real", "real", "--reference", "a", "--out", "results_ab", "--synthetic", "a=a", "--synthetic", "b=b"]
    words += ["--real-seg", "labels/real", "--structure", "bone=1", "--synthetic-seg", "a=labels/a"]
    evaluate(folder, *words, "--synthetic-seg", "b=labels/b", "--cores", "2")
    return folder / "results_ab" / "results"


def test_every_value_is_that_of_plain_numpy_and_scipy(evaluated):
    long = read_long(evaluated / "evaluation/metrics/metrics.csv")
    found = {}
    for number, case in enumerate(CASES, start=1):
        made = images(number)
        inside = io.read(evaluated / f"evaluation/cases/{case}/prepared/mask.nii.gz").array > 0
        body = ndimage.binary_fill_holes(made["real"] > -300, structure=None)
        assert (inside & body).sum() / (inside | body).sum() > 0.95  # the body, found in the CT alone
        for row in ("a", "b"):
            real, synthetic = (made["real"] > 250) & inside, (made[row] > 250) & inside
            error = np.abs(made[row].astype(float) - made["real"])[inside].mean()
            dice = 2 * (real & synthetic).sum() / (real.sum() + synthetic.sum())
            lines = long[(long["variant"] == row) & (long["case"] == case)].set_index(["metric", "structure"])["value"]
            assert lines["mae", "body"] == pytest.approx(error, rel=1e-6)
            assert lines["dice", "bone"] == pytest.approx(dice, rel=1e-6)
            found[row, case] = (error, dice)
    table = pd.read_csv(evaluated / "evaluation/statistics/statistics.csv", keep_default_na=False)
    for place, (metric, structure) in enumerate([("mae", "body"), ("dice", "bone")]):
        line = table[(table["variant"] == "b") & (table["metric"] == metric) & (table["structure"] == structure)]
        differences = [found["b", case][place] - found["a", case][place] for case in CASES]
        assert float(line["p"].iloc[0]) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)
        assert float(line["p"].iloc[0]) == pytest.approx(2 / 2**6) and line["direction"].iloc[0] == "better"


def test_tables_figures_and_report_are_there(evaluated):
    task = evaluated / "evaluation"
    tables = {path.name for path in (task / "tables").glob("*.md")}
    assert tables == {"images.md", "dice.md", "nsd.md", "hd95.md"}
    figures = {path.name for path in (task / "figures").rglob("*.png")}
    assert figures == {"distributions.png", "surfaces.png", *(f"slices_{plane}.png" for plane in
                       ("axial", "coronal", "sagittal"))}  # fmt: skip
    assert "b is better than a in MAE" in (evaluated / "report.html").read_text()
    assert not (task / "registration").exists() and not list(task.glob("cases/*/prepared/mr.nii.gz"))
