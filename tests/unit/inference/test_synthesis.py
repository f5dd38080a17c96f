import gzip

import numpy as np
import pytest
import torch
from conftest import PATCH, training_options, write_prepared

from afpbench.base.errors import DataError
from afpbench.base.hardware import Runtime
from afpbench.inference import fusion
from afpbench.inference.ensemble import Ensemble
from afpbench.inference.synthesis import Generator, synthesize_case
from afpbench.training import checkpoints
from afpbench.training.variant import train_variant
from afpbench.volumes import io, normalization

pytestmark = pytest.mark.slow
RUNTIME = Runtime("cpu", "float32", threads=1, seed=1)


@pytest.fixture(scope="module")
def model(training_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthesis")
    options = training_options(iterations=2, iterations_per_epoch=1, augmentation="none")
    variant = {"generator": "nnunet", "loss": [{"term": "l1", "weight": 1}], "training": options}
    train_variant(
        "thorax/l1", *training_set, variant, {}, None, folder / "work", folder / "model",
        RUNTIME,
    )  # fmt: skip
    return folder / "model"


def generator(model, **options):
    return Generator(model, {"overlap": 0.5, "fusion": "median", **options}, RUNTIME)


def alone(network):
    return Ensemble([(network, None)])


def test_a_synthetic_ct_lies_on_the_grid_of_its_case(model, prepared_cases, tmp_path):
    record = synthesize_case(alone(generator(model)), prepared_cases["p4"], tmp_path / "p4.nii.gz", "p4")
    image, ct = io.read(tmp_path / "p4.nii.gz"), io.read(prepared_cases["p4"] / "ct.nii.gz")
    assert image.array.dtype == np.int16 and image.geometry == ct.geometry
    assert image.array.min() >= -1024 and image.array.max() <= 3071
    starts = fusion.grid(ct.array.shape, PATCH, 0.5)
    assert record["patches"] == np.prod([len(axis) for axis in starts]) == 2 * 2 * 3
    assert record["case"] == "p4" and record["status"] == "ok" and record["fusion"] == "median"
    assert record["shape"] == list(ct.array.shape) and record["seconds"] > 0 and record["device"] == "cpu"


def test_the_affine_is_the_inputs_to_the_last_bit(model, tmp_path):
    """An oblique grid, with spacings that binary fractions cannot hold."""
    turn = np.linalg.qr(np.array([[1, 0.2, 0], [0, 1, 0.3], [0.1, 0, 1]]))[0]
    grid = io.Geometry((17, 18, 19), (3.27, 0.976562, 1.1), (-84.123, -72.3, 10.07), tuple(turn.ravel()))
    prepared = write_prepared(tmp_path / "p9" / "prepared", 9, grid)
    network = generator(model, overlap=[0, 0.5, 0.25])
    record = synthesize_case(alone(network), prepared, tmp_path / "p9.nii.gz", "p9")
    headers = [gzip.decompress(path.read_bytes())[:348] for path in (prepared / "mr.nii.gz", tmp_path / "p9.nii.gz")]
    for part in (slice(40, 56), slice(76, 108), slice(252, 328)):  # dim, pixdim with qfac, qform and sform
        assert headers[0][part] == headers[1][part]
    assert headers[1][70:72] == (4).to_bytes(2, "little")  # int16
    starts = fusion.grid(grid.shape, PATCH, (0, 0.5, 0.25))
    assert io.read(tmp_path / "p9.nii.gz").geometry == io.read(prepared / "mr.nii.gz").geometry
    assert record["overlap"] == [0, 0.5, 0.25] and record["patches"] == np.prod([len(axis) for axis in starts])
    assert record["patch_size"] == PATCH


def test_hu_come_from_the_networks_output_by_hand(model):
    """A volume of one patch: HU = network(z-scored MR) * SD + mean."""
    made = generator(model)
    mr = np.random.default_rng(0).normal(100, 30, PATCH).astype(np.float32)
    with torch.inference_mode():
        output = made.network(torch.from_numpy((mr - mr.mean()) / mr.std())[None, None])[0, 0].numpy()
    expected = output * made.ct_statistics["std_hu"] + made.ct_statistics["mean_hu"]
    assert np.allclose(made(mr), expected, atol=0.05)
    assert made.patches == 1


@pytest.mark.parametrize("axes", [(), ("x",), ("z", "y")])
def test_mirroring_is_flipping_by_hand(model, axes):
    plain = generator(model)
    made = Ensemble([(plain, None)], axes)
    mr = np.random.default_rng(0).normal(100, 30, (18, 20, 17)).astype(np.float32)
    by_hand = {
        (): [plain(mr)],
        ("x",): [plain(mr), plain(mr[:, :, ::-1].copy())[:, :, ::-1]],
        ("z", "y"): [
            plain(mr),
            plain(mr[::-1].copy())[::-1],
            plain(mr[:, ::-1].copy())[:, ::-1],
            plain(mr[::-1, ::-1].copy())[::-1, ::-1],
        ],
    }[axes]
    found = made(mr).hu
    np.testing.assert_allclose(found, np.mean(by_hand, axis=0), atol=1e-3)
    assert made.record()["patches"] == len(by_hand) * plain.patches
    assert np.array_equal(found, plain(mr)) == (axes == ())


def test_the_scale_of_the_mr_does_not_matter(model):
    made = generator(model)
    mr = np.random.default_rng(0).normal(100, 30, (18, 20, 17)).astype(np.float32)
    assert np.allclose(made(mr), made(mr * 1000 + 50), atol=0.5)


def test_a_volume_smaller_than_the_patch(model):
    mr = np.random.default_rng(0).normal(100, 30, (9, 20, 12)).astype(np.float32)
    made = generator(model)
    assert made(mr).shape == (9, 20, 12) and made.patches == 2


@pytest.mark.parametrize("method", ["mean", "gaussian"])
def test_the_other_fusions(model, prepared_cases, method):
    mr = io.read(prepared_cases["p4"] / "mr.nii.gz").array
    median, other = generator(model)(mr), generator(model, fusion=method)(mr)
    assert not np.array_equal(median, other)
    assert np.abs(median - other).mean() < 0.5 * median.std()


def test_values_that_are_not_finite_name_the_case(model, prepared_cases, tmp_path):
    made = generator(model)
    made.ct_statistics = {**made.ct_statistics, "std_hu": float("nan")}
    with pytest.raises(DataError, match="case p4: the synthetic CT has values that are not finite") as error:
        synthesize_case(alone(made), prepared_cases["p4"], tmp_path / "p4.nii.gz", "p4")
    assert "look at curves.csv" in str(error.value) and not (tmp_path / "p4.nii.gz").exists()


def test_the_weights_are_the_trained_ones(model):
    trained = checkpoints.load(model / "fold_0" / "checkpoint_final.pth")["network_weights"]
    loaded = generator(model).network.state_dict()
    assert trained.keys() == loaded.keys()
    assert all(torch.equal(trained[key], loaded[key]) for key in trained)


def test_statistics_travel_with_the_model(model, training_set):
    from afpbench.base.atomic import read_json

    stored = read_json(training_set[1])
    statistics = stored["ct"]
    made = generator(model)
    assert made.ct_statistics == statistics and made.mr_statistics == stored["mr"]
    assert normalization.denormalize_ct(1.0, statistics) == statistics["mean_hu"] + statistics["std_hu"]
