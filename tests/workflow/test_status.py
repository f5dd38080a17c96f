"""`afpbench status` and `afpbench repair` on the finished tiny study: what was deleted is found, and made again."""

import os
import subprocess
import sys

import pytest
from conftest import planned_jobs, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
SYNTHETIC = "results/thorax/synthetic/nnunet_l1"
LABELS = "results/thorax/segmentations/navi/ct"


@pytest.fixture(scope="module")
def tree(finished_study, tmp_path_factory):
    return finished_study.copy(tmp_path_factory.mktemp("status") / "project")


def afpbench(tree, *arguments):
    result = subprocess.run(
        [sys.executable, "-m", "afpbench", *arguments], cwd=tree, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
    )  # fmt: skip
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, result.stdout


def deleted_test_image(tree, folder):
    image = sorted((tree / folder).glob("*.nii.gz"))[0]
    image.unlink()
    return image


def test_a_finished_study(tree):
    code, output = afpbench(tree, "status", "study.yaml")
    assert code == 0, output
    assert output.split()[1:2] == ["finished"] and "missing" not in output and "stale" not in output
    assert afpbench(tree, "repair", "study.yaml") == (0, "nothing was deleted, and no record is damaged\n")


def test_what_is_stale_and_why(tree):
    text = (tree / "study.yaml").read_text()
    (tree / "study.yaml").write_text(text.replace("{metric: ssim}", "{metric: rmse}"))
    try:
        code, output = afpbench(tree, "status", "study.yaml")
    finally:
        (tree / "study.yaml").write_text(text)
    assert code == 1 and "stale: table, 4 files: params changed" in output
    assert "snakemake --cores all --configfile study.yaml" in output


def test_deleted_images_are_found_and_made_again(tree, tmp_path):
    """Without the repair Snakemake sees nothing to do: its outputs are the records."""
    before = {folder: deleted_test_image(tree, folder) for folder in (SYNTHETIC, LABELS)}
    assert planned_jobs(snakemake(tree, "--cores", "2", "--configfile", "study.yaml", "-n").stdout) == {}
    code, output = afpbench(tree, "status", "study.yaml")
    assert code == 1 and "lost images, which records tell of: 2" in output and "afpbench repair study.yaml" in output
    for folder in before:
        assert before[folder].name in output

    _, output = afpbench(tree, "repair", "study.yaml", "-n")
    records = [tree / folder / "records" / "0.json" for folder in before]
    assert output.count("to be removed: ") == 2 and all(record.is_file() for record in records)
    _, output = afpbench(tree, "repair", "study.yaml")
    assert output.count("removed: ") == 2 and not any(record.exists() for record in records)
    assert "now run:    snakemake --cores all --configfile study.yaml" in output

    result = snakemake(tree, "--cores", "2", "--configfile", "study.yaml")
    assert result.returncode == 0, result.stdout[-3000:]
    jobs = planned_jobs(result.stdout)
    assert (jobs["synthesize"], jobs["segment_real"]) == (1, 1) and "train_variant" not in jobs
    assert all(image.is_file() for image in before.values())
    assert afpbench(tree, "status", "study.yaml")[0] == 0


def test_a_deleted_step_in_between_is_named_with_the_command_that_makes_it(tree):
    model = tree / "results/thorax/models/variants/nnunet_l1/plans.json"
    model.rename(tree / "kept.json")
    try:
        code, output = afpbench(tree, "status", "study.yaml")
        assert code == 1 and "deleted: train_variant, 1 file" in output
        _, output = afpbench(tree, "repair", "-n", "study.yaml")
    finally:
        (tree / "kept.json").rename(model)
    path = "results/thorax/models/variants/nnunet_l1/plans.json"
    assert f"deleted, and needed by nothing: {path}" in output and f"-- {path}" in output


def test_a_study_file_with_problems(tree):
    (tree / "bad.yaml").write_text("seed: 1\n")
    code, output = afpbench(tree, "status", "bad.yaml")
    assert code == 1 and output == ""
