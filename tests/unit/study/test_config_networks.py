"""Feature networks of a study file: defaults, and a line for each mistake."""

import copy

import pytest
import yaml

from afpbench.study.kinds.network import download_path
from afpbench.study.kinds.registry import NETWORKS
from afpbench.study.load import StudyError, load_study
from afpbench.study.task import Task

STUDY = yaml.safe_load("""
tasks:
  lung:
    data: {source: phantom, region: thorax, cases: 20}
    spacing_mm: [3.0, 3.0, 3.0]
    splits: {train: 8, validation: 2, test: 8}
    segmenters:
      navi: {kind: trained, classes: {airway: [airway_lumen, airway_wall]}}
    feature_networks:
      medicalnet: {kind: medicalnet, weights: stand_in}
    structures:
      airways: {segmenter: navi, classes: [airway]}
    generators: {nnunet: {patch_size: [32, 40, 48]}}
    training: {iterations: 100}
    variants:
      l1: {generator: nnunet, loss: [{term: l1}]}
      perceptual: {generator: nnunet, loss: [{term: perceptual, networks: [medicalnet]}]}
    reference: l1
    tables:
      table1: {columns: [{metric: mae}]}
""")
SHA256 = "0123456789abcdef" * 4
PLACE = "tasks.lung.feature_networks.medicalnet"


def study(networks: dict, loss=None) -> dict:
    changed = copy.deepcopy(STUDY)
    changed["tasks"]["lung"]["feature_networks"] = networks
    if loss:
        changed["tasks"]["lung"]["variants"]["perceptual"]["loss"] = loss
    return changed


def lines_of(networks: dict, root, loss=None) -> list[str]:
    with pytest.raises(StudyError) as error:
        load_study(study(networks, loss), root)
    return error.value.problems


def test_a_stand_in_inherits_the_tasks_training(tmp_path):
    own = {"kind": "medicalnet", "weights": "stand_in", "depth": 18, "training": {"learning_rate": 0.001}}
    task = load_study(study({"medicalnet": own}), tmp_path)["tasks"]["lung"]
    network = task["feature_networks"]["medicalnet"]
    assert network["training"] == {**task["training"], "learning_rate": 0.001}
    assert network["training"]["iterations"] == 100 and network["patch_size"] == [32, 40, 48]
    assert (network["depth"], network["mean_hu"], network["std_hu"]) == (18, None, None)


def test_a_task_has_none_by_default(tmp_path):
    plain = study({})
    del plain["tasks"]["lung"]["variants"]["perceptual"], plain["tasks"]["lung"]["feature_networks"]
    assert load_study(plain, tmp_path)["tasks"]["lung"]["feature_networks"] == {}


def test_downloads_lie_under_their_checksum():
    weights = {"url": "https://example.org/files/resnet%2050.pth?raw=1", "sha256": SHA256}
    assert download_path(weights) == "resources/networks/0123456789ab/resnet 50.pth"


def test_a_download_is_allowed(tmp_path):
    weights = {"url": "https://example.org/resnet_50.pth", "sha256": SHA256}
    task = load_study(study({"medicalnet": {"kind": "medicalnet", "weights": weights}}), tmp_path)["tasks"]["lung"]
    assert task["feature_networks"]["medicalnet"]["weights"] == weights


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"weights": "standin"}, f"{PLACE}.weights: no such file; found: 'standin'; hint: did you mean 'stand_in'?"),
        ({"weights": "a/b.pth"}, f"{PLACE}.weights: no such file; found: 'a/b.pth'; "
         "hint: relative paths start from ROOT"),
        ({"weights": "stand_in", "normalization": "fixed", "mean_hu": 0}, f"{PLACE}: mean_hu and std_hu go together; "
         "hint: give both, or none for those of the training cases"),
        ({"weights": "stand_in", "normalization": "fixed", "mean_hu": 0, "std_hu": 0}, f"{PLACE}.std_hu: not allowed; "
         "found: 0; allowed: a number above 0, or null"),
        ({"weights": {"url": "http://example.org/a.pth", "sha256": SHA256}}, f"{PLACE}.weights.url: not allowed; "
         "found: 'http://example.org/a.pth'; allowed: an address that begins with https://"),
        ({"weights": {"url": "https://example.org/a/", "sha256": SHA256}}, f"{PLACE}.weights.url: names no file; "
         "found: 'https://example.org/a/'; allowed: the address of a file"),
        ({"weights": {"url": "https://example.org/a.pth", "sha256": "abc"}}, f"{PLACE}.weights.sha256: not allowed; "
         "found: 'abc'; allowed: 64 digits and letters a to f"),
        ({"weights": {"url": "https://example.org/a.pth"}}, f"{PLACE}.weights.sha256: missing; "
         "allowed: 64 digits and letters a to f"),
        ({"weights": "stand_in", "depth": 101}, f"{PLACE}.depth: not allowed; found: 101; allowed: 10, 18, 34, 50; "
         "did you mean '10'?"),
        ({"kind": "torchscript", "path": "m.pt"}, f"{PLACE}.path: no such file; found: 'm.pt'; "
         "hint: relative paths start from ROOT"),
        ({"kind": "nnunet", "folder": "model"}, f"{PLACE}.folder: no such folder; found: 'model'; "
         "hint: relative paths start from ROOT"),
        ({"kind": "vgg"}, f"{PLACE}.kind: not allowed; found: 'vgg'; allowed: KINDS"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_line(options, line, tmp_path):
    found = lines_of({"medicalnet": {"kind": "medicalnet", **options}}, tmp_path)
    assert found == [line.replace("ROOT", str(tmp_path.resolve())).replace("KINDS", ", ".join(NETWORKS))]


def test_keys_of_a_stand_in_beside_weights(tmp_path):
    (tmp_path / "resnet.pth").touch()
    network = {"kind": "medicalnet", "weights": "resnet.pth", "depth": 50, "training": {"iterations": 3}}
    end = "has no effect, since weights are given; hint: remove it, or set weights to 'stand_in'"
    assert lines_of({"medicalnet": network}, tmp_path) == [f"{PLACE}.depth: {end}", f"{PLACE}.training: {end}"]


def test_numbers_of_a_fixed_scale_beside_patches_by_their_own(tmp_path):
    network = {"kind": "medicalnet", "weights": "stand_in", "mean_hu": 0, "std_hu": 500}
    end = "has no effect on patches by their own mean and SD; hint: set normalization to 'fixed'"
    assert lines_of({"medicalnet": network}, tmp_path) == [f"{PLACE}.mean_hu: {end}", f"{PLACE}.std_hu: {end}"]


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        ({}, {}),
        ({"normalization": "fixed"}, {"statistics": "results/lung/folds/2/normalization/normalization.json"}),
        ({"normalization": "fixed", "mean_hu": 0, "std_hu": 500}, {"mean_hu": 0, "std_hu": 500}),
    ],
    ids=str,
)
def test_where_the_scale_of_medicalnets_input_comes_from(options, scale, tmp_path):
    own = {"kind": "medicalnet", "weights": "stand_in", **options}
    loaded = load_study(study({"medicalnet": own}), tmp_path)
    network = Task("lung", loaded["tasks"]["lung"], tmp_path, loaded["seed"]).networks["medicalnet"]
    spec = network.features("results/lung/folds/2/")
    weights = "results/lung/folds/2/models/networks/medicalnet/resnet.pth"
    assert spec == {"kind": "medicalnet", "weights": weights, **scale}


def test_a_name_belongs_to_one_network(tmp_path):
    both = {
        "navi": {"kind": "medicalnet", "weights": "stand_in"},
        "medicalnet": {"kind": "medicalnet", "weights": "stand_in"},
    }
    assert lines_of(both, tmp_path) == [
        "tasks.lung.feature_networks.navi: also the name of a segmenter; hint: give one of the two another name"
    ]


def test_the_limits_of_a_torchscript_module(tmp_path):
    (tmp_path / "m.pt").touch()
    network = {"kind": "torchscript", "path": "m.pt", "clip_hu": [600, -1000]}
    assert lines_of({"medicalnet": network}, tmp_path) == [
        f"{PLACE}.clip_hu: the lower limit must come first; found: [600, -1000]; allowed: two rising numbers"
    ]


def test_folds_of_a_model_folder(tmp_path):
    (tmp_path / "model" / "fold_all").mkdir(parents=True)
    (tmp_path / "model" / "fold_all" / "checkpoint_final.pth").touch()
    (tmp_path / "model" / "plans.json").write_text("{}")
    (tmp_path / "model" / "dataset.json").write_text('{"labels": {"background": 0, "wall": 1}}')
    network = {"kind": "nnunet", "folder": "model"}
    for folds in ("all", "every"):
        load_study(study({"medicalnet": {**network, "folds": folds}}), tmp_path)
    assert lines_of({"medicalnet": {**network, "folds": [1]}}, tmp_path) == [
        f"{PLACE}.folder: model has no fold_1/checkpoint_final.pth; "
        "hint: give the folder that holds plans.json and fold_0"
    ]


def test_naviairway_segments_and_gives_features(tmp_path):
    changed = study({"medicalnet": {"kind": "naviairway", "weights": ["a.pkl"]}})
    lung = changed["tasks"]["lung"]
    lung["segmenters"]["navi"] = {"kind": "naviairway", "weights": ["a.pkl", "~/b.pkl"]}
    (tmp_path / "a.pkl").touch()
    with pytest.raises(StudyError) as error:
        load_study(changed, tmp_path)
    (line,) = error.value.problems
    assert line.startswith("tasks.lung.segmenters.navi.weights[1]: no such file; found: '") and "~" not in line
    lung["segmenters"]["navi"]["weights"] = ["a.pkl"]
    assert load_study(changed, tmp_path)["tasks"]["lung"]["segmenters"]["navi"]["label"] == "navi"
    lung["structures"]["airways"]["classes"] = ["trachea"]
    with pytest.raises(StudyError, match="the segmenter 'navi' has no such class; found: 'trachea'; allowed: airway"):
        load_study(changed, tmp_path)


def test_losses_name_segmenters_and_feature_networks(tmp_path):
    networks = STUDY["tasks"]["lung"]["feature_networks"]
    spot = "tasks.lung.variants.perceptual.loss[0].networks"
    assert lines_of(networks, tmp_path, [{"term": "perceptual", "networks": ["medicalnets"]}]) == [
        f"{spot}: no such segmenter or feature network; found: 'medicalnets'; allowed: navi, medicalnet; "
        "did you mean 'medicalnet'?"
    ]
    assert lines_of(networks, tmp_path, [{"term": "segmentation", "networks": ["medicalnet"]}]) == [
        f"{spot}: not for the term segmentation; found: medicalnet, kind medicalnet; allowed: an nnU-Net of any kind"
    ]
    load_study(study(networks, [{"term": "afp", "networks": ["navi", {"name": "medicalnet", "weight": 2}]}]), tmp_path)
