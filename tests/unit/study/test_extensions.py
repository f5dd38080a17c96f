"""Kinds of a user's own, from files that the study names."""

import copy
import os

import pytest
from test_config_problems import STUDY, lines_of

from afpbench.features import load
from afpbench.study import docs
from afpbench.study.kinds.registry import EXTENSIONS_VARIABLE, LOSSES, SEGMENTERS, use_extensions
from afpbench.study.load import load_study

LOSS = '''
from afpbench.study.kinds import Loss


class Huber(Loss):
    """Huber's loss of the normalised CT."""

    name = "huber"
    properties = {"delta": {"type": "number", "exclusiveMinimum": 0, "default": 1, "description": "Where it bends."}}

    def value(self, synthetic, real, region=None):
        from torch.nn.functional import huber_loss

        return huber_loss(synthetic.float(), real.float(), delta=self.options["delta"])
'''
NETWORKS = '''
from afpbench.study.kinds import Network, Segmenter


class Threshold(Segmenter):
    """Voxels above a number of HU."""

    name = "threshold"
    properties = {"hu": {"type": "number", "description": "Bone lies above it."}}
    required = ("hu",)

    def class_values(self):
        return {"bone": 7}

    def model_folder(self, fold_folder):
        return "."

    def features(self, fold_folder):
        return {"kind": "blocks", "size": 2}

    def layer_problem(self, layers):
        return None if layers is None else "has one layer"

    def open(self, folder, device, threads):
        return lambda ct: (ct.array > self.options["hu"]).astype("uint8") * 7


class Blocks(Network):
    """Means of blocks."""

    name = "blocks"
    properties = {"size": {"type": "integer", "description": "Side in voxels."}}
    required = ("size",)

    def inputs(self, fold_folder):
        return []

    def features(self, fold_folder):
        return {"kind": self.name, "size": self.options["size"]}

    @classmethod
    def load(cls, spacing_mm, layers, size):
        from torch.nn.functional import avg_pool3d

        from afpbench.features.base import FeatureNetwork
        from afpbench.features.mapping import InputMapping

        class Means(FeatureNetwork):
            def __init__(self):
                super().__init__()
                self.mapping = InputMapping(spacing_mm, normalization="ZScoreNormalization")
                self.layer_names = ["means"]
                self.freeze()

            def extract(self, x):
                return [avg_pool3d(x, size)]

        return Means()
'''


@pytest.fixture(autouse=True)
def forgotten():
    """No file of one test is in use in the next."""
    yield
    use_extensions([], ".")


def with_files(tmp_path, **files):
    """A study that names these files, by their stems."""
    for stem, text in files.items():
        (tmp_path / f"{stem}.py").write_text(text, encoding="utf-8")
    return {**copy.deepcopy(STUDY), "extensions": [f"{stem}.py" for stem in files]}


def test_a_loss_of_the_users_own(tmp_path):
    study = with_files(tmp_path, own=LOSS)
    lung = study["tasks"]["lung"]
    lung["variants"]["l1"]["loss"] = [{"term": "huber", "delta": 0.5}, {"term": "huber"}]
    assert load_study(study, tmp_path)["tasks"]["lung"]["variants"]["l1"]["loss"] == [
        {"term": "huber", "weight": 1, "delta": 0.5},
        {"term": "huber", "weight": 1, "delta": 1},
    ]
    assert os.environ[EXTENSIONS_VARIABLE] == str(tmp_path / "own.py")  # for jobs
    assert LOSSES.origin("huber") == str(tmp_path / "own.py")
    assert "with `term: huber`" in docs.render() and "Where it bends." in docs.render()
    lung["variants"]["l1"]["loss"] = [{"term": "huber", "delt": 0.5}]
    assert lines_of(study, tmp_path) == [
        "tasks.lung.variants.l1.loss[0].delt: unknown key; allowed: term, weight, delta; did you mean 'delta'?"
    ]


def test_the_next_study_does_not_know_it(tmp_path):
    study = with_files(tmp_path, own=LOSS)
    load_study(study, tmp_path)
    study["extensions"] = []
    study["tasks"]["lung"]["variants"]["l1"]["loss"] = [{"term": "huber"}]
    (line,) = lines_of(study, tmp_path)
    assert line.startswith("tasks.lung.variants.l1.loss[0].term: not allowed; found: 'huber'; allowed: l1, mse")
    assert EXTENSIONS_VARIABLE not in os.environ


def test_an_edited_file_is_read_anew(tmp_path):
    study = with_files(tmp_path, own=LOSS)
    study["tasks"]["lung"]["variants"]["l1"]["loss"] = [{"term": "huber"}]
    load_study(study, tmp_path)
    (tmp_path / "own.py").write_text(LOSS.replace('"default": 1', '"default": 3'), encoding="utf-8")
    loss = load_study(study, tmp_path)["tasks"]["lung"]["variants"]["l1"]["loss"]
    assert loss == [{"term": "huber", "weight": 1, "delta": 3}]


def test_a_segmenter_and_a_network_of_the_users_own(tmp_path):
    import numpy as np
    import torch

    from afpbench.study.task import Task
    from afpbench.volumes.io import Geometry, Volume

    study = with_files(tmp_path, own=NETWORKS)
    lung = study["tasks"]["lung"]
    lung["segmenters"]["bones"] = {"kind": "threshold", "hu": 200}
    lung["feature_networks"] = {"means": {"kind": "blocks", "size": 4}}
    lung["structures"]["bones"] = {"segmenter": "bones", "classes": ["bone"]}
    lung["variants"]["afp"]["loss"] = [{"term": "afp", "networks": ["bones", "means"]}]
    options = load_study(study, tmp_path)["tasks"]["lung"]
    assert options["segmenters"]["bones"] == {"kind": "threshold", "hu": 200, "label": "bones"}
    task = Task("lung", options, tmp_path)
    assert task.segmenters["bones"].class_values() == {"bone": 7}
    array = np.array([[[0.0, 300.0]]], np.float32)
    segment = SEGMENTERS.make(options["segmenters"]["bones"]).open(tmp_path, "cpu", 1)
    assert segment(Volume(array, Geometry(array.shape, (1.0, 1.0, 1.0)))).tolist() == [[[0, 7]]]
    for name, shape in (("bones", (1, 1, 4, 4, 4)), ("means", (1, 1, 2, 2, 2))):
        spec = task.feature_network(name).features("results/lung")
        (features,) = load(spec, (3.0, 3.0, 3.0))(torch.randn(1, 1, 8, 8, 8))
        assert features.shape == shape
    lung["variants"]["afp"]["loss"][0]["layers"] = "all"
    assert lines_of(study, tmp_path) == ["tasks.lung.variants.afp.loss[0].layers: has one layer"]
    lung["variants"]["afp"]["loss"] = [{"term": "segmentation", "networks": ["bones"]}]
    (line,) = lines_of(study, tmp_path)
    assert line.endswith("not for the term segmentation; found: bones, kind threshold; allowed: an nnU-Net of any kind")


def test_a_segmenter_that_gives_no_features_is_no_network_of_losses(tmp_path):
    text = NETWORKS.replace('return {"kind": "blocks", "size": 2}', "return None")
    study = with_files(tmp_path, own=text)
    study["tasks"]["lung"]["segmenters"]["bones"] = {"kind": "threshold", "hu": 200}
    study["tasks"]["lung"]["variants"]["afp"]["loss"] = [{"term": "afp", "networks": ["bones"]}]
    assert lines_of(study, tmp_path) == [
        "tasks.lung.variants.afp.loss[0].networks: bones, kind threshold, gives losses no features; "
        "allowed: a network that does"
    ]


def test_every_broken_file_has_its_line_and_nothing_is_kept(tmp_path):
    nameless = LOSS.replace('    name = "huber"\n', "")
    study = with_files(
        tmp_path,
        good=LOSS,
        broken="import nothing_of_this_name\n",
        nameless=nameless,
        taken=LOSS.replace('"huber"', '"l1"'),
        twice=LOSS,
    )
    study["extensions"].append("absent.py")
    study["tasks"]["lung"]["variants"]["l1"]["loss"] = [{"term": "huber"}]
    file = {stem: tmp_path / f"{stem}.py" for stem in ("good", "broken", "nameless", "taken", "twice", "absent")}
    assert lines_of(study, tmp_path) == [
        f"extensions: {file['broken']} cannot be imported; found: ModuleNotFoundError: No module named "
        "'nothing_of_this_name'; hint: import what is heavy inside the methods that use it, so that a study can be "
        "planned without it",
        f"extensions: {file['nameless']} holds no kind; expected: a class that derives from one of "
        "afpbench.study.kinds and has a `name`",
        f"extensions: two losses are named 'l1'; found: {file['taken']} and built in; "
        "hint: give the class another `name`",
        f"extensions: two losses are named 'huber'; found: {file['twice']} and {file['good']}; "
        "hint: give the class another `name`",
        f"extensions: no such file: {file['absent']}; expected: a Python file; "
        "hint: relative paths start from the folder where Snakemake runs",
    ]
    assert "huber" not in LOSSES and EXTENSIONS_VARIABLE not in os.environ


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("own.py", "extensions: wrong type; found: 'own.py'; allowed: a list of paths"),
        ([3], "extensions[0]: wrong type; found: 3; allowed: text not empty"),
    ],
)
def test_extensions_that_are_no_list_of_paths(value, line, tmp_path):
    assert lines_of({**copy.deepcopy(STUDY), "extensions": value}, tmp_path) == [line]
