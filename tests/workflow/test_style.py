"""What CI asks of the workflow's text, of the code, and of the snakemake linter."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import copy_project, snakemake

BINARIES = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
        ["snakefmt", "--check", "Snakefile", "workflow"],
    ],
    ids=" ".join,
)
def test_style(project, command):
    result = subprocess.run(
        [str(BINARIES / command[0]), *command[1:]], cwd=project, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.workflow
def test_snakemakes_linter_finds_nothing(tmp_path):
    result = snakemake(copy_project(tmp_path / "project"), "--lint")
    assert result.returncode == 0, result.stdout


def test_the_package_never_imports_snakemake(project):
    for path in sorted((project / "src").rglob("*.py")):
        lines = [line.strip() for line in path.read_text().splitlines()]
        assert not [line for line in lines if line.startswith(("import snakemake", "from snakemake"))], path


def test_scripts_open_their_log_first(project):
    for path in sorted((project / "scripts").glob("*.py")):
        lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
        code = [line for line in lines if not line.startswith("#") and line != 'if __name__ == "__main__":']
        assert code[:2] == ["from afpbench.base import log", "log.start(snakemake.log[0])"], path.name
        assert len(lines) <= 40, f"{path.name} is not thin any more"


def test_planning_a_study_needs_neither_numpy_nor_torch(project):
    """The Snakefile is read by hosts that have snakemake and nothing else."""
    code = (
        "import sys, yaml\n"
        "from pathlib import Path\n"
        "from afpbench.study.load import load_study\n"
        "from afpbench.study.plan import StudyPlan\n"
        "for name in ('config', 'sts'):\n"
        "    study = load_study(yaml.safe_load(Path(f'config/{name}.yaml').read_text()), Path.cwd())\n"
        "    plan = StudyPlan(study, Path.cwd())\n"
        "    assert plan.all_files and plan.report_inputs\n"
        "    for task in plan.tasks.values():\n"
        "        for variant in task.task.options['variants']:\n"
        "            task.models.features('', variant), task.models.variant_code(variant)\n"
        "heavy = {'numpy', 'torch', 'pandas', 'scipy', 'SimpleITK', 'nnunetv2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={"PYTHONPATH": str(project / "src"), "PATH": str(BINARIES)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
