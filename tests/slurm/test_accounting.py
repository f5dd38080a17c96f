"""The profile on a cluster with accounting: `sacct` tells how jobs are doing, and an account is charged."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import copy_project
from slurm_run import through_slurm

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster with slurmdbd, on ports beside those of the other tests."""
    needed = ("slurmctld", "slurmdbd", "mariadbd", "munged")
    if os.geteuid() != 0 or any(shutil.which(name) is None for name in needed):
        pytest.skip("needs root, slurmdbd and mariadb-server (`make slurm`)")
    folder = tmp_path_factory.mktemp("accounting")
    folder.chmod(0o755)
    try:
        environment = {**os.environ, "ACCOUNTING": "1", "PORT": "26750"}
        subprocess.run([HERE / "start.sh", folder], check=True, timeout=180, env=environment)
        yield folder
    finally:
        subprocess.run([HERE / "stop.sh", folder], check=True, timeout=60)


def sacct(fields: str) -> list[list[str]]:
    command = ["sacct", "-a", "-X", "-n", "-P", "-o", fields]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return [line.split("|") for line in output.splitlines()]


def test_jobs_run_under_the_account_and_are_accounted_for(cluster, tmp_path):
    folder = copy_project(tmp_path / "project")
    shutil.copyfile(HERE.parent / "e2e" / "smallest.yaml", folder / "study.yaml")
    profile = folder / "profiles" / "slurm" / "config.yaml"
    text = profile.read_text()
    assert text.count("# slurm_account: my_group") == 1
    profile.write_text(text.replace("# slurm_account: my_group", "  slurm_account: group1"))
    target = "results/thorax/cases/thorax_000/imported"
    result = through_slurm(folder, target, "--slurm-status-command", "sacct")
    assert result.returncode == 0, result.stdout[-3000:]
    assert (folder / target / "ct.nii.gz").is_file()
    ((account, state, comment, partition),) = sacct("account,state,comment,partition")
    assert (account, state, partition) == ("group1", "COMPLETED", "cpu") and "cases" in comment
