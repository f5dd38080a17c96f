"""What `make lint` asks, line by line, and what else is asked of the workflow's text and of the code."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT, copy_project, snakemake

BINARIES = Path(sys.executable).parent
RECIPE = re.search(r"^lint:.*\n((?:\t.*\n)+)", (PROJECT / "Makefile").read_text(), re.M)[1]
COMMANDS = [shlex.split(line.replace("$(BIN)/", "")) for line in RECIPE.splitlines()]  # of `make lint`
LINTER = ["snakemake", "--lint"]


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != LINTER], ids=" ".join)
def test_style(project, command):
    result = subprocess.run(
        [str(BINARIES / command[0]), *command[1:]], cwd=project, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.workflow
def test_snakemakes_linter_finds_nothing(tmp_path):
    """In a copy, since Snakemake may be at work here."""
    assert LINTER in COMMANDS
    result = snakemake(copy_project(tmp_path / "project"), *LINTER[1:])
    assert result.returncode == 0, result.stdout


def test_nothing_of_make_lint_is_left_out():
    programs = {"ruff", "mypy", "lint-imports", "snakefmt", "snakemake"}
    assert {command[0] for command in COMMANDS} == programs and len(COMMANDS) == 6


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
