import numpy as np
import pytest
import surface_distance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from afpbench.metrics import surfels
from afpbench.metrics.surface import label_boxes, structure_metrics
from afpbench.metrics.surfels import surface_distances
from afpbench.volumes import io

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:surface_distance")


def blobs(generator, shape, smoothness):
    return gaussian_filter(generator.normal(size=shape), smoothness) > generator.uniform(-0.05, 0.05)


def agree(real, synthetic, spacing_mm):
    """Every distance and area is the package's, in its order."""
    expected = surface_distance.compute_surface_distances(real, synthetic, list(spacing_mm))
    found = surface_distances(real, synthetic, spacing_mm)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key].shape == values.shape
        if key.startswith("distances"):
            assert np.allclose(found[key], values, rtol=0, atol=1e-12)
        else:  # equal distances may be sorted otherwise, where they differ in the last bit
            assert found[key].sum() == pytest.approx(values.sum(), rel=1e-12)
    for percent in (50, 95, 100):
        assert surface_distance.compute_robust_hausdorff(found, percent) == pytest.approx(
            surface_distance.compute_robust_hausdorff(expected, percent), abs=1e-12
        )
    assert surface_distance.compute_average_surface_distance(found) == pytest.approx(
        surface_distance.compute_average_surface_distance(expected), abs=1e-12
    )
    for tolerance_mm in (0.37, 1.03, 2.9):
        assert surface_distance.compute_surface_dice_at_tolerance(found, tolerance_mm) == pytest.approx(
            surface_distance.compute_surface_dice_at_tolerance(expected, tolerance_mm), abs=1e-12
        )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.tuples(*[st.integers(2, 17)] * 3),
    st.tuples(*[st.floats(0.3, 5.0)] * 3),
    st.sampled_from([0, 0.7, 2.0]),
)
def test_random_masks(seed, shape, spacing_mm, smoothness):
    generator = np.random.default_rng(seed)
    real, synthetic = (blobs(generator, shape, smoothness) for _ in range(2))
    real[0, 0, 0] = synthetic[-1, -1, -1] = True
    agree(real, synthetic, spacing_mm)


@pytest.mark.parametrize("voxels_per_search", [0, 10**9], ids=["tree", "transform"])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (3.27, 0.98, 0.98), (0.4, 5.0, 1.3)])
def test_far_masks_whichever_way_they_are_searched(monkeypatch, voxels_per_search, spacing_mm):
    monkeypatch.setattr(surfels, "_VOXELS_PER_SEARCH", voxels_per_search)
    generator = np.random.default_rng(1)
    real, synthetic = np.zeros((2, 31, 26, 40), bool)
    real[:, :9, :9] = blobs(generator, (31, 9, 9), 1)
    synthetic[:, 12:, 20:] = blobs(generator, (31, 14, 20), 1)
    agree(real, synthetic, spacing_mm)
    agree(synthetic, real, spacing_mm)


def test_no_nearer_corner_is_missing_from_the_neighbourhood():
    spacing_mm = (3.0, 0.7, 1.1)
    margins, rings = surfels._neighbourhood(spacing_mm)
    distances = [distance for distance, _ in rings]
    assert distances == sorted(distances) and distances[0] == 0.7
    grid = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(grid * spacing_mm, axis=1)
    assert sum(len(steps) for _, steps in rings) == np.count_nonzero(lengths < distances[-1] + 1e-9) - 1
    assert np.abs(np.concatenate([steps for _, steps in rings])).max(axis=0).tolist() == list(margins)


def test_needle_voxels_need_little_memory():
    assert max(surfels.margins((0.001, 100.0, 100.0))) <= 8
    real, synthetic = np.zeros((2, 20, 4, 4), bool)
    real[2:4], synthetic[15:18] = True, True
    agree(real, synthetic, (0.001, 100.0, 100.0))


def test_boxes_of_labels():
    first, second = np.zeros((2, 6, 7, 8), np.int16)
    first[1, 2, 3], first[4, 5, 6], second[0, 6, 1], second[3, 3, 3] = 1, 2, 1, 40
    boxes = label_boxes([(1,), (1, 2), (40,), (7, 9), (), (2, 7)], [first, second])
    assert boxes[0] == (slice(0, 2), slice(2, 7), slice(1, 4))
    assert boxes[1] == (slice(0, 5), slice(2, 7), slice(1, 7))
    assert boxes[2] == (slice(3, 4), slice(3, 4), slice(3, 4))
    assert boxes[3] == (slice(0, 1),) * 3  # nowhere
    assert boxes[4] == (slice(None),) * 3  # any label
    assert boxes[5] == (slice(4, 5), slice(5, 6), slice(6, 7))
    assert label_boxes([(1,), (40,)], [first.astype(np.float32), second.astype(np.uint8)]) == [boxes[0], boxes[2]]
    assert label_boxes([()], [first]) == [(slice(None),) * 3]


def test_every_class_of_a_real_label_map(real_data):
    volume = io.read(real_data / "totalsegmentator" / "example_seg_fast_force_split.nii.gz")
    real, spacing_mm = volume.array, volume.spacing_mm
    generator = np.random.default_rng(0)
    shifts = (12 * gaussian_filter(generator.normal(size=real.shape), 6) for _ in range(3))
    places = [axis + shift for axis, shift in zip(np.indices(real.shape), shifts, strict=True)]
    synthetic = map_coordinates(real, places, order=0, mode="nearest")
    labels = [int(label) for label in np.unique(real) if label]
    assert len(labels) == 61
    for label, box in zip(labels, label_boxes([[label] for label in labels], [real, synthetic]), strict=True):
        masks = [label_map == label for label_map in (real, synthetic)]
        values = structure_metrics(masks[0][box], masks[1][box], spacing_mm, 3.0)
        if not masks[1].any():
            assert values["status"] == "synthetic_empty"
            continue
        expected = surface_distance.compute_surface_distances(*masks, list(spacing_mm))
        assert values["dice"] == surface_distance.compute_dice_coefficient(*masks)
        assert values["nsd"] == surface_distance.compute_surface_dice_at_tolerance(expected, 3.0)
        assert values["hd95"] == surface_distance.compute_robust_hausdorff(expected, 95)
        averages = surface_distance.compute_average_surface_distance(expected)
        assert (values["asd_real_to_synthetic"], values["asd_synthetic_to_real"]) == averages
