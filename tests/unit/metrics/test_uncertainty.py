"""Whether an uncertainty map predicts the error: by hand, by a slow implementation, and in the long table."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from afpbench.base.errors import DataError
from afpbench.metrics.definitions import AFPBENCH, DEFINITIONS
from afpbench.metrics.evaluate import evaluate_row
from afpbench.metrics.longtable import read_long
from afpbench.metrics.pair import Pair, check_grids
from afpbench.metrics.uncertainty import sparsification, spearman, uncertainty_lines, uncertainty_metrics
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

GRID = Geometry((8, 9, 10), (3.0, 3.0, 3.0))


def test_spearman_by_hand():
    """Ranks 1 2 3 4 and 1 3 2 4: 1 - 6 * 2 / (4 * 15) = 0.8."""
    assert spearman(np.array([1, 2, 30, 400]), np.array([5, 7, 6, 8])) == pytest.approx(0.8)
    assert spearman(np.array([1, 2, 3]), np.array([9, 4, 1])) == pytest.approx(-1)
    assert math.isnan(spearman(np.array([2, 2, 2]), np.array([1, 2, 3])))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=3, max_size=40))
def test_spearman_is_scipys_with_ties(pairs):
    first, second = (np.array(values, float) for values in zip(*pairs, strict=True))
    if np.ptp(first) and np.ptp(second):
        assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)


def test_sparsification_by_hand():
    """Errors 4 1 3, mean 8/3. By SD (3 2 1) there are left 4 1 3, then 1 3, then 3; by error 4 1 3, 1 3, then 1."""
    curves = sparsification(np.array([3.0, 2.0, 1.0]), np.array([4.0, 1.0, 3.0]))
    assert curves.by_sd == pytest.approx(np.array([8 / 3, 2, 3]) / (8 / 3))
    assert curves.oracle == pytest.approx(np.array([8 / 3, 2, 1]) / (8 / 3))
    assert curves.area == pytest.approx((0 + 0 + 2) / 3 / (8 / 3))


def test_voxels_of_one_sd_go_in_no_order():
    """Two certain voxels of errors 0 and 2 count 1 each, whichever comes first."""
    for errors in ([0.0, 2.0, 4.0], [2.0, 0.0, 4.0]):
        assert sparsification(np.array([1.0, 1.0, 5.0]), np.array(errors)).by_sd == pytest.approx([1, 0.5, 0.5])


PAIRS = st.lists(
    st.tuples(st.floats(0, 9), st.floats(0.01, 9)), min_size=1, max_size=30, unique_by=lambda pair: pair[0]
)


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_sparsification_is_the_slow_one(pairs):
    """Take the k voxels of the largest SD (error) away, k = 0 ... n - 1, and look at the mean of the rest."""
    sd, error = (np.array(values) for values in zip(*pairs, strict=True))

    def slow(keys):
        return [error[np.argsort(keys)[: error.size - k]].mean() / error.mean() for k in range(error.size)]

    curves = sparsification(sd, error)
    assert curves.by_sd == pytest.approx(slow(sd)) and curves.oracle == pytest.approx(slow(error))
    assert curves.area >= -1e-9


def test_a_map_that_ranks_as_the_error_does_is_perfect():
    error = np.random.default_rng(0).normal(0, 40, 500)
    assert uncertainty_metrics(np.abs(error) ** 2, error) == pytest.approx(
        {"uncertainty_spearman": 1, "uncertainty_ause": 0}, abs=1e-12
    )
    says_nothing = uncertainty_metrics(np.full(500, 7.0), error)
    assert math.isnan(says_nothing["uncertainty_spearman"]) and says_nothing["uncertainty_ause"] > 0.3
    assert all(math.isnan(value) for value in uncertainty_metrics(np.abs(error), 0 * error).values())


@pytest.fixture
def images():
    rng = np.random.default_rng(1)
    real, synthetic, sd = (rng.normal(mean, spread, GRID.shape) for mean, spread in ((0, 200), (0, 200), (50, 9)))
    mask = np.zeros(GRID.shape, np.uint8)
    mask[1:-1, 1:-1, 1:-1] = 1
    arrays = (real.astype(np.int16), synthetic.astype(np.int16), mask, sd.astype(np.float32))
    return [Volume(array, GRID) for array in arrays]


def test_only_the_voxels_inside_the_mask_count(images):
    real, synthetic, mask, sd = images
    pair = Pair("a", real, synthetic, mask, {}, sd)
    lines = uncertainty_lines(pair, "lung", "l1", AFPBENCH)
    inside = mask.array > 0
    expected = uncertainty_metrics(sd.array[inside], synthetic.array[inside].astype(float) - real.array[inside])
    assert {entry["metric"]: entry["value"] for entry in lines} == expected
    assert all((entry["structure"], entry["status"]) == ("body", "ok") for entry in lines)


def test_errors_are_clipped_as_those_of_the_mae(images):
    real, synthetic, mask, sd = images
    metal = real.with_array(np.where(real.array > 100, 9000, real.array).astype(np.int16))
    values = {
        name: uncertainty_lines(Pair("a", metal, synthetic, mask, {}, sd), "t", "l1", DEFINITIONS[name])[1]["value"]
        for name in ("afpbench", "synthrad2023")
    }
    assert values["afpbench"] != values["synthrad2023"]


def test_a_map_on_another_grid_is_refused(images):
    real, synthetic, mask, sd = images
    moved = Volume(sd.array, Geometry(GRID.shape, GRID.spacing_mm, (9.0, 0.0, 0.0)))
    with pytest.raises(DataError, match="case a: the uncertainty map is not on the real CT's grid"):
        check_grids(Pair("a", real, synthetic, mask, {}, moved))


def test_the_long_table_tells_which_cases_have_no_map(images, tmp_path):
    """Case a has one, of b nothing is known, and c failed: each has its lines, where the task keeps maps at all."""
    for case in "ab":
        folder = tmp_path / "cases" / case / "prepared"
        for name, image in zip(("ct", "mask"), (images[0], images[2]), strict=True):
            io.write(image, folder / f"{name}.nii.gz")
        io.write(images[1], tmp_path / "synthetic" / "l1" / f"{case}.nii.gz")
    io.write(images[3], tmp_path / "synthetic" / "l1" / "uncertainty" / "a.nii.gz")
    out, cases, failed = tmp_path / "long.csv", ["a", "b", "c"], {"c": "no space"}
    evaluate_row(tmp_path, "lung", "l1", cases, {}, failed=failed, uncertainty={"a"}, out=out)
    long = read_long(out)
    lines = long[long["metric"].str.startswith("uncertainty")].set_index(["case", "metric"])
    assert lines.loc["a", "status"].tolist() == ["ok"] * 2 and lines.loc["a", "value"].notna().all()
    assert lines.loc["b", "status"].tolist() == ["no_uncertainty"] * 2 and lines.loc["b", "value"].isna().all()
    assert lines.loc["c", "status"].tolist() == ["failed: no space"] * 2
    evaluate_row(tmp_path, "lung", "l1", cases, {}, failed=failed, out=out)
    assert not read_long(out)["metric"].str.startswith("uncertainty").any()
