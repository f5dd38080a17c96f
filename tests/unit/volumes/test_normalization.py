import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.base.errors import DataError
from afpbench.study.schema import task_schema
from afpbench.volumes import io, normalization
from afpbench.volumes.io import Geometry, Volume

GRID = Geometry((2, 2, 5), (1.0, 1.0, 1.0))
STATS = {"lower_hu": -100.0, "upper_hu": 300.0, "mean_hu": 50.0, "std_hu": 25.0}
ZSCORE = {"scheme": "zscore"}


def fit(folders, **options):
    """normalization.fit with the defaults of the study file."""
    part = task_schema()["properties"]["normalization"]["properties"]
    return normalization.fit(folders, {key: spec["default"] for key, spec in part.items()} | options)


def prepared(folder, hu, mask=None, mr=None):
    hu = np.asarray(hu, np.int16).reshape(GRID.shape)
    mask = np.ones(GRID.shape) if mask is None else np.asarray(mask).reshape(GRID.shape)
    mr = np.arange(20) if mr is None else np.asarray(mr)
    io.write(Volume(mr.astype(np.float32).reshape(GRID.shape), GRID), folder / "mr.nii.gz")
    io.write(Volume(hu, GRID), folder / "ct.nii.gz")
    io.write(Volume(mask.astype(np.uint8), GRID), folder / "mask.nii.gz")
    return folder


def test_the_statistics_by_hand(tmp_path):
    mask = [1] * 10 + [0] * 10
    first = prepared(tmp_path / "p2" / "prepared", [0] * 5 + [100] * 5 + [3000] * 10, mask)
    second = prepared(tmp_path / "p1" / "prepared_train", [200] * 10 + [-1000] * 10, mask)
    stats = fit([first, second])
    assert stats["cases"] == ["p1", "p2"]
    assert stats["mr"] == {"scheme": "zscore"}
    # 5 x 0, 5 x 100, 10 x 200: mean 125, variance (5*125^2 + 5*25^2 + 10*75^2)/20 = 6875
    assert stats["ct"]["mean_hu"] == pytest.approx(125)
    assert stats["ct"]["std_hu"] == pytest.approx(np.sqrt(6875))
    assert (stats["ct"]["lower_hu"], stats["ct"]["upper_hu"], stats["ct"]["voxels"]) == (-1024, 200, 20)


def test_targets_keep_their_air_unless_the_papers_scheme_is_asked_for(tmp_path, caplog):
    """20 voxels, -546 to -527 HU: percentile 50 below is their middle; null is -1024, without a warning."""
    folder = prepared(tmp_path / "p1", range(-546, -526))
    assert fit([folder])["ct"]["lower_hu"] == -1024 and not caplog.records
    assert fit([folder], ct_clip_percentiles=[50, 99.5])["ct"]["lower_hu"] == -536.5
    assert "CT is clipped at -536 HU below" in caplog.text and "[null, 99.5]" in caplog.text


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1024, 3071), min_size=1, max_size=50), st.floats(0, 100))
def test_percentiles_of_the_histogram_are_numpys(values, percentile):
    counts = np.bincount(np.array(values) + 1024, minlength=4096)
    expected = np.percentile(values, percentile)
    assert normalization._percentile(counts, percentile) == pytest.approx(expected, abs=1e-6)


def test_the_percentiles_come_from_the_options(tmp_path):
    folder = prepared(tmp_path / "p1", range(20))
    stats = fit([folder], ct_clip_percentiles=[0, 100])
    assert (stats["ct"]["lower_hu"], stats["ct"]["upper_hu"], stats["cases"]) == (0, 19, ["p1"])


def test_no_case_is_refused():
    with pytest.raises(DataError, match="there is no training case"):
        fit([])


def test_no_contrast_is_refused(tmp_path):
    with pytest.raises(DataError, match="no contrast\n  found: standard deviation 0 HU"):
        fit([prepared(tmp_path / "p1", [40] * 20)])


def test_an_empty_mask_is_refused(tmp_path):
    with pytest.raises(DataError, match="the mask does not fit the CT in .*p1"):
        fit([prepared(tmp_path / "p1", range(20), [0] * 20)])


def test_the_range_is_the_given_one_whatever_the_cases_hold(tmp_path):
    ct = fit([prepared(tmp_path / "p1", range(20))], ct_scheme="range", ct_clip_hu=[-1000, 2000])["ct"]
    assert ct == {"scheme": "range", "lower_hu": -1000, "upper_hu": 2000, "mean_hu": 500, "std_hu": 1500}
    np.testing.assert_allclose(normalization.normalize_ct(np.array([-1024, -1000, 500, 3000]), ct), [-1, -1, 0, 1])


def test_clipped_zscore_by_hand(tmp_path):
    """Inside the masks -1000, 0, 100 and 3000 HU, clipped to [-900, 1000]: mean 50, and their own deviation."""
    mask = [1] * 4 + [0] * 16
    folder = prepared(tmp_path / "p1", [-1000, 0, 100, 3000] + [500] * 16, mask)
    ct = fit([folder], ct_scheme="clipped_zscore", ct_clip_hu=[-900, 1000])["ct"]
    values = np.array([-900, 0, 100, 1000])
    assert ct == {
        "scheme": "clipped_zscore", "lower_hu": -900, "upper_hu": 1000, "mean_hu": 50,
        "std_hu": pytest.approx(values.std()), "voxels": 4,
    }  # fmt: skip
    found = normalization.normalize_ct(np.array([-1024, 50, 3071]), ct)
    np.testing.assert_allclose(found, [-950 / values.std(), 0, 950 / values.std()], rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(-1024, 3071), min_size=1, max_size=50),
    st.lists(st.integers(-1024, 3071), min_size=2, max_size=2, unique=True).map(sorted),
)
def test_the_moments_of_clipped_values(values, limits):
    counts = np.bincount(np.array(values) + 1024, minlength=4096)
    clipped = np.clip(values, *limits)
    assert normalization._mean_and_std(counts, *limits) == pytest.approx((clipped.mean(), clipped.std()), abs=1e-6)


def test_mr_zscore():
    array = np.array([[[0.0, 2.0], [4.0, 6.0]]])
    np.testing.assert_allclose(normalization.normalize_mr(array, ZSCORE), (array - 3) / np.sqrt(5), rtol=1e-6)
    assert normalization.normalize_mr(array, ZSCORE).dtype == np.float32


def test_mr_minmax_by_hand():
    """Percentiles 10 and 90 of 0, 10, ..., 100 are 10 and 90: the middle becomes 0, and both ends are clipped."""
    values = normalization.normalize_mr(np.arange(0, 101, 10), {"scheme": "minmax", "clip_percentiles": [10, 90]})
    np.testing.assert_allclose(values, [-1, -1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1], atol=1e-6)
    assert values.dtype == np.float32


def test_landmarks_by_hand(tmp_path):
    """Two training cases with voxels 0 (below the mean) and three bright values; clip percentiles 0 and 100.

    The deciles of 10 voxels each lie on or between those values; the image's ends become -1 and 1 in both cases.
    """
    first = prepared(tmp_path / "p1", range(20), mr=[0] * 10 + [100 + 10 * i for i in range(10)])
    second = prepared(tmp_path / "p2", range(20), mr=[0] * 10 + [500] + [500 + i**2 for i in range(1, 10)])
    options = {"mr_scheme": "landmarks", "mr_clip_percentiles": [0, 100]}
    mr = fit([first, second], **options)["mr"]
    one, two = np.arange(10) / 9 * 2 - 1, np.arange(10) ** 2 / 81 * 2 - 1
    deciles = [0, *range(10, 100, 10), 100]
    np.testing.assert_allclose(mr["landmarks"], (np.percentile(one, deciles) + np.percentile(two, deciles)) / 2)
    assert (mr["landmarks"][0], mr["landmarks"][-1], len(mr["landmarks"])) == (-1, 1, 11)


def test_one_training_case_with_even_landmarks_is_mapped_by_one_line(tmp_path):
    """And so is any other scale of the same image: landmarks know no gain and no offset."""
    image = np.array([0] * 10 + [100 + 10 * i for i in range(10)])
    mr = fit([prepared(tmp_path / "p1", range(20), mr=image)], mr_scheme="landmarks", mr_clip_percentiles=[0, 100])[
        "mr"
    ]
    expected = 2 * (image - 100) / 90 - 1  # beyond the lowest landmark the line goes on
    np.testing.assert_allclose(normalization.normalize_mr(image, mr), expected, atol=1e-5)
    np.testing.assert_allclose(normalization.normalize_mr(image * 7.0 + 3, mr), expected, atol=1e-5)


def test_landmarks_that_coincide_count_as_one(tmp_path):
    image = np.array([0] * 10 + [100] * 5 + [110, 120, 130, 140, 150])
    mr = fit([prepared(tmp_path / "p1", range(20), mr=image)], mr_scheme="landmarks", mr_clip_percentiles=[0, 100])[
        "mr"
    ]
    values = normalization.normalize_mr(image, mr)
    assert np.isfinite(values).all() and (np.diff(values[10:]) >= 0).all()
    assert (values[10], values[-1]) == (-1, 1)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(["zscore", "minmax", "landmarks"]),
    st.lists(st.integers(0, 2000), min_size=8, max_size=60),
    st.floats(0.01, 100),
    st.floats(-500, 500),
)
def test_no_scheme_sees_gain_or_offset_or_changes_the_order(scheme, values, gain, offset):
    array = np.array([*values, *range(3000, 3040)], np.float32)
    mr = {"scheme": scheme, "clip_percentiles": [0.5, 99.5], "landmarks": np.linspace(-1, 1, 11).tolist()}
    plain, scaled = (normalization.normalize_mr(image, mr) for image in (array, array * gain + offset))
    # An offset of 100 over a gain of 0.01 leaves float32 about 1e-3 of a unit of the image.
    np.testing.assert_allclose(plain, scaled, atol=2e-2, rtol=1e-3)
    assert (np.diff(plain[np.argsort(array)]) >= -1e-4).all()


@pytest.mark.parametrize("scheme", ["zscore", "minmax", "landmarks"])
def test_a_constant_mr_is_refused(scheme):
    mr = {"scheme": scheme, "clip_percentiles": [0.5, 99.5], "landmarks": [-1, 1]}
    with pytest.raises(DataError, match="an MR without contrast\n  found: most or all voxels are 7"):
        normalization.normalize_mr(np.full((2, 2, 2), 7), mr)


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
