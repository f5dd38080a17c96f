import math

import numpy as np
import pytest
import surface_distance
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.base.errors import DataError
from afpbench.metrics.surface import bounding_box, structure_metrics


def cube(shape, corner, size):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = True
    return mask


def test_a_cube_against_itself():
    mask = cube((10, 10, 10), (3, 3, 3), (4, 4, 4))
    assert structure_metrics(mask, mask, (2, 1, 1), 0) == {
        "dice": 1, "nsd": 1, "hd95": 0, "assd": 0, "asd_real_to_synthetic": 0, "asd_synthetic_to_real": 0,
        "status": "ok",
    }  # fmt: skip


def test_a_cube_shifted_by_one_voxel():
    real, synthetic = cube((10, 10, 10), (3, 3, 3), (4, 4, 4)), cube((10, 10, 10), (4, 3, 3), (4, 4, 4))
    values = structure_metrics(real, synthetic, (2.5, 1, 1), 2.5)
    assert values["dice"] == 0.75  # 2 * 48 / (64 + 64)
    assert values["nsd"] == 1 and values["hd95"] == 2.5
    assert structure_metrics(real, synthetic, (2.5, 1, 1), 0)["nsd"] < 1


@pytest.mark.parametrize(
    ("axis", "spacing_mm", "near_mm", "far_mm"),
    [(2, (1, 1, 1), 2.0, 3.0), (2, (2, 1, 0.5), 1.0, 1.5), (0, (2, 1, 0.5), 4.0, 6.0)],
)
@pytest.mark.parametrize("first", [0, 4])
def test_two_voxels_by_hand(axis, spacing_mm, near_mm, far_mm, first):
    """Voxels 3 apart: of the 8 corners, 4 lie 2 and 4 lie 3 voxels from the other. The mask may touch the border."""
    start = [first] * 3
    real = cube((8, 8, 8), start, (1, 1, 1))
    start[axis] += 3
    synthetic = cube((8, 8, 8), start, (1, 1, 1))
    values = structure_metrics(real, synthetic, spacing_mm, near_mm)
    assert values["dice"] == 0
    assert values["nsd"] == pytest.approx(0.5, abs=1e-12)
    assert values["hd95"] == pytest.approx(far_mm, abs=1e-12)
    assert values["asd_real_to_synthetic"] == pytest.approx((near_mm + far_mm) / 2, abs=1e-12)
    assert values["asd_synthetic_to_real"] == pytest.approx((near_mm + far_mm) / 2, abs=1e-12)
    assert structure_metrics(real, synthetic, spacing_mm, near_mm - 0.01)["nsd"] == 0
    assert structure_metrics(real, synthetic, spacing_mm, far_mm)["nsd"] == 1


def test_the_two_directions_differ_and_assd_weighs_by_area():
    real, synthetic = cube((20, 20, 20), (2, 2, 2), (2, 2, 2)), cube((20, 20, 20), (2, 2, 2), (12, 12, 12))
    values = structure_metrics(real, synthetic, (1, 1, 1), 1)
    assert values["asd_real_to_synthetic"] < values["asd_synthetic_to_real"]
    mirrored = structure_metrics(synthetic, real, (1, 1, 1), 1)
    assert mirrored["asd_real_to_synthetic"] == values["asd_synthetic_to_real"]
    assert mirrored["assd"] == pytest.approx(values["assd"])
    assert values["asd_real_to_synthetic"] < values["assd"] < values["asd_synthetic_to_real"]
    distances = surface_distance.compute_surface_distances(real, synthetic, (1, 1, 1))
    total = sum(
        (distances[f"distances_{a}_to_{b}"] * distances[f"surfel_areas_{a}"]).sum()
        for a, b in (("gt", "pred"), ("pred", "gt"))
    )
    area = distances["surfel_areas_gt"].sum() + distances["surfel_areas_pred"].sum()
    assert values["assd"] == pytest.approx(total / area, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.tuples(*[st.sampled_from([0.5, 1.0, 3.27])] * 3), st.floats(0, 4))
def test_values_are_surface_distances_own(seed, spacing_mm, tolerance_mm):
    generator = np.random.default_rng(seed)
    real, synthetic = (generator.random((9, 8, 7)) < generator.uniform(0.05, 0.9) for _ in range(2))
    values = structure_metrics(real.astype(np.uint8), synthetic, spacing_mm, tolerance_mm)
    distances = surface_distance.compute_surface_distances(real, synthetic, spacing_mm)
    assert values["dice"] == surface_distance.compute_dice_coefficient(real, synthetic)
    assert values["nsd"] == surface_distance.compute_surface_dice_at_tolerance(distances, tolerance_mm)
    assert values["hd95"] == surface_distance.compute_robust_hausdorff(distances, 95)
    assert (values["asd_real_to_synthetic"], values["asd_synthetic_to_real"]) == pytest.approx(
        surface_distance.compute_average_surface_distance(distances)
    )


def test_empty_masks():
    full, empty = cube((5, 5, 5), (1, 1, 1), (2, 2, 2)), np.zeros((5, 5, 5), bool)
    both = structure_metrics(empty, empty, (1, 1, 1), 1)
    assert both.pop("status") == "both_empty" and all(math.isnan(value) for value in both.values())
    for real, synthetic, status in ((empty, full, "real_empty"), (full, empty, "synthetic_empty")):
        values = structure_metrics(real, synthetic, (1, 1, 1), 1)
        assert values["status"] == status
        assert values["dice"] == 0 and values["nsd"] == 0
        assert all(math.isnan(values[key]) for key in values if "asd" in key or key == "hd95" or key == "assd")


def test_bounding_box():
    assert bounding_box(cube((9, 9, 9), (2, 0, 5), (3, 1, 4))) == (slice(2, 5), slice(0, 1), slice(5, 9))


def test_refusals():
    mask = cube((5, 5, 5), (1, 1, 1), (2, 2, 2))
    with pytest.raises(DataError, match=r"case a, bones: the masks' shapes differ.*\n.*synthetic \(4, 5, 5\)"):
        structure_metrics(mask, mask[1:], (1, 1, 1), 1, "case a, bones")
    with pytest.raises(DataError, match=r"spacing_mm\n.*found: \(1, 0, 1\)"):
        structure_metrics(mask, mask, (1, 0, 1), 1)
    with pytest.raises(DataError, match=r"tolerance_mm\n.*found: -1"):
        structure_metrics(mask, mask, (1, 1, 1), -1)
