"""`--use-conda` with a stand-in for conda (tests/conda_rig/README.md says what that proves)."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import CONDA_RIG, TINY_STUDY, conda_rig, copy_project, environments_of, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
COMMAND = ("--cores", "1", "--use-conda", "--configfile", "study.yaml")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A project with all environments made."""
    folder = copy_project(tmp_path_factory.mktemp("conda") / "project")
    shutil.copyfile(TINY_STUDY, folder / "study.yaml")
    result = snakemake(folder, *COMMAND, "--conda-create-envs-only", **conda_rig(folder))
    assert result.returncode == 0, result.stdout[-3000:]
    return folder


@pytest.fixture(scope="module")
def environments(tree):
    return environments_of(tree)


def test_every_environment_file_is_used_and_can_be_made(project, environments):
    assert set(environments) == {path.name for path in (project / "envs").glob("*.yaml")}


def test_a_dry_run(tree):
    result = snakemake(tree, *COMMAND, "-n", **conda_rig(tree))
    assert result.returncode == 0 and "Job stats:" in result.stdout


def test_each_environment_has_what_the_scripts_of_its_rules_import(project, environments):
    """Imported by the environment's own Python, which sees no other packages than its own."""
    needed = {}
    for path in (project / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.M)[1:]:
            name = re.search(r"envs/([\w-]+\.yaml)", rule).group(1)
            script = project / "scripts" / re.search(r"scripts/(\w+\.py)", rule).group(1)
            lines = {line.strip() for line in script.read_text().splitlines()}
            needed.setdefault(name, set()).update(x for x in lines if re.match(r"(from|import) \w", x))
    assert set(needed) == set(environments)
    for name, lines in needed.items():
        result = subprocess.run(
            [environments[name] / "bin" / "python", "-c", "\n".join(sorted(lines))],
            env={"PYTHONPATH": str(project / "src"), "PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert result.returncode == 0, f"{name}: {result.stderr[-2000:]}"


def test_an_environment_has_no_other_packages(environments):
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is not None)"
    imaging, nnunet = (environments[f"{name}.yaml"] / "bin" / "python" for name in ("imaging", "nnunet"))
    assert subprocess.run([imaging, "-I", "-c", code], timeout=60).returncode == 0
    assert subprocess.run([nnunet, "-I", "-c", code], timeout=60).returncode == 1


def test_jobs_run_in_their_environment(tree, environments):
    target = "results/thorax/cases/thorax_000/prepared"
    result = snakemake(tree, target, *COMMAND, **conda_rig(tree))
    assert result.returncode == 0, result.stdout[-3000:]
    assert (tree / target / "mask.nii.gz").is_file()
    calls = (tree / "conda.log").read_text().splitlines()
    assert calls.count(f"activate {environments['imaging.yaml']}") >= 4  # import, resample, register, prepare


def test_a_version_that_does_not_fit_is_found(project, tmp_path):
    text = (project / "envs" / "imaging.yaml").read_text()
    file = tmp_path / "wrong.yaml"
    file.write_text(re.sub(r"pandas==[\d.]+", "pandas==0.1", text))
    result = subprocess.run(
        [sys.executable, CONDA_RIG / "conda", "env", "create", "--file", file, "--prefix", tmp_path / "made"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode != 0 and "pandas==0.1 does not hold" in result.stderr
