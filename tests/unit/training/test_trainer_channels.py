"""Training on an MR of two channels: what is stored, what augmentation changes, what reaches the two networks of a GAN,
and the trained network on files of an MR alone."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import GRID, PATCH, PLANNER, SPLITS, training_options
from trained_model import ABOUT

from afpbench.base.atomic import read_json, write_json
from afpbench.base.errors import ConfigError, DataError
from afpbench.base.hardware import Runtime
from afpbench.commands.main import main
from afpbench.inference.ensemble import Ensemble
from afpbench.inference.export import on_grid
from afpbench.inference.synthesis import Generator, synthesize_case
from afpbench.nnunet import environment
from afpbench.prediction import models
from afpbench.prediction.card import write_card
from afpbench.prediction.predict import Predictor
from afpbench.study.kinds.registry import GENERATORS
from afpbench.training import augmentation, checkpoints
from afpbench.training.trainers import nnUNetTrainerTranslation as translation
from afpbench.training.training_set import DATASET, build
from afpbench.training.variant import train_variant
from afpbench.volumes import channels, io, mr_range, normalization
from afpbench.volumes.preprocessing import resample_case

SIZE = 8
SPADE = {
    "kind": "spade",
    "planner": PLANNER,
    "patch_size": PATCH,
    "base_features": 4,
    "max_features": 8,
    "downsamplings": 2,
    "blocks": 1,
    "spade_features": 4,
    "discriminator": {"scales": 1, "layers": 3, "base_features": 4},
    "adversarial_weight": 1,
    "feature_matching_weight": 10,
}


# --- augmentation


def patch():
    """As nnU-Net's loader leaves it: MR channels 1 and 10 with dark voxels -2 and 4, CT 3, zeros outside."""
    image = torch.ones(3, SIZE, SIZE, SIZE)
    image[1], image[2], image[0, 5, 5, 5], image[1, 6, 6, 6] = 10, 3, -2, 4
    segmentation = torch.ones(2, SIZE, SIZE, SIZE, dtype=torch.int16)
    image[:, :3], segmentation[:, :3] = 0, -1
    return {"image": image, "segmentation": segmentation}


def test_padding_is_as_dark_as_the_darkest_voxel_of_each_channel():
    image = augmentation.FillPadding()(**patch())["image"]
    assert (image[0, :3] == -2).all() and (image[1, :3] == 4).all() and (image[2, :3] == 0).all()
    assert (image[2, 3:] == 3).all()


def test_turned_patches_keep_the_range_of_each_channel_and_the_ct():
    np.random.seed(0)
    turn = augmentation.SpatialOfKnown(augmentation.spatial_transforms((SIZE,) * 3, (-0.5, 0.5), False))
    for _ in range(20):
        found = turn(**augmentation.FillPadding()(**patch()))
        image, valid = found["image"], found["segmentation"][0] >= 0
        assert image.shape == (3, SIZE, SIZE, SIZE)
        assert image[0].min() >= -2.001 and image[0].max() <= 1.001
        assert image[1].min() >= 3.999 and image[1].max() <= 10.001
        assert torch.allclose(image[2][valid], torch.tensor(3.0), atol=0.02)


def test_intensities_change_in_every_channel_of_the_mr_and_never_in_the_ct():
    np.random.seed(1)
    torch.manual_seed(1)
    transform, changed = augmentation.MRIntensityTransform(), [0, 0]
    for _ in range(20):
        before = patch()["image"]
        after = transform(image=before.clone())["image"]
        assert torch.equal(after[2], before[2])
        changed = [count + (not torch.equal(a, b)) for count, a, b in zip(changed, after, before, strict=False)]
    assert min(changed) > 3


def test_the_trainer_takes_the_last_image_for_the_ct():
    trainer = SimpleNamespace(bounded=False, outside=-5.0, device=torch.device("cuda"))
    data = torch.arange(3.0).reshape(1, 3, 1, 1, 1).expand(1, 3, 2, 2, 2)
    target = torch.ones(1, 1, 2, 2, 2)
    target[..., 0] = -1
    mr, ct, valid = translation.nnUNetTrainerTranslation._unpack(trainer, {"data": data, "target": target})
    assert mr.shape == (1, 2, 2, 2, 2) and mr[0, :, 0, 0, 0].tolist() == [0, 1]
    assert ct[valid].unique().tolist() == [2] and ct[~valid].unique().tolist() == [-5]


# --- a training


@pytest.fixture(scope="module")
def cases(prepared_cases, tmp_path_factory):
    """The synthetic cases with a second channel: the first one, dark where that is bright."""
    root = tmp_path_factory.mktemp("channels")
    for case, folder in prepared_cases.items():
        out = root / case / "prepared"
        shutil.copytree(folder, out)
        mr = io.read(out / "mr.nii.gz")
        io.write(mr.with_array(500 - mr.array), out / "mr_0001.nii.gz")
        write_json(out / "case.json", {"case": case, "mr_channels": ["t1", "t2"]})
    return {case: root / case / "prepared" for case in prepared_cases}


@pytest.fixture(scope="module")
def training_set(cases, tmp_path_factory):
    root = tmp_path_factory.mktemp("training")
    options = {
        "mr_scheme": "zscore",
        "mr_clip_percentiles": [0, 100],
        "ct_scheme": "range",
        "ct_clip_hu": [-1024, 2000],
    }
    statistics = normalization.fit([cases[case] for case in SPLITS["train"]], options)
    write_json(root / "normalization.json", statistics)
    build(cases, SPLITS, statistics, SPADE, GRID.spacing_mm, root / "set", seed=1)
    return root / "set", root / "normalization.json"


def test_the_training_set_holds_the_channels_and_then_the_ct(training_set, cases):
    dataset = training_set[0] / DATASET
    assert read_json(dataset / "dataset.json")["channel_names"] == {"0": "MR t1", "1": "MR t2"}
    raw = sorted(path.name for path in (training_set[0] / "raw" / DATASET / "imagesTr").iterdir())
    assert raw[:2] == ["p1_0000.nii.gz", "p1_0001.nii.gz"]
    environment.use_nnunet(preprocessed=training_set[0])
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    data = np.asarray(nnUNetDatasetBlosc2(str(dataset / "nnUNetPlans_3d_fullres")).load_case("p2")[0])
    mr, ct = (io.read(cases["p2"] / f"{name}.nii.gz").array for name in ("mr", "ct"))
    z = (mr - mr.mean()) / mr.std()
    assert data.shape == (3, *GRID.shape)
    assert np.allclose(data[0], z, atol=1e-4) and np.allclose(data[1], -z, atol=1e-4)
    assert np.allclose(data[2], (np.clip(ct, -1024, 2000) - 488) / 1512, atol=1e-5)


def test_cases_with_other_channels_are_no_training_set(cases, training_set, tmp_path):
    other = shutil.copytree(cases["p4"], tmp_path / "p4" / "prepared")
    write_json(other / "case.json", {"case": "p4", "mr_channels": ["t2", "t1"]})
    statistics = read_json(training_set[1])
    with pytest.raises(DataError, match="case p4: other channels of the MR than case p1\n  found: t2, t1"):
        build({**cases, "p4": other}, SPLITS, statistics, SPADE, GRID.spacing_mm, tmp_path / "set", seed=1)


@pytest.fixture(scope="module")
def model(training_set, cases, tmp_path_factory):
    """SPADE, two iterations."""
    folder = tmp_path_factory.mktemp("spade")
    options = training_options(
        **{**GENERATORS["spade"].training, "iterations": 2, "iterations_per_epoch": 1, "augmentation": "full"}
    )
    variant = {"generator": "spade", "loss": ABOUT["loss"], "training": options}
    runtime = Runtime("cpu", "float32", threads=1, seed=1)
    train_variant("thorax/l1", *training_set, variant, {}, None, folder / "work", folder / "model", runtime)
    train = {case: cases[case] for case in SPLITS["train"]}
    seen = mr_range.fit(train, train, read_json(training_set[1])["mr"])
    write_card(folder / "model", {**ABOUT, "mr_channels": ["t1", "t2"]}, seen, None)
    return folder / "model"


@pytest.mark.slow
def test_both_networks_have_an_input_for_each_channel(model):
    content = checkpoints.load(model / "fold_0" / "checkpoint_final.pth")
    inputs = {key: value.shape[1] for key, value in content["network_weights"].items() if value.ndim == 5}
    assert inputs["stem.convolution.weight"] == 2
    assert {size for key, size in inputs.items() if key.endswith("shared.weight")} == {2}
    (judge,) = [
        value
        for key, value in content["afpbench"]["extra"]["discriminator"].items()
        if "initial_conv.conv.weight" in key
    ]
    assert judge.shape[1] == 3  # and the CT


@pytest.mark.slow
def test_predict_is_what_the_workflow_makes_and_the_order_matters(model, cases, tmp_path):
    paths = list(channels.files(cases["p4"]).values())
    resample_case(cases["p4"], tmp_path / "prepared", GRID.spacing_mm)
    generator = Generator(model, {"overlap": 0.5, "fusion": "median"}, Runtime("cpu", "float32", 1))
    one = Ensemble([(generator, None)])
    synthesize_case(one, tmp_path / "prepared", tmp_path / "made" / "ct.nii.gz", "p")
    expected = on_grid(io.read(tmp_path / "made" / "ct.nii.gz"), io.read(paths[0]).geometry)
    with models.opened([model]) as found:
        predictor = Predictor(found, "cpu")
        assert np.array_equal(predictor(paths, "p").ct.array, expected.array)
        values = channels.stacked(channels.read(tmp_path / "prepared", "p"))
        assert not np.array_equal(generator(values), generator(values[::-1]))
    turned = Ensemble([(generator, None)], mirror=["x"])
    by_hand = (generator(values) + generator(values[..., ::-1].copy())[..., ::-1]) / 2
    assert np.allclose(turned(values).hu, by_hand, atol=1e-3)


@pytest.mark.slow
def test_the_command_takes_the_files_of_each_channel_in_order(model, cases, tmp_path, capsys):
    mr = list(channels.files(cases["p4"]).values())
    once = ["predict", "--model", str(model), "--out", str(tmp_path / "out" / "p.nii.gz"), "--device", "cpu"]
    assert main([*once, "--threads", "1", "--mr", str(mr[0]), "--mr", str(mr[1])]) == 0
    assert io.read(tmp_path / "out" / "p.nii.gz").geometry.matches(GRID)
    assert main([*once, "--mr", str(mr[0])]) == 1
    said = capsys.readouterr().err
    assert "--mr: thorax/l1 takes an MR of 2 channels\n  found: --mr given once" in said
    assert "expected: --mr for each channel, in this order: t1, t2" in said


def test_a_network_of_one_image_takes_no_second_mr(tmp_path):
    plain = models.Model(tmp_path, {"name": "thorax/l1"})
    models.check_channels(plain, 1)
    with pytest.raises(ConfigError, match="takes MRs of one image each\n  found: --mr given 2 times"):
        models.check_channels(plain, 2)
