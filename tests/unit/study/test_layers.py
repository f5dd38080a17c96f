"""A misspelt layer fails when a study is planned, with the name that was probably meant."""

import json

import pytest
from test_config_networks import lines_of, study

from afpbench.study.kinds.layers import UNET_GROUPS, stages_of, unknown_unet_layers
from afpbench.study.kinds.networks import medicalnet
from afpbench.study.kinds.segmenters import naviairway
from afpbench.study.load import load_study

SPOT = "tasks.lung.variants.perceptual.loss[0].layers"
STAND_IN = {"medicalnet": {"kind": "medicalnet", "weights": "stand_in"}}
UNET_NAMES = "stages, encoder, decoder, all, or a list of names such as encoder.0, decoder.2.1, encoder.stem, logits"


def loss(network, layers):
    return [{"term": "perceptual", "networks": [network], "layers": layers}]


def model_folder(root, configurations, name="Trainer__Plans__3d_fullres"):
    folder = root / name
    (folder / "fold_0").mkdir(parents=True)
    (folder / "fold_0" / "checkpoint_final.pth").touch()
    (folder / "dataset.json").write_text('{"labels": {"background": 0, "wall": 1}}')
    (folder / "plans.json").write_text(json.dumps({"configurations": configurations}))
    return folder


def plan(stages):
    return {"architecture": {"arch_kwargs": {"n_stages": stages}}}


@pytest.mark.parametrize(
    "layers", [None, 3, "stages", "encoder", "decoder", "all", "encoder.3", ["decoder.2.1", "encoder.stem", "logits"]]
)
def test_layers_of_a_trained_segmenter(layers, tmp_path):
    load_study(study(STAND_IN, loss("navi", layers)), tmp_path)


@pytest.mark.parametrize(
    ("layers", "found", "near"),
    [
        ("enc0der", "enc0der", "encoder"),
        (["encoder.0", "decodr.1"], "decodr.1", "decoder.1"),
        (["stages"], "stages", "stages"),
        ("encoder.0.0.0", "encoder.0.0.0", "encoder.0"),
    ],
)
def test_misspelt_layers_of_a_trained_segmenter(layers, found, near, tmp_path):
    line = f"{SPOT}: the network 'navi' has no such layer; found: '{found}'; allowed: {UNET_NAMES}"
    assert lines_of(STAND_IN, tmp_path, loss("navi", layers)) == [f"{line}; did you mean '{near}'?"]


def test_a_number_of_layers(tmp_path):
    folder = model_folder(tmp_path, {"3d_fullres": plan(5)})
    networks = {"medicalnet": {"kind": "nnunet", "folder": folder.name}}
    load_study(study(networks, loss("medicalnet", 5)), tmp_path)
    line = f"{SPOT}: the network 'medicalnet' has not so many stages; found: 6; allowed: 1 to 5"
    assert lines_of(networks, tmp_path, loss("medicalnet", 6)) == [line]
    load_study(study(STAND_IN, loss("medicalnet", 5)), tmp_path)
    line = f"{SPOT}: the network 'medicalnet' has not so many stages; found: 7; allowed: 1 to 5"
    assert lines_of(STAND_IN, tmp_path, loss("medicalnet", 7)) == [line]


def test_the_stages_of_a_model_folder_are_those_of_its_plans(tmp_path):
    folder = model_folder(tmp_path, {"2d": plan(7), "3d_fullres": plan(5)})
    networks = {"medicalnet": {"kind": "nnunet", "folder": folder.name}}
    load_study(study(networks, loss("medicalnet", ["encoder.4", "decoder.3.1"])), tmp_path)
    stages = "(it has 5 stages: encoder.0 to encoder.4, decoder.0 to decoder.3)"
    for layer in ("encoder.5", "decoder.4"):
        (line,) = lines_of(networks, tmp_path, loss("medicalnet", layer))
        assert line.startswith(f"{SPOT}: the network 'medicalnet' has no such layer; found: '{layer}'; allowed: ")
        assert stages in line


def test_segmenters_with_a_folder_say_it_too(tmp_path):
    folder = model_folder(tmp_path, {"3d_fullres": plan(3)})
    changed = study(STAND_IN, loss("hal", "encoder.3"))
    changed["tasks"]["lung"]["segmenters"]["hal"] = {"kind": "nnunet", "folder": folder.name}
    with pytest.raises(Exception, match="the network 'hal' has no such layer; found: 'encoder.3'.*3 stages"):
        load_study(changed, tmp_path)


def test_real_weights_of_totalsegmentator_have_plans(tmp_path):
    from afpbench.study.kinds.segmenters.totalsegmentator import LAYOUT

    model_folder(tmp_path / "weights" / LAYOUT["fast"][0], {"3d_fullres": plan(4)}, LAYOUT["fast"][1])
    changed = study(STAND_IN, loss("total", "decoder.3"))
    total = {"kind": "totalsegmentator", "task": "fast", "weights": "weights"}
    changed["tasks"]["lung"]["segmenters"]["total"] = total
    with pytest.raises(Exception, match="the network 'total' has no such layer; found: 'decoder.3'.*4 stages"):
        load_study(changed, tmp_path)


def test_stages_where_plans_are_of_another_form(tmp_path):
    old = {"3d_lowres": {"conv_kernel_sizes": [[3, 3, 3]] * 6}, "3d_fullres": {"inherits_from": "3d_lowres"}}
    assert stages_of(model_folder(tmp_path / "old", old)) == 6
    assert stages_of(model_folder(tmp_path / "one", {"3d_lowres": plan(2)}, "model")) == 2  # the only configuration
    assert stages_of(model_folder(tmp_path / "two", {"2d": plan(2), "3d_lowres": plan(3)}, "model")) is None
    circle = {"3d_fullres": {"inherits_from": "3d_fullres"}}
    assert stages_of(model_folder(tmp_path / "circle", circle)) is None
    assert stages_of(tmp_path / "nowhere") is None
    assert unknown_unet_layers("navi", "encoder.40", tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("options", "right", "wrong", "near"),
    [
        ({"kind": "medicalnet", "weights": "stand_in"}, ["relu1", "layer4"], "layer5", "layer4"),
        ({"kind": "medicalnet", "weights": "stand_in"}, "all", "stages", ""),
        ({"kind": "naviairway", "weights": ["a.pkl"]}, ["encoder.3", "decoder.2"], "decoder.3", "encoder.3"),
        ({"kind": "naviairway", "weights": ["a.pkl"]}, "stages", "encoders", "encoder"),
        ({"kind": "torchscript", "path": "a.pt"}, ["output.0", "output.12"], "outputs.1", "output.1"),
    ],
)
def test_layers_of_other_networks(options, right, wrong, near, tmp_path):
    (tmp_path / "a.pkl").touch()
    (tmp_path / "a.pt").touch()
    networks = {"medicalnet": options}
    load_study(study(networks, loss("medicalnet", right)), tmp_path)
    (line,) = lines_of(networks, tmp_path, loss("medicalnet", wrong))
    assert line.startswith(f"{SPOT}: the network 'medicalnet' has no such layer; found: '{wrong}'; allowed: ")
    assert line.endswith(f"; did you mean '{near}'?") if near else "did you mean" not in line


def test_planning_knows_the_layers_that_the_networks_have():
    from nnunet_folder import make_dataset, make_network, make_plans

    from afpbench.features.medicalnet import LAYER_NAMES
    from afpbench.features.naviairway import LAYER_GROUPS as NAVIAIRWAY_GROUPS
    from afpbench.features.naviairway import LAYER_NAMES as NAVIAIRWAY_NAMES
    from afpbench.features.unet import UNetLayers

    assert medicalnet.LAYER_NAMES == LAYER_NAMES
    assert (tuple(NAVIAIRWAY_NAMES), tuple(NAVIAIRWAY_GROUPS)) == (naviairway.LAYER_NAMES, naviairway.LAYER_GROUPS)
    for group in UNET_GROUPS:
        names = UNetLayers(make_network(make_plans(), make_dataset(2)), group).layer_names
        assert names and unknown_unet_layers("navi", names) is None
