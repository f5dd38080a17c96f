"""A finished study that gets another seed: what is trained, what is kept, and what the tables say then."""

import pandas as pd
import pytest
from conftest import planned_jobs, snakemake

from afpbench.metrics.longtable import read_long
from afpbench.metrics.statistics import read_statistics

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
STUDY = ("--configfile", "study.yaml")
TWO = ("--config", "seeds=2")


@pytest.fixture(scope="module")
def seeded(finished_study, tmp_path_factory):
    """The tiny study with the seed 8 beside its own, 7: its folder, and the jobs that this was to take."""
    root = finished_study.copy(tmp_path_factory.mktemp("seeds") / "project")
    jobs = planned_jobs(snakemake(root, "--cores", "2", "-n", *STUDY, *TWO).stdout)
    result = snakemake(root, "--cores", "2", *STUDY, *TWO)
    assert result.returncode == 0, result.stdout[-4000:]
    return root, jobs


def test_only_the_new_seed_is_trained(seeded, finished_study):
    root, jobs = seeded
    made = {rule: jobs.get(rule, 0) for rule in ("train_variant", "synthesize", "segment", "row_metrics")}
    assert made == {"train_variant": 2, "synthesize": 2, "segment": 4, "row_metrics": 2}
    kept = (
        "import_case",
        "prepare_case",
        "training_set",
        "train_segmenter",
        "train_medicalnet",
        "control",
        "segment_real",
    )
    assert not set(kept) & set(jobs)
    for name in ("nnunet_l1", "nnunet_afp"):
        model = f"results/thorax/models/variants/{name}/fold_0/checkpoint_final.pth"
        assert (root / model).stat().st_mtime_ns == (finished_study.folder / model).stat().st_mtime_ns
        other = root / f"results/thorax/models/variants/{name}.seed_8/fold_0/checkpoint_final.pth"
        assert other.read_bytes() != (root / model).read_bytes()


def test_nothing_is_left_to_do_and_one_seed_again_trains_nothing(seeded):
    root, _ = seeded
    assert planned_jobs(snakemake(root, "--cores", "2", "-n", *STUDY, *TWO).stdout) == {}
    jobs = planned_jobs(snakemake(root, "--cores", "2", "-n", *STUDY).stdout)
    assert "metrics" in jobs and not {"train_variant", "synthesize", "segment", "row_metrics"} & set(jobs)


def test_the_long_table_and_the_tests(seeded):
    task = seeded[0] / "results" / "thorax"
    long = read_long(task / "metrics" / "metrics.csv")
    seeds = long.groupby("variant", sort=False)["seed"].unique().map(list).to_dict()
    assert seeds == {
        "nnunet_l1": ["7", "8"],
        "nnunet_afp": ["7", "8"],
        "real_ct": [""],
        "mr_linear": [""],
        "mean_ct": [""],
    }
    statistics = read_statistics(task / "statistics" / "statistics.csv")
    mae = statistics[(statistics["metric"] == "mae") & (statistics["structure"] == "body")].set_index("variant")
    assert mae.loc["nnunet_afp", "n_seeds"] == 2 and 0 <= mae.loc["nnunet_afp", "p_seeds"] <= 1
    body = long[(long["metric"] == "mae") & (long["structure"] == "body")]
    means = body.groupby(["variant", "seed"])["value"].mean()
    difference = means["nnunet_afp"].mean() - means["nnunet_l1"].mean()
    assert mae.loc["nnunet_afp", "mean_difference"] == pytest.approx(difference)


def test_the_tables_figures_and_report(seeded):
    task = seeded[0] / "results" / "thorax"
    table = pd.read_csv(task / "tables" / "quality.csv", keep_default_na=False)
    cells = table[table["metric"] == "mae"].set_index("row")
    assert float(cells.loc["nnunet_l1", "sd_seeds"]) > 0 and cells.loc["real_ct", "sd_seeds"] == ""
    assert "trained with 2 seeds" in (task / "tables" / "quality.md").read_text()
    assert "summed over seeds" in (task / "tables" / "cost.md").read_text()
    assert (task / "figures" / "distributions.png").is_file() and (task / "figures" / "curves.png").is_file()
    report = (task.parent / "report.html").read_text()
    assert "Seeds of the variants" in report and "L1 + AFP, seed 8" in report
