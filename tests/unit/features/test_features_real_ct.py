"""Features of a patch of a real CT through our mapping, against the networks' own preprocessing and forward pass."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunet_folder import make_folder
from test_features_medicalnet import save as save_medicalnet
from test_features_nnunet import VARIANTS, nnunet_features, own_spacing

from afpbench.features import load
from afpbench.volumes import io

MADE_FOR_CT = ("two stages", "anisotropic", "transposed", "residual", "zscore", "reoriented by NiBabel")


@pytest.fixture
def patch(real_data):
    """A patch (z, y, x) from the middle of an abdomen, in HU."""
    path = next((real_data / "totalsegmentator").glob("example_ct.nii.gz"))
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32)
    centre = [n // 2 for n in array.shape]
    found = array[tuple(slice(c - size // 2, c + size // 2) for c, size in zip(centre, (16, 24, 32), strict=True))]
    assert found.std() > 20 and found.shape == (16, 24, 32)
    return np.where(found == 0, 1, found)  # nnU-Net crops what is exactly 0


@pytest.mark.parametrize("name", MADE_FOR_CT)
def test_nnunet(name, patch, tmp_path):
    options = VARIANTS[name]
    folder, spacing_mm = make_folder(tmp_path, **options), own_spacing(options)
    io.write(io.Volume(patch, io.Geometry(patch.shape, spacing_mm)), tmp_path / "ct.nii.gz")
    expected, _ = nnunet_features(folder, tmp_path / "ct.nii.gz")
    found = load({"kind": "nnunet", "folder": folder}, spacing_mm)(torch.from_numpy(patch)[None, None])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-4)


def test_medicalnet(patch, tmp_path):
    """MedicalNet brings each image to mean 0 and SD 1."""
    own = save_medicalnet(tmp_path / "resnet_10.pth")
    with torch.no_grad():
        expected = own(torch.from_numpy((patch - patch.mean()) / patch.std())[None, None])
    network = load({"kind": "medicalnet", "weights": tmp_path / "resnet_10.pth"}, (3, 3, 3))
    for ours, theirs in zip(network(torch.from_numpy(patch)[None, None]), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_torchscript(patch, real_data):
    path = real_data / "networks" / "M730_1_Layers.pt"
    module = torch.jit.load(str(path), map_location="cpu").eval()
    with torch.no_grad():
        expected = module(torch.from_numpy((np.clip(patch, -500, 800) - 20) / 300)[None, None])
    scaling = {"mean_hu": 20, "std_hu": 300, "clip_hu": [-500, 800]}
    (ours,) = load({"kind": "torchscript", "path": path, **scaling}, (3, 3, 3))(torch.from_numpy(patch)[None, None])
    theirs = expected if isinstance(expected, torch.Tensor) else expected[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.workflow
@pytest.mark.slow
def test_a_segmenter_that_a_study_trained(finished_study, tmp_path):
    folder = finished_study.task / "models" / "segmenters" / "navi"
    ct = io.read(sorted(finished_study.task.glob("cases/*/prepared/ct.nii.gz"))[0], "CT")
    middle = ct.array[tuple(slice(n // 2 - 8, n // 2 + 8) for n in ct.array.shape)].astype(np.float32)
    middle[middle == 0] = 1  # nnU-Net crops what is exactly 0
    io.write(io.Volume(middle, io.Geometry(middle.shape, ct.spacing_mm)), tmp_path / "ct.nii.gz")
    expected, _ = nnunet_features(folder, tmp_path / "ct.nii.gz")
    found = load({"kind": "nnunet", "folder": folder}, ct.spacing_mm)(torch.from_numpy(middle)[None, None])
    assert len(found) == len(expected) and all(layer.abs().max() > 0.1 for layer in found)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-4)
