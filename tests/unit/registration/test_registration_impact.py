"""Registration by IMPACT: options, what the package is told, what comes of its field; with the package a true run."""

import importlib.metadata
import json
import shutil

import numpy as np
import pytest
from test_registration import centred, make_case, points_of, true_field

from afpbench.base.atomic import write_json
from afpbench.base.errors import ConfigError, DataError
from afpbench.registration import case as registration
from afpbench.registration import impact
from afpbench.registration.warp import warp
from afpbench.study.registration import checked_options
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume


def options(model="net.pt", **given):
    known = {"layers", "weights", "distance", "voxel_mm", "iterations", "smoothness", "grid_voxels", "device"}
    own = {name: given.pop(name) for name in list(given) if name in known}
    return checked_options({"method": "impact", "impact": {"model": str(model), **own}, **given})


# --- options


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "impact"}, "registration.impact.model: missing; allowed: the file of a TorchScript module"),
        ({"method": "impact", "impact": {"model": "m", "layers": "00"}}, "impact.layers: no output is compared"),
        ({"method": "impact", "impact": {"model": "m", "layers": "1x"}}, "impact.layers: no output is compared"),
        (
            {"method": "impact", "impact": {"model": "m", "layers": "011", "weights": [1]}},
            "impact.weights: one for each 1 in impact.layers; found: 1; allowed: 2",
        ),
        (
            {"method": "impact", "impact": {"model": "m"}, "bending_energy_weight": 3},
            "bending_energy_weight: has no effect with method 'impact'",
        ),
        ({"impact": {"model": "m"}}, "impact.model: has no effect with method 'elastix'; hint: set method to 'impact'"),
        ({"impact": {"models": "m"}}, "registration.impact: unknown option"),
    ],
)
def test_options_that_cannot_be(given, message):
    with pytest.raises(ConfigError) as error:
        checked_options(given)
    assert message in str(error.value)


def test_what_the_package_is_told():
    chosen = options("net.pt", layers="011", voxel_mm=1.5, distance="NCC", iterations=7, grid_voxels=3)["impact"]
    assert impact.model_arguments(chosen) == (
        "net.pt", 3, 1, [0, 0, 0], [1.5, 1.5, 1.5], [0, 0, 0], [False, True, True], False,
    )  # fmt: skip
    assert impact.settings(chosen, 50.0, 9) == {
        "Mode": "Static",
        "Distance": ["NCC", "NCC"],
        "LayersWeight": [1.0, 1.0],
        "SubsetFeatures": [0, 0],
        "PCA": [0, 0],
        "NumberOfIterations": 7,
        "RegularizationWeight": 50.0,
        "GridShrinkFactor": 3,
        "ControlGridSmoothingIterations": 1,
        "Device": "cpu",
        "Seed": 9,
    }
    plain = options("net.pt", layers="11", weights=[0.5, 2])["impact"]
    assert impact.model_arguments(plain)[4] == [0.0, 0.0, 0.0]  # voxels as they are
    assert impact.settings(plain, 5.0, 1)["LayersWeight"] == [0.5, 2.0]


# --- what must be there


def packages(monkeypatch, needs, **versions):
    def requires(name):
        if needs is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return needs

    monkeypatch.setattr(impact.importlib.metadata, "requires", requires)
    monkeypatch.setattr(impact.importlib.metadata, "version", lambda name: versions[name.replace("-", "_")])


def test_without_the_package(monkeypatch):
    packages(monkeypatch, None)
    with pytest.raises(ConfigError, match="needs the package itk-impact\n  found: not installed(?s:.)*pip install"):
        impact.check_package()


def test_beside_another_pytorch_than_it_was_built_for(monkeypatch):
    needs = ["itk==5.4.*", "torch==2.12.*", "sphinx; extra == 'docs'"]
    packages(monkeypatch, needs, itk="5.4.7", torch="2.12.1+cpu", itk_impact="0.1.6")
    impact.check_package()
    packages(monkeypatch, needs, itk="5.4.7", torch="2.13.0+cpu", itk_impact="0.1.6")
    with pytest.raises(ConfigError) as error:
        impact.check_package()
    assert "itk-impact 0.1.6 was built for another torch\n  found: torch 2.13.0+cpu" in str(error.value)
    assert "expected: torch==2.12.*" in str(error.value)


def test_without_the_model(tmp_path):
    with pytest.raises(ConfigError, match="no such file: .*none.pt(?s:.)*VBoussot/impact-torchscript-models"):
        impact.check_model(options(tmp_path / "none.pt")["impact"])


def test_what_is_said_of_an_error():
    error = "/include/x.h:837:\nITK ERROR: IMPACT: net.pt declares 1 layer mask entries but returned 2 layers."
    assert impact._reason(RuntimeError(error)) == "IMPACT: net.pt declares 1 layer mask entries but returned 2 layers."
    torch = "open file failed\nException raised from RAIIFile at /x.cc:24\nframe #0: c10"
    assert impact._reason(RuntimeError(torch)) == "open file failed"


# --- the field


def test_a_field_behind_a_translation_is_their_sum():
    grid = Geometry((3, 4, 5), (3.0, 2.0, 1.0))
    found = np.random.default_rng(1).normal(size=(3, 4, 5, 3)).astype(np.float32)
    before = np.broadcast_to(np.array([4, -5, 6], np.float32), found.shape)
    np.testing.assert_allclose(impact.composed(before, found, grid), found + [4, -5, 6], atol=1e-5)


def test_a_field_behind_an_affine_stage_goes_through_it():
    """x grows by a half, and y takes a fifth of z: T(p + d) - p = d + T(p) - p + (0.5 dx, 0.2 dz, 0)."""
    grid = centred((4, 5, 6), (3.0, 2.0, 1.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
    points = points_of(grid)
    before = np.stack([0.5 * points[..., 0] + 1, 0.2 * points[..., 2] - 2, 0 * points[..., 0]], axis=-1)
    found = np.zeros_like(points)
    found[..., 0], found[..., 2] = 2.0, -10.0
    expected = before + found + [1.0, -2.0, 0.0]
    np.testing.assert_allclose(impact.composed(before.astype(np.float32), found, grid), expected, atol=1e-4)


@pytest.fixture
def small(tmp_path):
    """A case, and a file in the place of a model."""
    (tmp_path / "net.pt").write_bytes(b"a model")
    return make_case(tmp_path / "p1", shape=(12, 16, 16)), tmp_path / "net.pt"


def run(folder, chosen, name="registered"):
    registration.register_case(folder / "imported", folder / "resampled", folder / name, chosen)
    return json.loads((folder / name / "registration.json").read_text())


def test_a_case_is_warped_by_the_field_and_keeps_it(small, monkeypatch):
    folder, model = small
    seen = []

    def refine(mr, ct, masks, chosen, smoothness):
        seen.append((mr, ct, masks, smoothness))
        return np.full((*mr.geometry.shape, 3), 4.0, np.float32), 0.25  # one voxel along each axis

    monkeypatch.setattr(impact, "check_package", lambda: None)
    monkeypatch.setattr(impact, "_refine", refine)
    record = run(folder, options(model, stages=["bspline"]))
    (used,) = record["attempts"]
    assert record["method"] == "impact" and used["final_metrics"] == {"impact": 0.25} and used["smoothness"] == 5.0
    assert used["used"] and used["jacobian_min"] == pytest.approx(1, abs=1e-5) and used["folded_share"] == 0
    field = io.read(folder / "registered" / "displacement.nii.gz")
    assert field.array.shape == (12, 16, 16, 3) and (field.array == 4).all()
    ct, warped = (io.read(folder / name / "ct.nii.gz").array for name in ("imported", "registered"))
    assert np.abs(warped[:-1, :-1, :-1].astype(int) - ct[1:, 1:, 1:]).max() <= 1
    mr, moving, (near, covered), smoothness = seen[0]
    assert np.abs(moving.array - ct).max() <= 1 and smoothness == 5 and covered.all()  # before it, nothing has moved
    assert near.dtype == covered.dtype == np.uint8 and near.any() and mr.geometry.matches(moving.geometry)
    assert not list((folder / "registered").glob("TransformParameters*"))


def test_a_field_that_folds_is_tried_again_smoother(small, monkeypatch):
    folder, model = small
    tried = []

    def refine(mr, ct, masks, chosen, smoothness):
        tried.append(smoothness)
        field = np.zeros((*mr.geometry.shape, 3), np.float32)
        field[5, 8, 8] = 40.0 / len(tried)  # 10 voxels, then 5: both fold, the second less deep
        return field, 1.0 / len(tried)

    monkeypatch.setattr(impact, "check_package", lambda: None)
    monkeypatch.setattr(impact, "_refine", refine)
    record = run(folder, options(model, stages=["bspline"], folding={"attempts": 3, "bending_factor": 4}))
    assert tried == [5.0, 20.0, 80.0] and [one["smoothness"] for one in record["attempts"]] == tried
    (used,) = [one for one in record["attempts"] if one["used"]]
    assert used["folded_share"] == min(one["folded_share"] for one in record["attempts"]) > 0
    assert not list((folder / "registered").glob("attempt_*"))


# --- a true run


def usable():
    try:
        impact.check_package()
    except ConfigError:
        return False
    return True


@pytest.mark.skipif(not usable(), reason="itk-impact and the PyTorch that it was built for are not installed")
def test_a_true_run_finds_the_deformation_of_images_alike(tmp_path):
    """The MR is the CT in its true position, 1100 brighter; the features are smooth intensities less their mean."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mean = torch.nn.AvgPool3d(3, stride=1, padding=1)

        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            return [x, self.mean(x - x.mean()) / 1000]

    torch.jit.script(Net()).save(str(tmp_path / "net.pt"))
    folder = make_case(tmp_path / "p1")
    ct = io.read(folder / "imported" / "ct.nii.gz")
    field = true_field(points_of(ct.geometry))
    alike = warp(ct.with_array(ct.array.astype(np.float32)), ct.geometry, field, "cubic", -1024) + np.float32(1100)
    for name in ("imported", "resampled"):
        io.write(Volume(alike, ct.geometry), folder / name / "mr.nii.gz")
    record = run(folder, options(tmp_path / "net.pt", layers="01"))
    assert record["error_before_mean_mm"] > 6 and record["error_after_mean_mm"] < 1.5
    assert record["error_after_p95_mm"] < record["error_before_p95_mm"] / 2 and record["folded_share"] == 0
    assert list(record["attempts"][0]["final_metrics"]) == ["translation", "impact"]
    assert record["attempts"][0]["final_metrics"]["impact"] < 0.5  # of its value at the beginning
    first = (folder / "registered" / "displacement.nii.gz").read_bytes()
    shutil.rmtree(folder / "registered")
    run(folder, options(tmp_path / "net.pt", layers="01"))
    assert (folder / "registered" / "displacement.nii.gz").read_bytes() == first
    with pytest.raises(DataError, match="case p1: IMPACT failed\n  found: IMPACT: .* declares 1 layer mask entries"):
        run(folder, options(tmp_path / "net.pt"), "wrong")
    write_json(folder / "no_model", {})
    with pytest.raises(DataError, match="case p1: IMPACT failed"):
        run(folder, options(folder / "no_model"), "broken")
