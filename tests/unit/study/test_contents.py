"""What a run says of its results folder, for whoever has no study file."""

import json

import pytest
from small_study import study_with

from afpbench.base.errors import UnusableFile
from afpbench.study.load import load_study
from afpbench.study.plan import StudyPlan, contents
from afpbench.study.records import read_contents


@pytest.fixture
def said(tmp_path):
    study = study_with({"t": {"columns": [{"metric": "mae"}]}}) | {"seeds": 2, "seed": 7}
    study["tasks"]["lung"]["controls"] = ["real_ct"]
    study["tasks"]["lung"]["structures"]["airways"]["label"] = "Airways"
    return contents(StudyPlan(load_study(study, tmp_path), tmp_path))


def test_names_labels_and_cases(said):
    lung = said["tasks"]["lung"]
    assert (lung["title"], lung["reference"], lung["has_mr"], lung["has_ct"]) == ("lung", "l1", True, True)
    assert lung["mr_channels"] == []
    assert lung["rows"] == [
        {"run": "l1", "label": "l1, seed 7"},
        {"run": "l1.seed_8", "label": "l1, seed 8"},
        {"run": "mse", "label": "mse, seed 7"},
        {"run": "mse.seed_8", "label": "mse, seed 8"},
        {"run": "real_ct", "label": "Real CT"},
    ]
    structures = [{"label": "Airways", "values": [1]}, {"label": "vessels", "values": [1]}]
    assert lung["segmenters"] == {"navi": {"label": "navi", "classes": {"airway": 1}, "structures": structures}}
    assert lung["others_side"] == ""
    assert (len(lung["test"]), len(lung["others"])) == (8, 10)
    assert not set(lung["test"]) & set(lung["others"])


def test_what_is_written_is_what_is_read(said, tmp_path):
    path = tmp_path / "contents.json"
    path.write_text(json.dumps(said))
    assert read_contents(path) == said
    said["tasks"]["lung"]["segmenters"]["navi"]["structures"][0]["values"] = ["1"]
    path.write_text(json.dumps(said))
    with pytest.raises(UnusableFile, match=r"tasks\.lung\.segmenters\.navi\.structures\[0\]\.values\[0\] is text"):
        read_contents(path)


def test_a_results_folder_of_another_study_is_told_before_its_report_is_overwritten(said, tmp_path, caplog):
    study = study_with({"t": {"columns": [{"metric": "mae"}]}})
    record = tmp_path / "results" / "contents.json"
    record.parent.mkdir()
    record.write_text(json.dumps(said))
    load_study(study, tmp_path)
    assert "holds the results of another study" not in caplog.text
    record.write_text(json.dumps({"tasks": {"head": said["tasks"]["lung"]}}))
    load_study(study, tmp_path)
    assert (
        "results: 'results' holds the results of another study (tasks: head), whose report.html this one overwrites; "
        "hint: a folder of its own, such as results: results/my_study"
    ) in caplog.text
    record.write_text("{")
    load_study(study, tmp_path)
