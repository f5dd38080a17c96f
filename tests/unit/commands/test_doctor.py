"""`afpbench doctor`: each finding from a made-up machine, and the whole on this one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from afpbench.base import hardware
from afpbench.base.package import PROJECT
from afpbench.commands.findings import Finding, machine, packages, traps, weights
from afpbench.commands.main import main

NEEDED = ["torch>=2.11", "nnunetv2==2.8.1", "numpy"]
PINNED = {"torch": "2.13.0", "nnunetv2": "2.8.1", "numpy": "2.4.6", "rich": "15.0.0"}


def levels(findings):
    return [(finding.level, finding.text.split()[0]) for finding in findings]


def test_packages_as_pinned_are_one_line():
    assert levels(packages.compare(PINNED, NEEDED, dict(PINNED))) == [("ok", "all")]


def test_another_version_is_a_note_and_a_forbidden_or_missing_one_a_problem():
    found = {"torch": "2.9.0", "nnunetv2": None, "numpy": "2.4.7", "rich": None}
    expected = [("problem", "torch"), ("problem", "nnunetv2"), ("note", "numpy"), ("note", "rich")]
    assert levels(packages.compare(PINNED, NEEDED, found)) == expected


def test_the_build_of_a_package_is_no_part_of_its_version(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.13.0+cpu")
    assert packages.installed("torch") == "2.13.0"


@pytest.mark.parametrize(("flags", "level"), [({"avx2"}, "note"), ({"avx2", "avx512_bf16"}, "ok")])
def test_the_processor(flags, level, monkeypatch):
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: flags)
    assert machine.processor().level == level


@pytest.mark.parametrize(("text", "cores"), [("max 100000", None), ("150000 100000", 1.5), ("", None)])
def test_the_cores_of_a_container(text, cores, tmp_path):
    (tmp_path / "cpu.max").write_text(text)
    assert machine.cpu_allowance(tmp_path) == cores
    assert machine.cpu_allowance(tmp_path / "none") is None


def test_fewer_cores_than_seen_is_a_note():
    assert machine.cores(8, None) == Finding("ok", "cores", "8")
    assert machine.cores(8, 2.5).level == "note" and machine.cores(8, 2.5).hint == "--cores 2"


@pytest.mark.parametrize(("size_gb", "level"), [(None, "note"), (7.9, "note"), (8, "ok")])
def test_memory(size_gb, level):
    assert machine.memory(size_gb).level == level


@pytest.mark.parametrize(("free_gb", "level"), [(1, "problem"), (19, "note"), (21, "ok")])
def test_the_disk_of_a_folder_that_is_not_there_yet(free_gb, level, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free_gb * 1e9))
    assert machine.disk(tmp_path / "results" / "deep").level == level


def test_no_gpu_is_no_problem_and_pytorch_is_not_asked(monkeypatch):
    monkeypatch.setattr(machine, "GPU_SIGNS", ())
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert machine.gpu().level == "note"


def test_a_gpu_beside_a_pytorch_for_processors_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "GPU_SIGNS", (str(tmp_path),))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.13.0+cpu")
    assert machine.gpu().level == "problem"


def test_traps(tmp_path, monkeypatch):
    for name in traps.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("shutil.which", lambda name: str(Path(sys.executable).parent / name))
    assert list(traps.find(tmp_path)) == []
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "mine")
    assert [finding.subject for finding in traps.find(tmp_path)] == ["environment", "lock"]


def test_another_environments_snakemake(tmp_path):
    (finding,) = traps.snakemake_on_path("/usr/bin/snakemake", tmp_path)
    assert "of another environment" in finding.text and finding.hint == f"source {tmp_path}/activate"


def test_weights_of_totalsegmentator(tmp_path, monkeypatch):
    assert weights.totalsegmentator(tmp_path).level == "note"
    for number in (297, 291):  # all of `fast`, one of the five of `total`
        (tmp_path / f"Dataset{number}_TotalSegmentator_x").mkdir()
    assert weights.totalsegmentator(tmp_path) == Finding(
        "ok", "weights", f"TotalSegmentator's own (fast) in {tmp_path}"
    )
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path))
    assert weights.totalsegmentator_folder() == tmp_path


def test_a_finding_as_a_line():
    assert Finding("note", "cores", "1", "buy").line() == "note     cores        1; hint: buy"


def test_missing_weights_of_a_study_are_problems(tmp_path):
    """PyTorch is not imported for it: it would take seconds."""
    study = PROJECT / "config" / "pelvis_synthrad2023.yaml"
    arguments = ["doctor", str(study), "--root", str(tmp_path), "--json", "--quiet"]
    code = f"import sys; from afpbench.commands.main import main; code = main({arguments!r})"
    code += "; assert 'torch' not in sys.modules; sys.exit(code)"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 1, result.stderr
    found = json.loads(result.stdout)
    assert {"note", "problem"} >= {one["level"] for one in found}
    missing = [one["text"] for one in found if one["subject"] == "study"]
    assert any("feature_networks.medicalnet.weights: no such file" in text for text in missing)


def test_the_weights_of_a_valid_study(capsys, monkeypatch):
    monkeypatch.chdir(PROJECT)
    main(["doctor", "config/config.yaml"])
    output = capsys.readouterr().out
    assert "ok       study        config/config.yaml is valid" in output
    assert "pretrained/thorax_airways" in output
    assert output.splitlines()[-1].startswith("ok: ")


def test_no_network_is_asked_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    def refused(*_, **__):
        raise AssertionError("a network was asked")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)
    monkeypatch.setattr(machine, "GPU_SIGNS", ())
    study = PROJECT / "config" / "sts.yaml"  # whose cases a run downloads
    main(["doctor", str(study), "--root", str(tmp_path)])
    assert "study" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
