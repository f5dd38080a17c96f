"""One command, folders of label maps and no CT at all: tables, tests, figures and the report; cells computed anew."""

import numpy as np
import pandas as pd
import pytest
import surface_distance
from evaluation import evaluate
from scipy import stats

from afpbench.metrics.longtable import read_long
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
CASES = [f"p{number}" for number in range(1, 7)]
GRID = Geometry((12, 14, 20), (3.0, 2.0, 2.0), (-20.0, -14.0, 10.0))
TOLERANCE_MM = 2.5
BALL, BOX = 1, 2


def label_maps(number):
    """Of the real CT and of two methods (uint8; z, y, x): a ball, and a box of 4 x 4 x 8 voxels.

    The box of `a` lies number + 1 voxels further along x, so that 8 - (number + 1) of 8 columns overlap: its Dice is
    (7 - number) / 8. That of `b` lacks one of four slices: 2 * 3 / (4 + 3).
    """
    z, y, x = np.meshgrid(*map(np.arange, GRID.shape), indexing="ij")
    far = np.sqrt((z - 8) ** 2 + (y - 9) ** 2 + (x - 9) ** 2)
    made = {}
    for name, radius, slices, shift in (("real", 3, 4, 0), ("a", 3 - 0.1 * number, 4, number + 1), ("b", 2.9, 3, 0)):
        array = np.where(far < radius, BALL, 0).astype(np.uint8)
        array[1 : 1 + slices, 1:5, 2 + shift : 10 + shift] = BOX
        made[name] = array
    return made


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("label_maps")
    for number, case in enumerate(CASES, start=1):
        for name, array in label_maps(number).items():
            io.write(Volume(array, GRID), folder / name / f"{case}.nii.gz")
    words = ["--real-seg", "real", "--synthetic-seg", "a=a", "--synthetic-seg", "b=b", "--structure", f"box={BOX}"]
    words += ["--structure", f"ball={BALL}", "--tolerance-mm", str(TOLERANCE_MM), "--out", "results_ab", "--cores", "2"]
    printed = evaluate(folder, *words)
    return folder / "results_ab" / "results", printed


def by_hand(real, synthetic):
    """Dice in plain NumPy, NSD and HD95 by the package surface-distance."""
    distances = surface_distance.compute_surface_distances(real, synthetic, GRID.spacing_mm)
    return {
        "dice": 2 * (real & synthetic).sum() / (real.sum() + synthetic.sum()),
        "nsd": surface_distance.compute_surface_dice_at_tolerance(distances, TOLERANCE_MM),
        "hd95": surface_distance.compute_robust_hausdorff(distances, 95),
    }


def test_every_value_and_the_p_of_wilcoxon(evaluated):
    task = evaluated[0] / "evaluation"
    long = read_long(task / "metrics/metrics.csv")
    values = long.set_index(["variant", "case", "structure", "metric"])["value"]
    expected = {
        (row, case, name, metric): value
        for number, case in enumerate(CASES, start=1)
        for maps in [label_maps(number)]
        for row in ("a", "b")
        for name, label in (("box", BOX), ("ball", BALL))
        for metric, value in by_hand(maps["real"] == label, maps[row] == label).items()
    }
    for key, value in expected.items():
        assert values[key] == pytest.approx(value, rel=1e-9), key
    assert values["a", "p1", "box", "dice"] == 6 / 8 and values["b", "p1", "box", "dice"] == 6 / 7
    table = pd.read_csv(task / "statistics/statistics.csv", keep_default_na=False)
    for metric in ("dice", "nsd", "hd95"):
        line = table[(table["variant"] == "b") & (table["metric"] == metric) & (table["structure"] == "box")].iloc[0]
        differences = [expected["b", case, "box", metric] - expected["a", case, "box", metric] for case in CASES]
        assert float(line["p"]) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue), metric
        if metric == "dice":  # b is better in each of six
            assert (float(line["p"]), line["direction"], int(line["n"])) == (pytest.approx(2 / 2**6), "better", 6)


def test_images_have_no_metrics_tables_and_figures(evaluated):
    task, said = evaluated[0] / "evaluation", evaluated[1]
    assert said.startswith("label maps alone: no metrics, table or figures of images")
    assert not {"mae", "me", "ssim"} & set(read_long(task / "metrics/metrics.csv")["metric"])
    assert {path.name for path in (task / "tables").glob("*.md")} == {"dice.md", "nsd.md", "hd95.md"}
    figures = {path.name for path in (task / "figures").rglob("*.png")}
    assert figures == {"distributions.png", "surfaces.png"}
    assert not list(task.rglob("ct.nii.gz")) and not (task / "synthetic").exists()
    assert not list(task.glob("cases/*/registered"))


def test_the_report_says_what_is_compared(evaluated):
    report = (evaluated[0] / "report.html").read_text()
    assert "b has the best mean and is better than a in" in report
    assert "Do synthetic CTs keep the anatomy of the real ones?" in report
    assert "none: label maps alone, so that no metric of images is computed" in report
    assert f"none: label maps {evaluated[0].parents[1]}/b/{{case}}.nii.gz" in report
    assert "Label map, sha256" in report and "CT, sha256" not in report
