"""`afpbench plan`: jobs and their costs from made-up outputs and records."""

import argparse
import json
import sys
from pathlib import Path

import pytest

from afpbench.base.errors import ConfigError
from afpbench.base.package import PROJECT
from afpbench.commands import plan
from afpbench.commands.findings import Finding
from afpbench.commands.main import main
from afpbench.commands.plan import Work, describe, planned, total
from afpbench.commands.progress import read_plan
from afpbench.commands.running.durations import Cost

JOBS = {"train_variant": 2, "splits": 1, "all": 1, "total": 4}
KINDS = {"train_variant": "train", "metrics": "metrics"}


def test_the_cost_of_a_job_is_the_mean_of_finished_ones():
    """Two trainings at (1800 + 5400) / 2 s: 2 h; the largest peak of them."""
    costs = {"train": [Cost(1, 1800, 500), Cost(1, 5400, 700)]}
    assert planned(JOBS, costs, KINDS) == [
        Work("train_variant", 2, 2.0, 700),
        Work("splits", 1, None, None),
    ]


def test_the_plan_in_words():
    work = [Work("train_variant", 2, 2.0, 700), Work("splits", 1, None, None)]
    assert describe(work) == [
        "rule             jobs  CPU hours   peak MB",
        "train_variant       2       2.00       700",
        "splits              1          -         -",
        "3 jobs, 2.00 CPU hours and what 1 of them take, which are not measured yet",
    ]
    assert describe([]) == ["nothing is to be done: everything is finished"]
    assert total(work[:1]) == "2 jobs, 2.00 CPU hours, as measured in this results folder"
    assert total(work[1:]) == "1 job; CPU hours are not known: nothing like it has been run in this results folder"


def test_a_study_without_its_files_cannot_be_planned(tmp_path, capsys):
    study = str(PROJECT / "config" / "pelvis_synthrad2023.yaml")
    assert main(["plan", study, "--root", str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert output.startswith("the study cannot be planned before these are mended:\nproblem  study ")
    assert "feature_networks.medicalnet.weights: no such file" in output


def test_the_jobs_are_those_of_snakemakes_dry_run(monkeypatch, tmp_path):
    script = """
import json, os, sys
pipe = os.fdopen(int(os.environ["AFPBENCH_EVENTS"]), "w")
for count in (3, 4):  # it tells them at the start and at the end
    pipe.write(json.dumps({"event": "run_info", "stats": {"table": count, "total": count}}) + "\\n")
print("no such file", flush=True)
sys.exit(int(sys.argv[1]))
"""
    options = argparse.Namespace(root=tmp_path, study=None, preset=None, seeds=None)
    monkeypatch.setattr(plan, "command", lambda *_, before: [sys.executable, "-c", script, "0"])
    assert plan.read_jobs(options) == {"table": 3, "total": 3}
    monkeypatch.setattr(plan, "command", lambda *_, before: [sys.executable, "-c", script, "1"])
    with pytest.raises(ConfigError, match="no such file"):
        plan.read_jobs(options)


def test_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plan, "read_jobs", lambda options: JOBS)
    monkeypatch.setattr(plan, "read_costs", lambda results: {})
    monkeypatch.setattr(plan, "findings", lambda study: [Finding("ok", "disk", "much")])
    monkeypatch.chdir(PROJECT)
    assert main(["plan", "config/demo.yaml", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["rules"][0] == {"rule": "train_variant", "jobs": 2, "cpu_hours": None, "memory_mb": None}
    assert content["findings"] == [{"level": "ok", "subject": "disk", "text": "much", "hint": ""}]


def test_trainings_for_a_gpu_are_a_note_where_there_is_none(monkeypatch):
    monkeypatch.chdir(PROJECT)
    monkeypatch.setattr(plan, "has_gpu", lambda: False)
    options = argparse.Namespace(root=Path(), study=Path("config/sts.yaml"), preset="gpu", seeds=None)
    (note,) = plan.long_trainings(read_plan(options))
    assert (note.level, note.subject) == ("note", "trainings") and "iterations of training and no GPU" in note.text
    options.preset = None
    assert plan.long_trainings(read_plan(options)) == []


def test_ctrl_c_while_it_plans_is_no_error_of_the_study(monkeypatch):
    monkeypatch.setattr(plan.child, "run", lambda *_: 130)
    with pytest.raises(KeyboardInterrupt):
        plan.read_jobs(argparse.Namespace(root=Path(), study=None, preset=None, seeds=None))
