"""afpbench.features.nnunet: any nnU-Net v2 model folder, equal to what nnU-Net itself computes."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunet_folder import make_checkpoint, make_dataset, make_folder, make_network, make_plans, write_folder

from afpbench.base.errors import ConfigError, ModelError
from afpbench.features import load
from afpbench.features.nnunet import load_checkpoint, read_model_folder
from afpbench.nnunet.compat import ensure_torchvision_operators
from afpbench.volumes import io

REAL = Path(os.environ.get("AFPBENCH_REAL_DATA", Path(__file__).parents[3] / ".." / "shared" / "real"))
MODELS = REAL / "totalsegmentator" / "model_folders"
needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason=f"no real TotalSegmentator plans in {MODELS}")

VARIANTS = {
    "two stages": {},
    "six stages": {"features": (2, 3, 4, 4, 4, 4)},
    "anisotropic": {
        "features": (4, 6, 8),
        "strides": [(1, 1, 1), (1, 2, 2), (2, 2, 2)],
        "kernels": [(1, 3, 3), (3, 3, 3), (3, 3, 3)],
        "spacing_mm": (3.0, 1.0, 1.5),
    },
    "transposed": {"features": (4, 6, 8), "strides": [(1, 1, 1), (1, 2, 2), (2, 2, 2)], "transpose": (1, 0, 2)},
    "cyclic": {"features": (4, 6), "transpose": (2, 0, 1), "spacing_mm": (1.5, 3.0, 1.0)},
    "residual": {"features": (4, 6, 8), "residual": True},
    "zscore": {"normalization": "ZScoreNormalization"},
    "rescaled": {"normalization": "RescaleTo01Normalization"},
    "no normalisation": {"normalization": "NoNormalization"},
    "reoriented by NiBabel": {"reader": "NibabelIOWithReorient"},
    "reoriented by SimpleITK": {"reader": "SimpleITKIOWithReorient"},
}


def spec(folder, **options):
    return {"kind": "nnunet", "folder": folder, **options}


def own_spacing(options):
    """The training grid's spacing (z, y, x) at which nothing is resampled."""
    spacing, order = options.get("spacing_mm", (3.0, 3.0, 3.0)), options.get("transpose", (0, 1, 2))
    return tuple(spacing[order.index(axis)] for axis in range(3))


def ct_like(shape, seed=0):
    """Smooth structures, noise and air, in HU, never 0 at the border (nnU-Net crops what is exactly 0)."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    body = (z**2 + 0.7 * y**2 + x**2 < 0.9) * 1100.0 - 1024.5
    return (body + 300 * (np.abs(x - 0.2) < 0.2) * (np.abs(y) < 0.3) + rng.normal(0, 30, shape)).astype(np.float32)


def nnunet_features(folder, image_path):
    """Stage outputs by nnU-Net alone: its reader, its preprocessor, its network with hooks. Also the input used."""
    ensure_torchvision_operators()
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans = json.loads((folder / "plans.json").read_text())
    dataset = json.loads((folder / "dataset.json").read_text())
    manager = PlansManager(plans)
    configuration = manager.get_configuration("3d_fullres")
    preprocessor = configuration.preprocessor_class(verbose=False)
    data, _, _ = preprocessor.run_case([str(image_path)], None, manager, configuration, dataset)
    network = make_network(plans, dataset)
    checkpoint = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=False)
    network.load_state_dict(checkpoint["network_weights"])
    found = []
    for stage in (*network.encoder.stages, *network.decoder.stages):
        stage.register_forward_hook(lambda module, inputs, output: found.append(output))
    divisor = np.prod([s for s in network.encoder.strides], axis=0)
    x = torch.from_numpy(np.ascontiguousarray(data))[None].float()
    pad = [(-n) % d for n, d in zip(x.shape[2:], divisor, strict=True)]
    x = torch.nn.functional.pad(x, (0, pad[2], 0, pad[1], 0, pad[0]))
    with torch.no_grad():
        logits = network(x)
    return found, logits


@pytest.mark.parametrize("name", list(VARIANTS))
def test_features_equal_nnunets_own(name, tmp_path):
    options = VARIANTS[name]
    folder = make_folder(tmp_path, **options)
    shape = (64, 32, 32) if name == "six stages" else (16, 24, 20)
    geometry = io.Geometry(shape, own_spacing(options))
    io.write(io.Volume(ct_like(shape), geometry), tmp_path / "ct.nii.gz")
    volume = io.read(tmp_path / "ct.nii.gz")
    expected, logits = nnunet_features(folder, tmp_path / "ct.nii.gz")

    network = load(spec(folder), own_spacing(options))
    features = network(torch.from_numpy(volume.array)[None, None])
    stages = len(options.get("features", (4, 8)))
    assert network.layer_names == [f"encoder.{i}" for i in range(stages)] + [f"decoder.{i}" for i in range(stages - 1)]
    assert len(features) == len(expected)
    for ours, theirs in zip(features, expected, strict=True):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-4)
    (ours,) = load(spec(folder), own_spacing(options), ["logits"])(torch.from_numpy(volume.array)[None, None])
    torch.testing.assert_close(ours, logits, rtol=1e-3, atol=1e-3)


def test_a_patch_that_must_be_padded(tmp_path):
    folder = make_folder(tmp_path, features=(4, 6, 8))
    network = load(spec(folder), (3, 3, 3))
    shapes = [tuple(f.shape[2:]) for f in network(torch.zeros(1, 1, 14, 16, 17))]
    assert shapes == [(14, 16, 17), (7, 8, 9), (4, 4, 5), (7, 8, 9), (14, 16, 17)]  # what is padding only is cropped


def test_another_spacing_is_resampled(tmp_path):
    folder = make_folder(tmp_path, spacing_mm=(3.0, 1.5, 1.5))
    features = load(spec(folder), (3.0, 3.0, 3.0), ["encoder.0"])(torch.zeros(1, 1, 8, 8, 8))
    assert tuple(features[0].shape[2:]) == (8, 16, 16)


def test_layers_all_are_the_convolutional_blocks(tmp_path):
    folder = make_folder(tmp_path)
    network = load(spec(folder), (3, 3, 3), "all")
    assert network.layer_names == [
        f"{part}.{block}" for part in ("encoder.0", "encoder.1", "decoder.0") for block in (0, 1)
    ]
    x = torch.from_numpy(ct_like((16, 16, 16)))[None, None]
    stages = load(spec(folder), (3, 3, 3))(x)
    for block, stage in zip(network(x)[1::2], stages, strict=True):
        assert torch.equal(block, stage)
    assert all((f < 0).any() and f.min() > f.max() * -1 for f in network(x))  # after LeakyReLU: negatives are small


def test_residual_blocks_and_stem(tmp_path):
    network = load(spec(make_folder(tmp_path, residual=True)), (3, 3, 3), "all")
    assert network.layer_names == ["encoder.stem", "encoder.0.0", "encoder.1.0", "decoder.0.0"]
    assert [f.shape[1] for f in network(torch.zeros(1, 1, 16, 16, 16))] == [4, 4, 8, 4]


def test_layer_order_is_the_callers(tmp_path):
    network = load(spec(make_folder(tmp_path)), (3, 3, 3), ["decoder.0", "encoder.1"])
    assert [f.shape[1] for f in network(torch.zeros(1, 1, 16, 16, 16))] == [4, 8]


def test_nothing_runs_after_the_last_layer(tmp_path):
    folder = make_folder(tmp_path, features=(4, 6, 8))
    whole = load(spec(folder), (3, 3, 3), ["logits"])
    encoder = load(spec(folder), (3, 3, 3), "encoder")
    first = load(spec(folder), (3, 3, 3), ["encoder.0.0"])
    assert len(whole.network.decoder) == 2 and len(encoder.network.decoder) == 0
    assert [len(stage) for stage in first.network.encoder] == [1]
    kept = [sum(p.numel() for p in n.parameters()) for n in (first, encoder, whole)]
    assert kept[0] < kept[1] < kept[2]
    assert first.network.reduction == (1, 1, 1)  # and so a patch is not padded for stages that do not run


def test_frozen_for_good(tmp_path):
    network = load(spec(make_folder(tmp_path)), (3, 3, 3))
    torch.nn.ModuleList([network]).train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_gradient_reaches_the_ct(tmp_path):
    network = load(spec(make_folder(tmp_path, features=(4, 6, 8), transpose=(1, 0, 2))), (3, 3, 3))
    x = torch.from_numpy(ct_like((16, 16, 16)))[None, None].requires_grad_()
    sum(f.square().mean() for f in network(x)).backward()
    assert x.grad.abs().max() > 0 and torch.isfinite(x.grad).all()


def test_channels_last_gives_the_same_features(tmp_path):
    folder = make_folder(tmp_path, features=(8, 16))
    x = torch.from_numpy(ct_like((16, 16, 16)))[None, None]
    plain = load(spec(folder), (3, 3, 3))(x)
    last = load(spec(folder, channels_last=True), (3, 3, 3))(x)
    for a, b in zip(plain, last, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_regions_follow_the_mapping(tmp_path):
    folder = make_folder(tmp_path, transpose=(1, 0, 2), reader="NibabelIOWithReorient")
    network = load(spec(folder), (3, 3, 3))
    mask = torch.zeros(1, 1, 8, 10, 11)
    mask[0, 0, 2:4, 0:2, 0:1] = 1
    regions = network.regions(mask, network(torch.zeros_like(mask)))
    assert [tuple(r.shape[2:]) for r in regions] == [(10, 8, 11), (5, 4, 6), (10, 8, 11)]
    assert regions[0][0, 0, 8:10, 2:4, 10:11].eq(1).all() and regions[0].sum() == 4
    # x is padded from 11 to 12: the last feature voxel holds x 10 and one voxel of padding
    assert regions[1][0, 0, 4, 1, 5] == 0.5 and regions[1].sum() == 0.5


def test_several_folds_side_by_side(tmp_path):
    folder = make_folder(tmp_path, folds=(0, 3, "all"))
    x = torch.from_numpy(ct_like((16, 16, 16)))[None, None]
    network = load(spec(folder, fold="every"), (3, 3, 3), ["encoder.1"])
    assert network.layer_names == ["fold_0/encoder.1", "fold_3/encoder.1", "fold_all/encoder.1"]
    single = load(spec(folder, fold=3), (3, 3, 3), ["encoder.1"])
    assert torch.equal(network(x)[1], single(x)[0])
    assert len(network.regions(torch.ones_like(x), network(x))) == 3


def test_configuration_from_checkpoint_folder_or_plans(tmp_path):
    folder = make_folder(tmp_path, configuration="3d_lowres")
    assert read_model_folder(folder).configuration_name == "3d_lowres"
    plans = json.loads((folder / "plans.json").read_text())
    plans["configurations"]["3d_fullres"] = plans["configurations"]["3d_lowres"]
    (folder / "plans.json").write_text(json.dumps(plans))
    path = folder / "fold_0" / "checkpoint_final.pth"
    checkpoint = load_checkpoint(path)
    checkpoint.pop("init_args")
    torch.save(checkpoint, path)
    assert read_model_folder(folder).configuration_name == "3d_lowres"  # from the folder's name
    plain = folder.rename(tmp_path / "plain")
    with pytest.raises(ModelError, match=r"(?s)which configuration is it\?.*3d_lowres, 3d_fullres.*hint: name it"):
        read_model_folder(plain)
    assert read_model_folder(plain, configuration="3d_fullres").configuration_name == "3d_fullres"
    with pytest.raises(ModelError, match="no usable configuration '2d'"):
        read_model_folder(plain, configuration="2d")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_checkpoint_of_nnunets_own_trainer_loads(tmp_path, monkeypatch):
    """nnUNetTrainer.save_checkpoint itself writes the file."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("nnUNet_compile", "f")
    ensure_torchvision_operators()
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    plans, dataset = make_plans(), make_dataset()
    trainer = nnUNetTrainer(
        json.loads(json.dumps({**plans, "continue_training": False})), "3d_fullres", 0, dataset, torch.device("cpu")
    )
    preprocessed = tmp_path / "nnUNet_preprocessed" / plans["dataset_name"] / "nnUNetPlans_3d_fullres"
    preprocessed.mkdir(parents=True)
    (preprocessed / "case.b2nd").touch()  # nnU-Net looks at the file endings
    trainer.initialize()
    trainer.logger.log("mean_fg_dice", np.float64(0.5), 0)
    trainer._best_ema = np.float32(0.5)
    folder = tmp_path / "model"
    (folder / "fold_0").mkdir(parents=True)
    trainer.save_checkpoint(str(folder / "fold_0" / "checkpoint_final.pth"))
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    network = load(spec(folder), (3, 3, 3))
    weights = trainer.network.encoder.stages[0][0].convs[0].conv.weight
    assert torch.equal(network.network.encoder[0][0].conv.weight, weights)


def test_a_checkpoint_of_numpy_1_loads(tmp_path):
    """Older checkpoints (TotalSegmentator's among them) name NumPy's modules as NumPy 1 did."""
    path, old = tmp_path / "new.pth", tmp_path / "old.pth"
    torch.save({"network_weights": {"w": torch.ones(2)}, "_best_ema": np.float64(0.25)}, path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(old, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert b"numpy._core" not in old.read_bytes()
    content = load_checkpoint(old)
    assert content["_best_ema"] == 0.25 and content["network_weights"]["w"].tolist() == [1, 1]


class Malicious:
    """Unpickled, it would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("how", ["zip", "pickle"])
def test_a_malicious_checkpoint_does_nothing(tmp_path, how):
    folder = make_folder(tmp_path)
    path, trace = folder / "fold_0" / "checkpoint_final.pth", tmp_path / "trace"
    content = {"network_weights": Malicious(trace)}
    if how == "zip":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(ModelError, match=r"(?s)checkpoint(_final)?.*fold_0.*(could run code|damaged)"):
        load(spec(folder), (3, 3, 3))
    assert not trace.exists()


def test_broken_folders(tmp_path):
    with pytest.raises(ModelError, match=r"(?s)no plans.json.*hint: give the folder <Trainer>"):
        load(spec(tmp_path / "nowhere"), (3, 3, 3))
    folder = make_folder(tmp_path)
    with pytest.raises(
        ModelError, match=r"(?s)no checkpoint fold_4/checkpoint_final.pth.*found: fold_0/checkpoint_final"
    ):
        load(spec(folder, fold=4), (3, 3, 3))
    path = folder / "fold_0" / "checkpoint_final.pth"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"checkpoint.*checkpoint_final.pth"):
        load(spec(folder), (3, 3, 3))
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ModelError, match=r"(?s)not a checkpoint of nnU-Net v2.*expected: network_weights"):
        load(spec(folder), (3, 3, 3))
    torch.save(torch.zeros(3), path)
    with pytest.raises(ModelError, match=r"(?s)not a checkpoint.*found: Tensor"):
        load(spec(folder), (3, 3, 3))
    (folder / "dataset.json").write_text("{")
    with pytest.raises(ModelError, match="dataset.json cannot be used"):
        load(spec(folder), (3, 3, 3))


def test_weights_that_do_not_fit(tmp_path):
    folder = make_folder(tmp_path)
    path = folder / "fold_0" / "checkpoint_final.pth"
    checkpoint = load_checkpoint(path)
    del checkpoint["network_weights"]["encoder.stages.0.0.convs.0.conv.bias"]
    torch.save(checkpoint, path)
    with pytest.raises(ModelError, match=r"(?s)the weights do not fit the plans.*Missing key.*nnUNetTrainer"):
        load(spec(folder), (3, 3, 3))


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_a_checkpoint_of_a_compiled_network_loads(tmp_path, prefix):
    """torch.compile puts _orig_mod. before the names of all weights, DistributedDataParallel module."""
    folder = make_folder(tmp_path)
    image = torch.randn(1, 1, 16, 16, 16)
    plain = load(spec(folder), (3.0, 3.0, 3.0))(image)
    path = folder / "fold_0" / "checkpoint_final.pth"
    content = load_checkpoint(path)
    content["network_weights"] = {prefix + name: value for name, value in content["network_weights"].items()}
    torch.save(content, path)
    for one, other in zip(load(spec(folder), (3.0, 3.0, 3.0))(image), plain, strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_with_two_sets_of_weights(tmp_path):
    torch.save({"network_weights": {"a": torch.zeros(1), "_orig_mod.a": torch.ones(1)}}, tmp_path / "both.pth")
    with pytest.raises(ModelError, match="two sets of weights in one checkpoint: .*both.pth"):
        load_checkpoint(tmp_path / "both.pth")


@pytest.mark.parametrize("left", [None, {}, {"0": {"mean": 1.0}}])
def test_plans_without_the_foregrounds_intensities(tmp_path, left):
    plans, dataset = make_plans(), make_dataset()
    plans["foreground_intensity_properties_per_channel"] = left
    if left is None:
        del plans["foreground_intensity_properties_per_channel"]
    with pytest.raises(ModelError, match="plans.json: CTNormalization without the foreground's intensities") as error:
        load(spec(write_folder(tmp_path / "ct", plans, dataset)), (3.0, 3.0, 3.0))
    assert "found: no " in str(error.value) and "dataset_fingerprint.json" in str(error.value)
    plans["configurations"]["3d_fullres"]["normalization_schemes"] = ["ZScoreNormalization"]  # which needs none
    load(spec(write_folder(tmp_path / "zscore", plans, dataset)), (3.0, 3.0, 3.0))


def test_unusable_configurations(tmp_path):
    plans, dataset = make_plans(), make_dataset()
    two = {**dataset, "channel_names": {"0": "CT", "1": "MR"}}
    with pytest.raises(ModelError, match=r"(?s)not usable as a feature network.*input channels: CT, MR"):
        load(spec(write_folder(tmp_path / "two", plans, two)), (3, 3, 3))
    folder = write_folder(tmp_path / "cascade", plans, dataset)
    plans["configurations"]["3d_fullres"]["previous_stage"] = "3d_lowres"
    (folder / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(ModelError, match="second of a cascade"):
        load(spec(folder), (3, 3, 3))
    plans["configurations"]["3d_fullres"]["patch_size"] = [16, 16]
    (folder / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(ModelError, match="3d_fullres is 2D"):
        load(spec(folder), (3, 3, 3))
    plans = make_plans()
    plans["configurations"]["3d_fullres"]["architecture"]["network_class_name"] = "somewhere.NoSuchNetwork"
    (folder / "plans.json").write_text(json.dumps(plans))
    with pytest.warns(UserWarning), pytest.raises(ModelError, match=r"(?s)cannot be built.*ImportError"):
        load(spec(folder), (3, 3, 3))


def test_wrong_layers_input_and_kind(tmp_path):
    folder = make_folder(tmp_path)
    with pytest.raises(ConfigError, match=r"(?s)unknown feature layers.*found: encoder.7.*hint: did you mean encoder"):
        load(spec(folder), (3, 3, 3), ["encoder.7"])
    with pytest.raises(ConfigError, match="an empty list"):
        load(spec(folder), (3, 3, 3), [])
    network = load(spec(folder), (3, 3, 3))
    with pytest.raises(ModelError, match=r"(?s)wrong input shape.*\(1, 2, 8, 8, 8\)"):
        network(torch.zeros(1, 2, 8, 8, 8))
    with pytest.raises(ModelError, match=r"(?s)patch is too small.*shallower layers"):
        network(torch.zeros(1, 1, 2, 2, 2))
    with pytest.raises(
        ConfigError, match=r"(?s)unknown kind.*found: 'monai'.*medicalnet, naviairway, nnunet, torchscript"
    ):
        load({"kind": "monai"}, (3, 3, 3))
    with pytest.raises(ConfigError, match=r"(?s)kind nnunet: wrong options.*colour"):
        load(spec(folder, colour="red"), (3, 3, 3))


@pytest.mark.filterwarnings("ignore:Detected old nnU-Net plans format")
@needs_models
@pytest.mark.slow
@pytest.mark.parametrize("number", [291, 297])
def test_real_totalsegmentator_plans(number, tmp_path):
    """Plans of the old layout, real sizes (32 to 320 features), weights made for them; nnU-Net reads and runs too."""
    (source,) = MODELS.glob(f"Dataset{number}_*/*")
    plans, dataset = (json.loads((source / f"{name}.json").read_text()) for name in ("plans", "dataset"))
    assert "UNet_class_name" in plans["configurations"]["3d_fullres"]
    folder = tmp_path / source.name
    folder.mkdir()
    for name in ("plans.json", "dataset.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    network = make_network(plans, dataset)
    (folder / "fold_0").mkdir()
    content = make_checkpoint(network, plans, dataset, trainer=source.name.split("__")[0])
    content.pop("optimizer_state")
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth")

    spacing = (3.0, 3.0, 3.0) if number == 297 else (1.5, 1.5, 1.5)
    features = load(spec(folder), spacing)
    assert len(features.layer_names) == (9 if number == 297 else 11) and features.mapping.flip == (1, 2)
    patch = ct_like((32, 32, 64))
    image = sitk.GetImageFromArray(patch)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(tmp_path / "ct.nii.gz"))
    expected, _ = nnunet_features(folder, tmp_path / "ct.nii.gz")
    found = features(torch.from_numpy(patch)[None, None])
    tolerance = 1e-2 if number == 291 else 1e-3  # 291's lowest stage has two voxels: normalised, they magnify rounding
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=tolerance)
    assert all(ours.min() < 0 < ours.max() for ours in found)
