"""`pretrained:NAME` in a study: where it leads, which labels its classes stand for, and a name that does not exist."""

import json

import pytest
import yaml
from conftest import PROJECT, TINY_STUDY

from afpbench.phantom.labels import LABELS
from afpbench.study import pretrained
from afpbench.study.kinds.segmenters.totalsegmentator import model_folder
from afpbench.study.load import StudyError, load_study
from afpbench.study.task import Task

GROUPS = {"airway": ["airway_lumen", "airway_wall"], "trachea": ["trachea"]}
VALUES = {"airway": [LABELS["airway_lumen"], LABELS["airway_wall"]], "trachea": [LABELS["trachea"]]}


def make_model(folder, labels, groups):
    (folder / "fold_0").mkdir(parents=True)
    (folder / "fold_0" / "checkpoint_final.pth").touch()
    (folder / "plans.json").write_text("{}")
    (folder / "dataset.json").write_text(json.dumps({"labels": {"background": 0, **labels}, "label_groups": groups}))


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of shipped networks: `airways` (an nnU-Net) and `bones` (in TotalSegmentator's layout)."""
    folder = tmp_path / "package" / "pretrained"
    make_model(folder / "airways", {"airway": 1, "trachea": 2}, GROUPS)
    make_model(model_folder(folder / "bones", "fast"), {"sternum": 116}, {"sternum": ["sternum"]})
    for name in ("airways", "bones"):
        (folder / name / "README.md").touch()
    monkeypatch.setattr(pretrained, "folder", lambda: folder)
    return folder


def task_with(entry, root=PROJECT, structure="airway"):
    study = yaml.safe_load(TINY_STUDY.read_text())
    task = study["tasks"]["thorax"]
    task["segmenters"]["navi"] = entry
    task["structures"] = {"named": {"segmenter": "navi", "classes": [structure]}}
    task["tables"] = {"table": {"columns": [{"metric": "dice", "structure": "named"}]}}
    loaded = load_study(study, root)
    return Task("thorax", loaded["tasks"]["thorax"], root, loaded["seed"])


def test_a_shipped_model_folder(shipped):
    navi = task_with({"kind": "nnunet", "folder": "pretrained:airways"}).segmenters["navi"]
    assert navi.model_folder("results/thorax") == str(shipped / "airways")
    assert navi.class_values() == {"airway": 1, "trachea": 2}
    assert navi.true_labels() == VALUES


def test_the_path_is_relative_where_it_lies_under_the_root(shipped, tmp_path):
    assert pretrained.path_of("pretrained:airways", shipped.parent) == "pretrained/airways"
    assert pretrained.path_of("pretrained:airways", tmp_path / "elsewhere") == str(shipped / "airways")
    assert pretrained.path_of("elsewhere/airways", tmp_path) is None


def test_shipped_weights_of_totalsegmentator_find_what_they_have_learned(shipped):
    entry = {"kind": "totalsegmentator", "task": "fast", "weights": "pretrained:bones"}
    segmenter = task_with(entry, structure="sternum").segmenters["navi"]
    assert segmenter.classes() == ["sternum"]
    assert segmenter.true_labels() == {"sternum": [LABELS["sternum"]]}
    with pytest.raises(StudyError, match="the segmenter 'navi' has no such class; found: 'heart'; allowed: sternum"):
        task_with(entry, structure="heart")


def test_weights_that_do_not_say_find_everything(shipped):
    dataset = model_folder(shipped / "bones", "fast") / "dataset.json"
    dataset.write_text(json.dumps({"labels": {"background": 0, "sternum": 116}}))
    entry = {"kind": "totalsegmentator", "task": "fast", "weights": "pretrained:bones"}
    segmenter = task_with(entry, structure="heart").segmenters["navi"]
    assert len(segmenter.classes()) == 117
    assert segmenter.true_labels() == {}


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"kind": "nnunet", "folder": "pretrained:airway"}, "folder"),
        ({"kind": "totalsegmentator", "task": "fast", "weights": "pretrained:airway"}, "weights"),
    ],
)
def test_a_name_that_does_not_exist(shipped, entry, key):
    with pytest.raises(StudyError) as caught:
        task_with(entry)
    assert caught.value.problems[0] == (
        f"tasks.thorax.segmenters.navi.{key}: no such pre-trained network; found: 'airway'; "
        "allowed: airways, bones; did you mean 'airways'?"
    )


NOT_THERE = "no such pre-trained network; found: 'airway'; allowed: airways, bones; did you mean 'airways'?"


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"kind": "nnunet", "folder": "pretrained:airway"}, f"folder: {NOT_THERE}"),
        ({"kind": "medicalnet", "weights": "pretrained:airway"}, f"weights: {NOT_THERE}"),
        ({"kind": "naviairway", "weights": ["pretrained:airway/a.pkl"]}, f"weights[0]: {NOT_THERE}"),
        ({"kind": "torchscript", "path": "pretrained:airway/a.pt"}, f"path: {NOT_THERE}"),
        (
            {"kind": "torchscript", "path": "pretrained:airways/a.pt"},
            "path: no such file in the pre-trained network 'airways'; found: 'pretrained:airways/a.pt'",
        ),
        (
            {"kind": "torchscript", "path": "pretrained:airways"},
            "path: a folder, where a file is expected; found: 'pretrained:airways'; hint: pretrained:airways/FILE "
            "names a file in it",
        ),
    ],
)
def test_what_is_not_there_of_a_feature_network(shipped, entry, line):
    study = yaml.safe_load(TINY_STUDY.read_text())
    study["tasks"]["thorax"]["feature_networks"] = {"more": entry}
    with pytest.raises(StudyError) as caught:
        load_study(study, PROJECT)
    assert f"tasks.thorax.feature_networks.more.{line}" in caught.value.problems


def test_labels_that_the_source_lacks_stand_for_nothing(shipped):
    make_model(shipped / "foreign", {"airway": 1}, {"airway": ["airway_of_another_source"]})
    (shipped / "foreign" / "README.md").touch()
    assert task_with({"kind": "nnunet", "folder": "pretrained:foreign"}).segmenters["navi"].true_labels() == {}
