"""A row of a finished study whose validation shall look for structures: what is made again, and what it shows then."""

import copy

import pandas as pd
import pytest
import yaml
from conftest import planned_jobs, snakemake

from afpbench.base.atomic import read_json

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
MODEL = "results/thorax/models/variants/nnunet_l1"
TARGETS = (f"{MODEL}/cost.json", "results/thorax/figures/curves.png")


@pytest.fixture(scope="module")
def judged(finished_study, tmp_path_factory):
    """The tiny study with structures in the validation of L1: its folder, and the jobs that this was to take."""
    root = finished_study.copy(tmp_path_factory.mktemp("judged") / "project")
    study = copy.deepcopy(finished_study.study)
    training = {"validate_cases_every_epochs": 1, "validate_structures": True, "checkpoint": "best"}
    study["tasks"]["thorax"]["variants"]["nnunet_l1"]["training"] = training
    (root / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    arguments = (*TARGETS, "--cores", "2", "--configfile", "study.yaml")
    jobs = planned_jobs(snakemake(root, "-n", *arguments).stdout)
    result = snakemake(root, *arguments)
    assert result.returncode == 0, result.stdout[-4000:]
    return root, jobs


def test_only_the_row_is_trained_again(judged):
    assert judged[1] == {"train_variant": 1, "figure_curves": 1}


def test_the_real_segmenters_rank_its_epochs(judged):
    """TotalSegmentator's own package, and a network of the study."""
    curves, cost = pd.read_csv(judged[0] / MODEL / "curves.csv"), read_json(judged[0] / MODEL / "cost.json")
    each = curves[["case_dice_organs", "case_dice_airways"]]
    assert each.notna().all().all() and (each >= 0).all().all() and (each <= 1).all().all()
    assert curves["case_dice"].tolist() == pytest.approx(each.mean(axis=1).tolist(), abs=2e-5)
    assert (cost["checkpoint_by"], cost["checkpoint_value"]) == ("case_dice", curves["case_dice"].max())
