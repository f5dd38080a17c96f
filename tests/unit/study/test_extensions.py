"""Kinds of a user's own, from files that the study names."""

import ast
import copy
import os
import re

import pytest
from pages import ROOT
from test_config_problems import STUDY, lines_of

from afpbench.features import load
from afpbench.study import docs
from afpbench.study.kinds.registry import EXTENSIONS_VARIABLE, LOSSES, SEGMENTERS, use_extensions
from afpbench.study.load import StudyError, load_study
from afpbench.study.task import Task

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


# --- problems of an entry, and of a class


def test_a_line_without_a_place_gets_the_entrys(tmp_path):
    """Of an option, of the entry as a whole, and one that names its place itself."""
    problems = (
        "    def problems(self):\n"
        "        yield 'hu: below the window; found: 200'\n"
        "        yield 'no such weather today'\n"
        "        yield f'{self.place}.hu: said in full'\n\n"
    )
    text = NETWORKS.replace("    def open(", problems + "    def open(")
    study = with_files(tmp_path, own=text, loss=LOSS + "\n    def problems(self):\n        yield 'delta: too steep'\n")
    lung = study["tasks"]["lung"]
    lung["segmenters"]["bones"] = {"kind": "threshold", "hu": 200}
    lung["variants"]["l1"]["loss"] = [{"term": "l1"}, {"term": "huber"}]
    assert lines_of(study, tmp_path) == [
        "tasks.lung.segmenters.bones.hu: below the window; found: 200",
        "tasks.lung.segmenters.bones: no such weather today",
        "tasks.lung.segmenters.bones.hu: said in full",
        "tasks.lung.variants.l1.loss[1].delta: too steep",
    ]


DELTA = '{"type": "number", "exclusiveMinimum": 0, "default": 1, "description": "Where it bends."}'


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (
            '{"type": "float", "default": 1}',
            "option 'delta': type: not a type of JSON schemas; found: 'float'; allowed: object, array, string, "
            "integer, number, boolean, null; did you mean 'number'?",
        ),
        ('{"type": "number", "minimum": "0"}', "option 'delta': minimum: '0' is not of type 'number'"),
        (
            '{"type": "number", "minimun": 0, "default": 1}',
            "option 'delta': not a keyword of JSON schemas; found: 'minimun'; did you mean 'minimum'?",
        ),
        ('{"type": "string", "pattern": "("}', "option 'delta': pattern: not a regular expression; found: '('"),
        (
            "1",
            "option 'delta': wrong type; found: 1; allowed: a JSON schema, such as {'type': 'number', 'default': 1}",
        ),
        (
            '{"type": "number", "exclusiveMinimum": 0, "default": 0}',
            "option 'delta': its default breaks its own schema: 0 is less than or equal to the minimum of 0",
        ),
        (
            '{"type": "number"}',
            "option 'delta': it has no default and is not in `required`, so that the class could miss it; hint: give "
            "it one (`None`, with 'null' among its types, where there is no value), or require it",
        ),
    ],
)
def test_an_option_that_cannot_be(tmp_path, option, line):
    """Told when the class is read, used or not, and in one line."""
    study = with_files(tmp_path, own=LOSS.replace(DELTA, option))
    assert lines_of(study, tmp_path) == [f"extensions: {tmp_path / 'own.py'}: class Huber: {line}"]


def test_an_option_with_an_unknown_reference(tmp_path):
    study = with_files(tmp_path, own=LOSS.replace(DELTA, '{"$ref": "#/$defs/lable"}'))
    (line,) = lines_of(study, tmp_path)
    assert "class Huber: no such $ref; found: #/$defs/lable; expected: #/$defs/ and " in line


@pytest.mark.parametrize(
    ("required", "line"),
    [
        ('("delta", "power")', "required: no such option; found: 'power'; allowed: weight, delta"),
        ('"delta"', "required: wrong type; found: 'delta'; allowed: a tuple, such as ('delta',)"),
    ],
)
def test_required_options_that_there_are_not(tmp_path, required, line):
    text = LOSS.replace('name = "huber"', f'name = "huber"\n    required = {required}')
    assert lines_of(with_files(tmp_path, own=text), tmp_path) == [
        f"extensions: {tmp_path / 'own.py'}: class Huber: {line}"
    ]


def test_an_option_with_the_name_of_the_tag(tmp_path):
    (line,) = lines_of(with_files(tmp_path, own=LOSS.replace('"delta": {', '"term": {')), tmp_path)
    assert "class Huber: option 'term': the study file says by this key which kind it is" in line


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            LOSS.replace("def value(self", "def forward(self"),
            [
                "class Huber: a method is missing: value(synthetic, real, region=None) or build(context); "
                "found: forward; hint: write it in the class"
            ],
        ),
        (
            LOSS.replace('name = "huber"', 'name = "huber"\n    implementation = "huber.Huber"'),
            ["class Huber: implementation: not a target; found: 'huber.Huber'; allowed: 'module:attribute'"],
        ),
        (
            LOSS.replace("real, region=None", "real"),
            ["class Huber: value: other arguments; found: (synthetic, real); allowed: (synthetic, real, region=None)"],
        ),
        (
            NETWORKS.replace("def open(", "def opened(").replace("def inputs(", "def input("),
            [
                "class Threshold: a method is missing: open(folder, device, threads); found: opened; "
                "hint: write it in the class",
                "class Blocks: a method is missing: inputs(fold_folder); found: input; hint: write it in the class",
            ],
        ),
        (
            NETWORKS.replace("    @classmethod\n    def load(cls, ", "    def load(self, "),
            ["class Blocks: load: a method of an object; allowed: one of the class; hint: write @classmethod above it"],
        ),
    ],
)
def test_methods_that_are_missing_or_cannot_be_called(tmp_path, text, lines):
    place = f"extensions: {tmp_path / 'own.py'}: "
    assert lines_of(with_files(tmp_path, own=text), tmp_path) == [place + line for line in lines]


@pytest.mark.parametrize(
    ("base", "missing"),
    [
        ("Source", ["available()", "files(case)"]),
        ("Table", ["frame(inputs, context) or build(inputs, context)"]),
        ("Generator", ["network(input_channels, options) or architecture(options, planned, patch_size)"]),
        ("Metric", ["of_structure(real, synthetic, spacing_mm, options)"]),
    ],
)
def test_what_a_class_of_each_group_must_write(tmp_path, base, missing):
    text = (
        f'from afpbench.study.kinds import {base}\n\n\nclass Own({base}):\n    """Nothing yet."""\n    name = "own"\n'
    )
    lines = lines_of(with_files(tmp_path, own=text), tmp_path)
    assert [line.partition("missing: ")[2] for line in lines] == [
        f"{name}; hint: write it in the class" for name in missing
    ]


def test_a_class_of_no_group(tmp_path):
    text = 'from afpbench.study.kinds.kind import Kind\n\n\nclass Own(Kind):\n    """Of none."""\n    name = "own"\n'
    (line,) = lines_of(with_files(tmp_path, own=text), tmp_path)
    assert "class Own belongs to no group of kinds; expected: a class that derives from Source, Segmenter, " in line


def test_a_hint_says_where_an_own_kinds_options_are(tmp_path):
    study = with_files(tmp_path, own=LOSS)
    study["tasks"]["lung"]["variants"]["l1"]["loss"] = [{"term": "huber", "delt": 0.5}]
    with pytest.raises(StudyError) as error:
        load_study(study, tmp_path)
    assert str(error.value).endswith(
        "hint: config/README.md has every key, `afpbench list losses --config FILE` those of your own losses"
    )
    study = with_files(tmp_path, own=LOSS.replace("def value(", "def forward("))
    with pytest.raises(StudyError, match="hint: docs/how-to/extend.md has the rules for classes of your own"):
        load_study(study, tmp_path)


def test_a_misspelt_key_of_extensions_is_one_problem(tmp_path):
    study = with_files(tmp_path, own=LOSS)
    study["extension"] = study.pop("extensions")
    study["tasks"]["lung"]["variants"]["l1"]["loss"] = [{"term": "huber"}]
    (line,) = lines_of(study, tmp_path)
    assert line.startswith("extension: unknown key; allowed: ") and line.endswith("; did you mean 'extensions'?")


# --- what the pages show beside their examples


def blocks(page):
    """The Python of a page of docs/how-to, block by block."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_of_losses_shows_how_the_gradient_is_checked(tmp_path, monkeypatch, capsys):
    example, check = blocks("add-a-loss.md")
    (tmp_path / "gradient.py").write_text(example, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(check, {})
    found = ast.literal_eval(capsys.readouterr().out)
    assert list(found) == ["l1", "gradient"] and min(found.values()) > 0


def test_the_page_of_segmenters_shows_how_own_classes_meet_the_truth(tmp_path):
    example, method = blocks("add-a-segmenter.md")
    study = with_files(tmp_path, threshold=example + "\n" + method)
    study["tasks"]["lung"]["segmenters"]["dense"] = {"kind": "threshold"}
    options = load_study(study, tmp_path)["tasks"]["lung"]
    assert Task("lung", options, tmp_path).segmenters["dense"].true_labels() == {"bone": [77, 78, 25]}
