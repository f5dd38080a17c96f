import numpy as np
import pytest

from afpbench.base.errors import ConfigError
from afpbench.registration.edges import edge_strength, gradient_magnitude
from afpbench.registration.parameters import (
    images_needed,
    parameter_map,
    parameter_maps,
    read_parameter_file,
    stiffer,
    stiffness,
)
from afpbench.registration.quality import edge_overlap, topology
from afpbench.study.registration import checked_options
from afpbench.volumes.io import Geometry, Volume

SPACING_MM = (3.0, 2.0, 1.0)
USERS = """// A user's file
(Registration "MultiMetricMultiResolutionRegistration")
(Transform "BSplineTransform") // a comment
(Metric "AdvancedMattesMutualInformation" "TransformBendingEnergyPenalty")
(Metric1Weight 0.5)
(FinalGridSpacingInPhysicalUnits 20 20 30.0)
(WriteResultImage "true")
"""


def test_the_default_maps():
    (first, translation), (second, spline) = parameter_maps(checked_options({}), SPACING_MM)
    assert (first, second) == ("translation", "bspline")
    assert translation["Transform"] == ["TranslationTransform"]
    assert translation["Metric"] == ["AdvancedMattesMutualInformation"] and images_needed(translation) == 1
    assert translation["MaximumStepLength"] == ["2.0"] and translation["RandomSeed"] == ["2026"]
    assert spline["Metric"] == ["AdvancedMattesMutualInformation", "TransformBendingEnergyPenalty"]
    assert (spline["Metric0Weight"], spline["Metric1Weight"]) == (["1.0"], ["1000.0"])
    assert spline["ImageSampler1NumberOfSpatialSamples"] == ["128"] and images_needed(spline) == 1
    assert spline["GridSpacingSchedule"] == ["4", "2", "1"]
    assert spline["ImagePyramidSchedule"] == ["4", "4", "4", "2", "2", "2", "1", "1", "1"]


def test_the_settings_of_synthrad2025s_organisers():
    """configs/param_def_mr_AB.txt of SynthRAD2025/preprocessing, value by value."""
    ((name, spline),) = parameter_maps(checked_options({"method": "synthrad2025"}), SPACING_MM)
    assert name == "bspline" and spline["Transform"] == ["RecursiveBSplineTransform"]
    assert spline["Metric"] == ["AdvancedMattesMutualInformation", "TransformBendingEnergyPenalty"]
    assert (spline["Metric0Weight"], spline["Metric1Weight"]) == (["1.0"], ["50.0"])
    assert spline["FinalGridSpacingInPhysicalUnits"] == ["15.0"] and spline["GridSpacingSchedule"] == ["4", "2", "1"]
    assert spline["NumberOfResolutions"] == ["3"] and spline["MaximumNumberOfIterations"] == ["2000", "2000", "1000"]
    assert spline["ImagePyramidSchedule"] == ["8", "8", "8", "4", "4", "4", "1", "1", "1"]
    assert spline["NumberOfHistogramBins"] == ["60"] and spline["NumberOfSpatialSamples"] == ["4096"]
    stiff = parameter_maps(stiffer(checked_options({"method": "synthrad2025"}), 1), SPACING_MM)
    assert stiffness(stiff) == {"bspline_spacing_mm": 22.5, "bending_energy_weight": 1000}


def test_edges_are_a_metric_of_the_bspline_alone():
    maps = [values for _, values in parameter_maps(checked_options({"edge_weight": 2}), SPACING_MM)]
    assert [images_needed(values) for values in maps] == [3, 3]
    assert maps[0]["Registration"] == ["MultiResolutionRegistration"] and "Metric0Weight" not in maps[0]
    assert maps[1]["Metric"][1] == "AdvancedNormalizedCorrelation"
    assert [maps[1][f"Metric{n}Weight"] for n in range(3)] == [["1.0"], ["2.0"], ["1000.0"]]
    assert maps[1]["ImageSampler2NumberOfSpatialSamples"] == ["128"]
    assert "ImageSampler1NumberOfSpatialSamples" not in maps[1]
    alone = parameter_map("bspline", checked_options({"edge_weight": 1, "bending_energy_weight": 0}), SPACING_MM)
    assert images_needed(alone) == 2 and alone["Metric"][1:] == ["AdvancedNormalizedCorrelation"]


def test_a_stiffer_attempt_by_its_factors():
    options = checked_options({"folding": {"spacing_factor": 2, "bending_factor": 3}, "bspline_spacing_mm": 10})
    once, twice = (parameter_maps(stiffer(options, times), SPACING_MM) for times in (1, 2))
    assert stiffness(once) == {"bspline_spacing_mm": 20, "bending_energy_weight": 3000}
    assert stiffness(twice) == {"bspline_spacing_mm": 40, "bending_energy_weight": 9000}
    loose = parameter_maps(stiffer({**options, "bending_energy_weight": 0}, 1), SPACING_MM)
    assert stiffness(loose) == {"bspline_spacing_mm": 20, "bending_energy_weight": 1000}
    assert stiffness(parameter_maps(checked_options({"stages": ["affine"]}), SPACING_MM)) == {}


def test_a_users_parameter_file(tmp_path):
    (tmp_path / "mine.txt").write_text(USERS)
    options = checked_options({"parameter_files": [str(tmp_path / "mine.txt")]})
    ((name, values),) = parameter_maps(options, SPACING_MM)
    assert name == "mine" and values["Transform"] == ["BSplineTransform"]
    assert values["WriteResultImage"] == ["false"] and values["RandomSeed"] == ["2026"]
    ((_, stiff),) = parameter_maps(stiffer(options, 1), SPACING_MM)
    assert stiff["FinalGridSpacingInPhysicalUnits"] == ["30.0", "30.0", "45.0"] and stiff["Metric1Weight"] == ["5.0"]
    assert read_parameter_file(tmp_path / "mine.txt")["FinalGridSpacingInPhysicalUnits"] == ["20", "20", "30.0"]


def test_a_file_that_is_no_parameter_file(tmp_path):
    (tmp_path / "mine.txt").write_text('(Transform "EulerTransform")\n')
    options = checked_options({"parameter_files": [str(tmp_path / "mine.txt")]})
    with pytest.raises(ConfigError) as error:
        parameter_maps(options, SPACING_MM)
    assert f"registration.parameter_files: {tmp_path}/mine.txt\n  found: no line (Metric ...)" in str(error.value)
    assert "not a TransformParameters file" in str(error.value)


def test_the_gradient_of_a_ramp_is_its_slope():
    grid = Geometry((6, 7, 8), SPACING_MM)
    ramp = Volume(np.broadcast_to(6.0 * np.arange(6)[:, None, None], grid.shape), grid)  # 6 in 3 mm
    np.testing.assert_allclose(gradient_magnitude(ramp, 1e-3), 2, rtol=1e-5)


def test_edge_strength_is_blind_to_the_contrast():
    grid = Geometry((12, 12, 12), (1.0, 1.0, 1.0))
    array = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    first = edge_strength(Volume(array, grid), 1.0)
    second = edge_strength(Volume(-40 * array + 7, grid), 1.0)
    np.testing.assert_allclose(first.array, second.array, atol=1e-4)
    assert first.array.min() >= 0 and first.array.max() < 1
    assert np.median(first.array) == pytest.approx(np.sqrt(0.5), abs=1e-3)  # where g equals its median


def test_edges_overlap_where_the_images_agree():
    grid = Geometry((20, 20, 20), (2.0, 2.0, 2.0))
    inside = np.zeros(grid.shape, bool)
    inside[6:14, 6:14, 6:14] = True
    mr = Volume(np.where(inside, 10.0, 90.0), grid)
    ct = Volume(np.where(inside, 40.0, -100.0), grid)
    everywhere = np.ones(grid.shape, bool)
    assert edge_overlap(mr, ct, everywhere) > 0.95
    assert edge_overlap(mr, ct.with_array(np.roll(ct.array, 4, axis=1)), everywhere) < 0.7
    assert edge_overlap(mr, ct, np.zeros(grid.shape, bool)) is None


def test_the_topology_of_a_stretch():
    """x grows by a half: the volume too, everywhere."""
    grid = Geometry((4, 5, 6), (1.0, 1.0, 2.0))
    field = np.zeros((*grid.shape, 3), np.float32)
    field[..., 0] = 0.5 * 2.0 * np.arange(6)
    found = topology(field, grid, np.ones(grid.shape, bool))
    for name in ("min", "p1", "median", "p99", "max"):
        assert found[f"jacobian_{name}"] == pytest.approx(1.5, abs=1e-5)
    assert found["folded_share"] == 0 and found["displacement_max_mm"] == pytest.approx(5)
