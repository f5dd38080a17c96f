import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench import io, normalization
from afpbench.errors import DataError
from afpbench.io import Geometry, Volume

GRID = Geometry((2, 2, 5), (1.0, 1.0, 1.0))
STATS = {"lower_hu": -100.0, "upper_hu": 300.0, "mean_hu": 50.0, "std_hu": 25.0}


def prepared(folder, hu, mask=None):
    hu = np.asarray(hu, np.int16).reshape(GRID.shape)
    mask = np.ones(GRID.shape) if mask is None else np.asarray(mask).reshape(GRID.shape)
    io.write(Volume(hu, GRID), folder / "ct.nii.gz")
    io.write(Volume(mask.astype(np.uint8), GRID), folder / "mask.nii.gz")
    return folder


def test_the_statistics_by_hand(tmp_path):
    mask = [1] * 10 + [0] * 10
    first = prepared(tmp_path / "p2" / "prepared", [0] * 5 + [100] * 5 + [3000] * 10, mask)
    second = prepared(tmp_path / "p1" / "prepared", [200] * 10 + [-1000] * 10, mask)
    stats = normalization.fit([first, second])
    assert stats["cases"] == ["p1", "p2"]
    assert stats["mr"] == {"scheme": "zscore"}
    # 5 x 0, 5 x 100, 10 x 200: mean 125, variance (5*125^2 + 5*25^2 + 10*75^2)/20 = 6875
    assert stats["ct"]["mean_hu"] == pytest.approx(125)
    assert stats["ct"]["std_hu"] == pytest.approx(np.sqrt(6875))
    assert (stats["ct"]["lower_hu"], stats["ct"]["upper_hu"], stats["ct"]["voxels"]) == (0, 200, 20)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1024, 3071), min_size=1, max_size=50), st.floats(0, 100))
def test_percentiles_of_the_histogram_are_numpys(values, percentile):
    counts = np.bincount(np.array(values) + 1024, minlength=4096)
    expected = np.percentile(values, percentile)
    assert normalization._percentile(counts, percentile) == pytest.approx(expected, abs=1e-6)


def test_the_percentiles_come_from_the_options(tmp_path):
    folder = prepared(tmp_path / "p1", range(20))
    stats = normalization.fit([folder], {"ct_clip_percentiles": [0, 100]})
    assert (stats["ct"]["lower_hu"], stats["ct"]["upper_hu"], stats["cases"]) == (0, 19, ["p1"])


def test_no_case_is_refused():
    with pytest.raises(DataError, match="there is no training case"):
        normalization.fit([])


def test_no_contrast_is_refused(tmp_path):
    with pytest.raises(DataError, match="no contrast\n  found: standard deviation 0 HU"):
        normalization.fit([prepared(tmp_path / "p1", [40] * 20)])


def test_an_empty_mask_is_refused(tmp_path):
    with pytest.raises(DataError, match="the mask does not fit the CT in .*p1"):
        normalization.fit([prepared(tmp_path / "p1", range(20), [0] * 20)])


def test_mr_zscore():
    array = np.array([[[0.0, 2.0], [4.0, 6.0]]])
    np.testing.assert_allclose(normalization.normalize_mr(array), (array - 3) / np.sqrt(5), rtol=1e-6)
    assert normalization.normalize_mr(array).dtype == np.float32


def test_a_constant_mr_is_refused():
    with pytest.raises(DataError, match="an MR without contrast\n  found: every voxel is 7"):
        normalization.normalize_mr(np.full((2, 2, 2), 7))


def test_ct_is_clipped_and_scaled():
    values = normalization.normalize_ct(np.array([-1000, 50, 75, 3000], np.int16), STATS)
    np.testing.assert_allclose(values, [-6, 0, 1, 10])
    assert values.dtype == np.float32


def test_denormalize_inverts_for_numpy_and_torch():
    values = normalization.normalize_ct(np.array([-50, 50, 300]), STATS)
    np.testing.assert_allclose(normalization.denormalize_ct(values, STATS), [-50, 50, 300])
    tensor = torch.tensor(values, requires_grad=True)
    restored = normalization.denormalize_ct(tensor, STATS)
    restored.sum().backward()
    assert restored.tolist() == [-50, 50, 300]
    assert tensor.grad.tolist() == [25, 25, 25]
