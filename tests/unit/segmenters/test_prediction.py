import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import GRID
from fresh_process import printed
from nnunet_folder import make_folder

from afpbench.base.atomic import read_json
from afpbench.base.errors import DataError, ModelError
from afpbench.data import failures
from afpbench.features.checkpoints import read_checkpoint
from afpbench.inference.chunks import run_chunk
from afpbench.segmenters import prediction
from afpbench.segmenters.chunk import Segmentation
from afpbench.segmenters.prediction import _home_without_statistics
from afpbench.study.kinds.registry import SEGMENTERS
from afpbench.study.kinds.segmenters.totalsegmentator import totalsegmentator_classes
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

FASTEST = {"kind": "totalsegmentator", "task": "fastest"}
OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def ct_volume(seed=0):
    array = np.random.default_rng(seed).normal(0, 300, (18, 20, 22)).astype(np.float32)
    return Volume(array, Geometry(array.shape, (3.0, 3.0, 3.0), (5.0, -7.5, 100.0), OBLIQUE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("model"), classes=4)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(ModelError, match="is not an nnU-Net v2 model folder") as error:
        SEGMENTERS.make({"kind": "nnunet", "folds": [0], "tile_step": 0.5}).open(tmp_path, "cpu", 1)
    assert "found: no plans.json, dataset.json, fold_*/checkpoint_final.pth" in str(error.value)
    assert "hint: give the folder named Trainer__Plans__configuration" in str(error.value)


def test_a_folder_without_weights(tmp_path):
    for name in ("plans.json", "dataset.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match=r"found: no fold_\*/checkpoint_final.pth"):
        SEGMENTERS.make({"kind": "trained"}).open(tmp_path, "cpu", 1)


def test_totalsegmentator_without_weights_does_not_go_to_the_network(tmp_path):
    with pytest.raises(ModelError, match="Dataset298_TotalSegmentator_total_6mm_1559subj.*is not an nnU-Net"):
        SEGMENTERS.make(FASTEST).open(tmp_path, "cpu", 1)


def test_a_checkpoint_with_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    model = make_folder(tmp_path)
    torch.save({"network_weights": Trap()}, model / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(ModelError):
        SEGMENTERS.make({"kind": "nnunet", "folds": [0], "tile_step": 0.5}).open(model, "cpu", 1)
    assert not (tmp_path / "trapped").exists()


def test_an_nnunet_folder_segments_on_the_cts_own_grid(folder):
    segment = SEGMENTERS.make({"kind": "nnunet", "folds": [0], "tile_step": 0.5}).open(folder, "cpu", 1)
    ct = ct_volume()
    labels = segment(ct)
    assert labels.shape == ct.array.shape and labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {0, 1, 2, 3} and labels.any()
    assert np.array_equal(segment(ct), labels)


@pytest.mark.parametrize(("tile_step", "tiles"), [(0.5, 3), (1, 2)])
def test_tiles_lie_as_far_apart_as_the_study_says(tmp_path, monkeypatch, tile_step, tiles):
    """16 voxels a tile on 32 of one axis: starts 0, 8, 16 at half a tile; 0, 16 at a whole one."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    model, seen = make_folder(tmp_path), []
    patch = json.loads((model / "plans.json").read_text())["configurations"]["3d_fullres"]["patch_size"]
    real = nnUNetPredictor._internal_maybe_mirror_and_predict
    monkeypatch.setattr(
        nnUNetPredictor, "_internal_maybe_mirror_and_predict", lambda self, x: [seen.append(1), real(self, x)][1]
    )
    shape = (2 * patch[0], *patch[1:])
    ct = Volume(np.zeros(shape, np.float32), Geometry(shape, (3.0, 3.0, 3.0), (0.0, 0.0, 0.0)))
    SEGMENTERS.make({"kind": "nnunet", "folds": [0], "tile_step": tile_step}).open(model, "cpu", 1)(ct)
    assert len(seen) == tiles


def test_a_folder_that_nnunet_itself_cannot_use(tmp_path):
    folder = make_folder(tmp_path)
    plans = json.loads((folder / "plans.json").read_text())
    del plans["foreground_intensity_properties_per_channel"]
    (folder / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(ModelError, match="plans.json: CTNormalization without the foreground's intensities"):
        SEGMENTERS.make({"kind": "nnunet", "folds": [0], "tile_step": 0.5}).open(folder, "cpu", 1)
    content = read_checkpoint(folder / "fold_0" / "checkpoint_final.pth")
    content["network_weights"] = {f"_orig_mod.{name}": value for name, value in content["network_weights"].items()}
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(ModelError, match="a checkpoint of a network in torch.compile: .*checkpoint_final.pth"):
        SEGMENTERS.make({"kind": "nnunet", "folds": [0], "tile_step": 0.5}).open(folder, "cpu", 1)


def test_a_segmenter_with_more_labels_than_a_byte_holds():
    """Label 300 would become 44."""
    ct = ct_volume()
    with pytest.raises(ModelError, match="the segmenter's labels\n  found: a label of 300"):
        prediction._on_grid(ct.with_array(np.full(ct.array.shape, 300, np.uint16)), ct.geometry)


def write_case(root, case, ct):
    prepared = root / "cases" / case / "prepared"
    io.write(ct.with_array(io.save_hu(ct.array)), prepared / "ct.nii.gz")
    return prepared


def test_a_synthetic_ct_that_is_the_real_one_takes_its_segmentation_over(tmp_path, monkeypatch):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "stop")
    cases = {case: write_case(tmp_path, case, ct_volume(seed)) for seed, case in enumerate(("p1", "p2"))}
    opened, seen = [], []

    def load():
        opened.append(1)

        def segment(ct):
            seen.append(ct)
            return (ct.array > 0).astype(np.uint8)

        return segment

    real, synthetic = tmp_path / "seg" / "ct", tmp_path / "synthetic" / "row"
    run_chunk(cases, real / "records" / "0.json", Segmentation(load, None, None))
    ct = io.read(cases["p1"] / "ct.nii.gz")
    io.write(ct, synthetic / "p1.nii.gz")
    io.write(ct_volume(9), synthetic / "p2.nii.gz")
    run_chunk(cases, tmp_path / "seg" / "row" / "records" / "0.json", Segmentation(load, synthetic, real))
    assert (len(opened), len(seen)) == (2, 3)  # once a chunk; twice on the real CT, once on the synthetic
    entries = read_json(tmp_path / "seg" / "row" / "records" / "0.json")["cases"]
    assert entries[0] == {"case": "p1", "status": "ok", "taken_over": True}
    assert entries[1]["foreground_voxels"] == int((ct_volume(9).array > 0).sum())
    first, second = (io.read(tmp_path / "seg" / row / "p1.nii.gz") for row in ("ct", "row"))
    assert np.array_equal(first.array, second.array) and first.geometry == second.geometry == ct.geometry


def test_a_label_map_with_a_value_of_no_class_is_refused(tmp_path):
    prepared = write_case(tmp_path, "p1", ct_volume())
    labels = np.zeros(ct_volume().array.shape, np.uint8)
    labels[0, 0, :3] = [1, 7, 2]
    out = tmp_path / "out.nii.gz"
    with pytest.raises(ModelError) as error:
        Segmentation(lambda: lambda ct: labels, None, None, {"bone": 2, "fat": 1})("p1", prepared, out)
    assert "case p1: the segmenter's label map has values that none of its classes has" in str(error.value)
    assert "found: 7\n" in str(error.value) and "expected: 1 (fat), 2 (bone)" in str(error.value)
    assert not out.exists()
    for classes in ({"bone": 2, "fat": 1, "lung": 7}, {}, None):
        assert Segmentation(lambda: lambda ct: labels, None, None, classes)("p1", prepared, out)["status"] == "ok"


def unopened():
    raise AssertionError("no network is needed here")


def test_a_chunk_of_real_cts_alone_opens_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "stop")
    prepared = write_case(tmp_path, "p1", ct_volume())
    ct = io.read(prepared / "ct.nii.gz")
    io.write(ct, tmp_path / "synthetic" / "p1.nii.gz")
    io.write(ct.with_array(np.ones(ct.array.shape, np.uint8)), tmp_path / "real" / "p1.nii.gz")
    record = tmp_path / "seg" / "records" / "0.json"
    run_chunk({"p1": prepared}, record, Segmentation(unopened, tmp_path / "synthetic", tmp_path / "real"))
    assert io.read(tmp_path / "seg" / "p1.nii.gz").array.all()


def test_a_synthetic_ct_on_another_grid_names_its_case(tmp_path):
    prepared = write_case(tmp_path, "p1", ct_volume())
    other = Geometry(ct_volume().array.shape, (3.0, 3.0, 3.1))
    io.write(Volume(ct_volume().array, other), tmp_path / "synthetic" / "p1.nii.gz")
    with pytest.raises(DataError, match="case p1: the synthetic CT lies on another grid than the case"):
        Segmentation(unopened, tmp_path / "synthetic", tmp_path)("p1", prepared, tmp_path / "out.nii.gz")


def test_a_synthetic_ct_that_was_not_made_is_a_failed_case(tmp_path, monkeypatch):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "exclude")
    prepared = write_case(tmp_path, "p1", ct_volume())
    record = tmp_path / "seg" / "row" / "records" / "0.json"
    run_chunk({"p1": prepared}, record, Segmentation(unopened, tmp_path / "synthetic", tmp_path))
    assert "failed: case p1: synthetic CT: no such file" in read_json(record)["cases"][0]["status"]
    assert failures.policy() == "exclude"


def test_totalsegmentators_home_is_put_back(tmp_path, monkeypatch):
    monkeypatch.setenv("TOTALSEG_HOME_DIR", "/before")
    monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH", raising=False)
    with pytest.raises(RuntimeError), _home_without_statistics(tmp_path / "weights", tmp_path):
        assert os.environ["TOTALSEG_WEIGHTS_PATH"] == str(tmp_path / "weights")
        config = read_json(os.path.join(os.environ["TOTALSEG_HOME_DIR"], "config.json"))
        assert config["send_usage_stats"] is False
        raise RuntimeError("in between")
    assert os.environ["TOTALSEG_HOME_DIR"] == "/before"
    assert "TOTALSEG_WEIGHTS_PATH" not in os.environ


# --- the real TotalSegmentator package on stand-in weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A TotalSegmentator weights folder with random weights for two of its classes."""
    from afpbench.segmenters.stand_in import write_weights

    root = tmp_path_factory.mktemp("weights")
    model = make_folder(root, classes=3, spacing_mm=GRID.spacing_mm)
    path = model / "fold_0" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)  # written by make_folder
    content["logging"] = content["_best_ema"] = None
    torch.save(content, path)
    for name in ("cost.json", "curves.csv"):
        (model / name).write_text("{}")
    classes = totalsegmentator_classes()
    ids = {name: value for value, name in classes.items()}
    names = {"structure_1": ids["heart"], "structure_2": ids["sacrum"]}
    write_weights(model, names, classes, "fastest", root / "totalseg")
    return root / "totalseg"


@pytest.fixture(scope="module")
def organs(tmp_path_factory):
    """A CT of 6 mm with structure in it."""
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in (20, 24, 26)], indexing="ij")
    hu = np.where(y**2 + x**2 < 0.7, 40.0, -1000.0) + 500 * (z**2 + (y - 0.2) ** 2 + x**2 < 0.1)
    return Volume(hu + np.random.default_rng(3).normal(0, 20, hu.shape), Geometry(hu.shape, (6.0, 6.0, 6.0)))


@pytest.mark.slow
def test_totalsegmentator_runs_stand_in_weights(weights, organs):
    segment = SEGMENTERS.make(FASTEST).open(weights, "cpu", 1)
    labels = segment(organs)
    assert labels.shape == organs.array.shape and labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {0, 51, 25} and labels.any()
    assert np.array_equal(segment(organs), labels)


UNPATCHED = """
import sys
if __name__ == "__main__":
    from afpbench.nnunet.environment import use_nnunet
    use_nnunet()
    from totalsegmentator.python_api import totalsegmentator
    totalsegmentator(sys.argv[1], sys.argv[2], ml=True, fastest=True, device="cpu", nr_thr_resamp=1, nr_thr_saving=1)
"""


@pytest.mark.slow
def test_prediction_in_this_process_equals_the_packages_own(weights, organs, tmp_path, monkeypatch):
    """What `_in_this_process` replaces is nnU-Net's worker processes and, on a CPU, float32 logits by half precision
    ones: with float32 the labels are the package's own, with half precision only near ties may differ."""
    import json
    from pathlib import Path

    segment = SEGMENTERS.make(FASTEST).open(weights, "cpu", 1)
    half = segment(organs)
    monkeypatch.setattr(prediction, "_half", lambda logits: logits)
    labels = segment(organs)
    io.write(organs.with_array(io.save_hu(organs.array)), tmp_path / "ct.nii.gz")
    home = tmp_path / "home"
    home.mkdir()
    config = {"totalseg_id": "test", "send_usage_stats": False, "prediction_counter": 0}
    (home / "config.json").write_text(json.dumps(config))
    (tmp_path / "unpatched.py").write_text(UNPATCHED)
    environment = {
        **os.environ,
        "TOTALSEG_HOME_DIR": str(home),
        "TOTALSEG_WEIGHTS_PATH": str(weights),
        "PYTHONPATH": str(Path(__file__).parents[3] / "src"),
    }
    result = subprocess.run(
        [sys.executable, "unpatched.py", "ct.nii.gz", "own.nii.gz"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    own = io.read(tmp_path / "own.nii.gz").array
    assert own.any() and np.array_equal(own, labels)
    assert np.mean(own != half) < 1e-3


def test_a_segmentation_imports_nothing_for_plots_tables_or_compilers():
    code = (
        "import sys\n"
        "from afpbench.nnunet import environment\n"
        "from afpbench.segmenters import prediction\n"
        "environment.use_nnunet()\n"
        "prediction._import(*prediction.PREDICTOR, 'totalsegmentator.nnunet', 'totalsegmentator.python_api')\n"
        "print(*sorted({'torch._dynamo', 'seaborn', 'matplotlib', 'pandas', 'sklearn', 'timm'} & {*sys.modules}))\n"
        "import torch\n"
        "import nnunetv2.training.nnUNetTrainer.nnUNetTrainer as trainer\n"
        "print(isinstance(torch.compile(torch.nn.ReLU()), trainer.OptimizedModule))\n"
        "print(type(trainer.MetaLogger('', resume=False)).__module__)\n"
    )
    assert printed(code).splitlines() == ["", "True", "nnunetv2.training.logging.nnunet_logger"]
