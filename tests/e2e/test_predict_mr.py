"""A finished study's networks on MRs alone, and in nnU-Net's own tools."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import PROJECT

from afpbench.base.hardware import Runtime
from afpbench.commands.main import main
from afpbench.data.dicom import read_series
from afpbench.inference.export import on_grid
from afpbench.inference.synthesis import Generator
from afpbench.nnunet.environment import use_nnunet
from afpbench.volumes import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
ENTRY = """
from afpbench.nnunet.environment import use_nnunet

use_nnunet()  # names our trainers, and lets nnU-Net import beside a CPU build of PyTorch
from nnunetv2.run.run_training import run_training_entry

run_training_entry()  # the command nnUNetv2_train
"""


@pytest.fixture(scope="module")
def task(finished_study):
    return finished_study.task


@pytest.fixture(scope="module")
def model(task):
    return task / "models" / "variants" / "nnunet_l1"


@pytest.fixture(scope="module")
def case(task):
    return json.loads((task / "splits" / "splits.json").read_text())["test"][0]


def test_predict_makes_the_workflows_synthetic_ct_to_the_last_hu(task, model, case, tmp_path):
    """Of an MR on the study's grid."""
    mr = task / "cases" / case / "resampled" / "mr.nii.gz"
    expected = io.read(task / "synthetic" / "nnunet_l1" / f"{case}.nii.gz")
    assert main(["package", str(model), "--out", str(tmp_path / "model.zip")]) == 0
    options = ["--mr", str(mr), "--device", "cpu", "--threads", "1"]
    assert main(["predict", "--model", str(model), *options, "--out", str(tmp_path / "ct.nii.gz")]) == 0
    assert main(["predict", "--model", str(tmp_path / "model.zip"), *options, "--out", str(tmp_path), "--dicom"]) == 0
    for made in (io.read(tmp_path / "ct.nii.gz"), read_series(tmp_path / "mr", "ct", "CT")):
        assert np.array_equal(made.array, expected.array) and made.geometry.matches(expected.geometry)


def test_of_an_mr_on_another_grid_it_makes_what_export_makes(task, model, case, tmp_path):
    """The phantom's MR has thicker slices than the study's grid."""
    mr = task / "cases" / case / "imported" / "mr.nii.gz"
    synthetic = io.read(task / "synthetic" / "nnunet_l1" / f"{case}.nii.gz")
    expected = on_grid(synthetic, io.read(mr).geometry)
    assert expected.array.shape != synthetic.array.shape
    options = ["--mr", str(mr), "--device", "cpu", "--threads", "1", "--out", str(tmp_path / "ct.nii.gz")]
    assert main(["predict", "--model", str(model), *options]) == 0
    assert np.array_equal(io.read(tmp_path / "ct.nii.gz").array, expected.array)


def test_every_variant_has_its_card(task, finished_study):
    for name, label in (("nnunet_l1", "L1"), ("nnunet_afp", "L1 + AFP")):
        text = (task / "models" / "variants" / name / "model_card.json").read_text()
        card = json.loads(text)
        assert (card["name"], card["label"], card["title"]) == (f"thorax/{name}", label, "Thorax (tiny)")
        assert card["spacing_mm"] == [6, 6, 6] and card["mr_range"]["cases"] == 3
        assert "nnU-Net" in card["cite"][0] and card["versions"]["nnunetv2"]
        assert str(finished_study.folder) not in text


def test_the_folder_opens_with_nnunets_own_predictor(model):
    use_nnunet()
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(model), use_folds=(0,))
    generator = Generator(model, {"overlap": 0.5, "fusion": "median"}, Runtime("cpu", "float32", 1))
    patch = torch.randn(1, 1, *generator.patch, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(predictor.network.eval()(patch), generator.network(patch), atol=1e-4)


def test_the_trainer_runs_under_nnunets_own_command(task, model, tmp_path):
    """As docs/how-to/use-a-trained-network.md has it: the training set, and the plans that the model was trained by."""
    shutil.copytree(task / "training_sets" / "nnunet", tmp_path / "preprocessed")
    shutil.copyfile(model / "plans.json", tmp_path / "preprocessed" / "Dataset001_translation" / "l1.json")
    variables = {
        "nnUNet_raw": str(tmp_path),
        "nnUNet_preprocessed": str(tmp_path / "preprocessed"),
        "nnUNet_results": str(tmp_path / "results"),
        "nnUNet_n_proc_DA": "0",
        "PYTHONPATH": str(PROJECT / "src"),
    }
    arguments = ["1", "3d_fullres", "0", "-tr", "nnUNetTrainerTranslation", "-p", "l1", "-device", "cpu"]
    result = subprocess.run(
        [sys.executable, "-c", ENTRY, *arguments], env={**os.environ, **variables}, capture_output=True, text=True,
        timeout=1800,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    made = next((tmp_path / "results").rglob("checkpoint_final.pth"))
    trained = torch.load(made, weights_only=True)["network_weights"]
    ours = torch.load(model / "fold_0" / "checkpoint_final.pth", weights_only=True)["network_weights"]
    assert trained.keys() == ours.keys() and all(torch.isfinite(value).all() for value in trained.values())
