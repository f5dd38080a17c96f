"""The console command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from afpbench import __version__
from afpbench.commands import main as cli
from afpbench.commands import validate
from afpbench.study.load import load_study, read_study

ROOT = Path(__file__).resolve().parents[3]


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"afpbench {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["validat"], ["validate"], ["validate", "a", "--no"]])
def test_wrong_usage_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: afpbench")


def test_validate_prints_a_summary(capsys):
    assert cli.main(["validate", str(ROOT / "config" / "sts.yaml"), "--root", str(ROOT), "--preset", "gpu"]) == 0
    out = capsys.readouterr().out
    head = "valid: 1 task, seed 2026, preset 'gpu'\n\nsts: Limbs, hips and shoulders (soft-tissue sarcoma patients)\n"
    assert out.startswith(head)
    assert "  segmenters  tissue (trained)\n" in out
    assert ", 250000 iterations" in out


def test_summary_of_a_study(tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(
        """
tasks:
  hip:
    data: {source: phantom, region: pelvis, cases: 20}
    spacing_mm: [4, 4, 3.5]
    splits: {train: 9, validation: 2, test: 6}
    segmenters: {bone: {kind: trained, classes: {hips: [hip_left, hip_right]}}}
    structures: {hips: {segmenter: bone, classes: [hips]}}
    training: {iterations: 10}
    variants:
      l1: {generator: nnunet, loss: [{term: l1}]}
      both: {generator: nnunet, loss: [{term: l1, weight: 0.5}, {term: afp, networks: [bone]}], init_from: l1}
    controls: []
    reference: l1
    tables: {t: {columns: [{metric: dice, structure: hips}]}}
"""
    )
    assert cli.main(["validate", str(study)]) == 0
    out = """valid: 1 task, seed 2026

hip: hip
  data        phantom, 20 cases: 9 train, 2 validation, 6 test
  spacing     4 x 4 x 3.5 mm (z, y, x)
  segmenters  bone (trained)
  structures  hips; tolerance 7 mm
  generators  nnunet (nnunet)
  variants
    l1: nnunet, l1, 10 iterations
    both: nnunet, 0.5 x l1 + afp(bone), from l1, 10 iterations
  controls    none
  reference   l1
  tables      t
"""
    assert capsys.readouterr().out == out


def test_a_long_training_without_a_gpu_is_told_with_the_way_out():
    """Five rows of 250,000 iterations, one of 62,500, a segmenter of 62,500, a feature network of 12,500: at 0.4 s
    an iteration 154.2 hours, at 60 s 963.5 days."""
    study = load_study(read_study(ROOT / "config" / "sts.yaml") | {"preset": "gpu"}, ROOT)
    words = validate.too_long(study, ROOT, gpu=False)
    count = 5 * 250_000 + 2 * 62_500 + 12_500
    assert words.startswith(
        f"{count} iterations of training and no GPU: on one core about 6 d 10 h with a small network, 963 d 13 h with "
        "one of the paper's size"
    )
    assert "--preset quick" in words
    assert validate.too_long(study, ROOT, gpu=True) == ""
    assert validate.too_long({**study, "runtime": {"device": "cpu"}}, ROOT, gpu=True) == words
    short = load_study(read_study(ROOT / "config" / "sts.yaml"), ROOT)
    assert validate.too_long(short, ROOT, gpu=False) == ""


def test_problems_are_printed_without_traceback(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("seed: x\n")
    run = subprocess.run(
        [sys.executable, "-m", "afpbench", "validate", str(study)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == (
        "afpbench: the study file has 2 problems:\n"
        "  tasks: missing; allowed: a group of keys not empty\n"
        "  seed: wrong type; found: 'x'; allowed: a whole number at least 0, at most 4294967295\n"
        "  hint: config/README.md has every key\n"
    )


def test_a_missing_study_file(tmp_path, capsys):
    assert cli.main(["validate", str(tmp_path / "no.yaml")]) == 1
    assert capsys.readouterr().err.startswith(f"afpbench: cannot read the study file {tmp_path / 'no.yaml'}\n")


def test_metrics_is_loaded_when_it_is_used(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["metrics", "--help"])
    assert stop.value.code == 0
    assert "usage: afpbench metrics" in capsys.readouterr().out


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_a_command_has_a_module_with_arguments_and_run(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: afpbench {command} ")


def test_ctrl_c_at_any_time_ends_with_130(monkeypatch, capsys):
    """While a command's module is loaded, too."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "import_module", interrupted)
    assert cli.main(["validate", "a.yaml"]) == 130
    assert capsys.readouterr().err == "afpbench: interrupted\n"


STUDY = """
tasks:
  hip:
    data: {source: phantom, region: pelvis, cases: 9}
    splits: {train: 5, validation: 1, test: 3}
    spacing_mm: [4, 4, 4]
    variants: {l1: {generator: nnunet, loss: [{term: l1}]}}
    controls: []
    reference: l1
    tables: {t: {columns: [{metric: mae}]}}
"""


def test_validate_for_a_script(tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    assert cli.main(["validate", str(study), "--json", "--seeds", "[1,2]"]) == 0
    assert json.loads(capsys.readouterr().out) == {"valid": True, "problems": []}
    assert cli.main(["validate", str(study), "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    study.write_text("seed: x\n")
    assert cli.main(["validate", str(study), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert not said["valid"] and said["problems"][0] == "tasks: missing; allowed: a group of keys not empty"


@pytest.mark.parametrize("command", ["validate", "check", "status", "plan", "repair"])
def test_what_is_no_study_is_told_alike_by_every_command(command, tmp_path, capsys):
    (tmp_path / "list.yaml").write_text("- a\n")
    assert cli.main([command, str(tmp_path / "list.yaml")]) == 1
    printed = capsys.readouterr()
    assert "wrong type; found: ['a']; allowed: a group of keys with `tasks`" in printed.out + printed.err


WITH_STUDY = {
    "validate": [],
    "list": ["losses"],
    "check": [],
    "export": ["--task", "t", "--row", "r", "--out", "o"],
    "status": ["--preset", "p"],
    "repair": ["--dry-run"],
    "run": ["--cores", "2"],
    "plan": ["--json"],
    "doctor": ["--json"],
}


@pytest.mark.parametrize("command", WITH_STUDY)
def test_every_command_takes_the_study_alike(command, capsys):
    def study(*words):
        return cli.build_parser(command).parse_args([command, *words]).study

    rest = WITH_STUDY[command]
    assert study("--config", "a.yaml", *rest) == study(*rest, "--config", "a.yaml") == Path("a.yaml")
    if command == "list":
        return
    assert cli.build_parser(command).parse_args([command, "--preset", "p", *rest, "a.yaml"]).preset == "p"
    assert study("a.yaml", *rest) == study(*rest, "a.yaml") == Path("a.yaml")
    with pytest.raises(SystemExit) as stop:
        study("a.yaml", *rest, "--config", "b.yaml")
    assert stop.value.code == 2 and "not allowed with argument" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["validate", "check", "export"])
def test_without_a_study_a_command_says_how_to_name_one(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, *WITH_STUDY[command]])
    assert stop.value.code == 2 and "one of the arguments --config STUDY.yaml is required" in capsys.readouterr().err


def test_status_asks_for_the_default_study_where_none_is_named():
    assert cli.build_parser("status").parse_args(["status"]).study is None
