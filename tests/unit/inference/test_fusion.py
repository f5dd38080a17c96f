import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.base.errors import ConfigError
from afpbench.inference import fusion
from afpbench.inference.volume import _pad


def random_patch(start, patch):
    """A patch of random values that depends on where it lies: two patches disagree wherever they overlap."""
    return np.random.default_rng([7, *start]).normal(0, 100, patch).astype(np.float32)


def stacked(shape, patch, overlap):
    """Every patch in a volume of its own, NaN elsewhere, and the weights that nnU-Net would give it."""
    starts = fusion.grid(shape, patch, overlap)
    layers, weights = [], []
    for start in product(*starts):
        layer, weight = np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32)
        window = tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))
        layer[window], weight[window] = random_patch(start, patch), fusion._gaussian(patch)
        layers.append(layer)
        weights.append(weight)
    return np.stack(layers), np.stack(weights)


def numpy_median(layers):
    """np.median of the values that are there, voxel by voxel (np.nanmedian does the same, slowly)."""
    ordered, count = np.sort(layers, axis=0), np.isfinite(layers).sum(axis=0)  # NaN comes last
    result = np.full(count.shape, np.nan, np.float32)
    for n in np.unique(count[count > 0]):
        result[count == n] = np.median(ordered[:n, count == n], axis=0)
    return result


sizes = st.tuples(*[st.integers(2, 6)] * 3)


shares = st.sampled_from([0.0, 0.25, 0.3, 0.5, 0.6, 0.75, 0.8])


@settings(max_examples=500, deadline=None)
@given(sizes, st.tuples(*[st.integers(0, 5)] * 3), shares | st.tuples(shares, shares, shares))
def test_the_median_is_that_of_all_covering_patches(patch, more, overlap):
    shape = tuple(p + m for p, m in zip(patch, more, strict=True))
    result = fusion.fuse(lambda start: random_patch(start, patch), shape, patch, overlap)
    layers, _ = stacked(shape, patch, overlap)
    assert result.dtype == np.float32
    assert np.array_equal(result, numpy_median(layers))


def test_overlap_per_axis():
    starts = fusion.grid((8, 8, 8), (4, 4, 4), (0, 0.5, 0.75))
    assert starts == ([0, 4], [0, 2, 4], [0, 1, 2, 3, 4])
    with pytest.raises(ConfigError, match="inference.overlap\n  found: 1"):
        fusion.grid((8, 8, 8), (4, 4, 4), (0, 0.5, 1))


def test_a_cell_under_27_and_more_patches():
    patch, shape, overlap = (4, 4, 4), (10, 9, 11), 0.75
    layers, _ = stacked(shape, patch, overlap)
    count = np.isfinite(layers).sum(axis=0)
    assert count.max() > 27
    assert {1, 2, 3, 4, 27, 64} <= set(np.unique(count))
    result = fusion.fuse(lambda start: random_patch(start, patch), shape, patch, overlap)
    assert np.array_equal(result, numpy_median(layers))


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.7])
def test_mean_and_gaussian(overlap):
    patch, shape = (4, 5, 6), (9, 11, 13)
    layers, weights = stacked(shape, patch, overlap)
    for method, expected in (
        ("mean", np.nanmean(layers.astype(np.float64), axis=0)),
        ("gaussian", np.nansum(layers * weights, axis=0) / weights.sum(axis=0)),
    ):
        result = fusion.fuse(lambda start: random_patch(start, patch), shape, patch, overlap, method)
        assert np.allclose(result, expected, rtol=1e-5, atol=1e-4)


def test_the_median_by_hand():
    # Along x: patches of 4 at 0, 2 and 4 say 1, 5 and 9. Two patches cover the middle: mean of the two.
    result = fusion.fuse(lambda start: np.full((2, 2, 4), 1.0 + 2 * start[2]), (2, 2, 8), (2, 2, 4), 0.5)
    assert result[0, 0].tolist() == [1, 1, 3, 3, 7, 7, 9, 9]


def test_each_patch_is_predicted_once_and_lies_inside():
    seen = []

    def predict(start):
        seen.append(start)
        return np.zeros((4, 4, 4), np.float32)

    fusion.fuse(predict, (9, 10, 4), (4, 4, 4), 0.5)
    assert len(seen) == len(set(seen)) == 4 * 4 * 1
    assert all(s + 4 <= n for start in seen for s, n in zip(start, (9, 10, 4), strict=True))


def test_zero_is_a_value_like_any_other():
    values = {0: 0.0, 2: 4.0}
    result = fusion.fuse(lambda start: np.full((2, 2, 4), values[start[2]]), (2, 2, 6), (2, 2, 4), 0.5)
    assert result[0, 0].tolist() == [0, 0, 2, 2, 4, 4]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 1000))
def test_the_sorting_network_is_numpys_median(count, seed):
    blocks = list(np.random.default_rng(seed).normal(size=(count, 3, 2, 2)).astype(np.float32))
    before = [block.copy() for block in blocks]
    assert np.array_equal(fusion.median(blocks), np.median(np.stack(blocks), axis=0))
    assert all(np.array_equal(a, b) for a, b in zip(before, blocks, strict=True))


@pytest.mark.parametrize("count", [1, 2, 3, 8, 27])
def test_nan_in_any_block_stays_nan(count):
    for where in range(count):
        blocks = [np.full(2, k, np.float32) for k in range(count)]
        blocks[where][1] = np.nan
        assert np.isnan(fusion.median(blocks)).tolist() == [False, True]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(0, 200), st.floats(0, 0.95))
def test_starts_cover_the_axis_with_the_overlap_asked_for(patch, more, overlap):
    size = patch + more
    starts = fusion.patch_starts(size, patch, overlap)
    assert starts[0] == 0 and starts[-1] == size - patch
    assert starts == sorted(set(starts))
    steps = np.diff(starts)
    assert (steps <= max(1, patch * (1 - overlap) + 1e-6)).all()


@pytest.mark.parametrize(("patch", "overlap", "step"), [(10, 0.8, 2), (20, 0.9, 2), (10, 0.7, 3), (96, 0.5, 48)])
def test_the_step_does_not_lose_a_voxel_to_rounding(patch, overlap, step):
    assert np.diff(fusion.patch_starts(patch + 6 * step, patch, overlap)).tolist() == [step] * 6


def test_intervals_by_hand():
    assert fusion.intervals([0, 2, 4], 4, 8) == [(0, 2, [0]), (2, 4, [0, 1]), (4, 6, [1, 2]), (6, 8, [2])]


def test_bad_requests():
    with pytest.raises(ConfigError, match="inference.fusion\n  found: mode\n  expected: median | mean | gaussian"):
        fusion.fuse(lambda start: None, (4, 4, 4), (2, 2, 2), 0.5, "mode")
    with pytest.raises(ConfigError, match="inference.overlap\n  found: 1"):
        fusion.grid((4, 4, 4), (2, 2, 2), 1)
    with pytest.raises(ValueError, match="pad it first"):
        fusion.grid((4, 4, 4), (2, 8, 2), 0.5)


def peak_bytes(length, width=32):
    tracemalloc.start()
    fusion.fuse(lambda start: np.zeros((16, 16, 16), np.float32), (length, width, width), (16, 16, 16), 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_only_the_active_slab_is_held():
    """A volume four times as long costs the larger result and nothing else."""
    peaks = {length: peak_bytes(length) for length in (64, 256)}
    result_bytes = {length: length * 32 * 32 * 4 for length in peaks}
    row_bytes = 9 * 16**3 * 4  # 3 x 3 patches at one z
    assert peaks[256] - result_bytes[256] < 4 * row_bytes
    assert (peaks[256] - result_bytes[256]) < (peaks[64] - result_bytes[64]) + row_bytes


def test_less_than_a_slab_of_patches_is_held():
    """Of two rows of patches that overlap by half, the halves that cells still need: one row, and a strip of it."""
    width, row_bytes = 128, 15 * 15 * 16**3 * 4
    held = peak_bytes(64, width) - 64 * width * width * 4
    assert held < 1.2 * row_bytes


def test_a_volume_smaller_than_a_patch_is_padded_with_its_background_and_cut_back():
    image = np.arange(2 * 9 * 3, dtype=np.float32).reshape(2, 9, 3) + 5
    (padded,), crop = _pad(image[None], (4, 8, 8))
    assert padded.shape == (4, 9, 8)
    assert crop == (slice(1, 3), slice(0, 9), slice(2, 5))
    assert np.array_equal(padded[crop], image)
    outside = np.ones(padded.shape, bool)
    outside[crop] = False
    assert (padded[outside] == 5).all()


def test_a_large_volume_is_not_padded():
    image = np.random.default_rng(0).normal(size=(1, 6, 7, 8)).astype(np.float32)
    padded, crop = _pad(image, (4, 7, 8))
    assert padded is image and padded[0][crop].base is image  # and no copy is made
