import numpy as np
import pytest

from afpbench.volumes import io
from afpbench.volumes import preprocessing as prep
from afpbench.volumes.bias_field import n4_corrected
from afpbench.volumes.io import Geometry, Volume


@pytest.fixture(scope="module")
def shaded():
    """A body of two tissues under a smooth field from 0.6 to 1.6, and the same without the field."""
    z, y, x = np.indices((12, 48, 48))
    body = ((y - 24) / 20) ** 2 + ((x - 24) / 20) ** 2 < 1
    inner = ((y - 24) / 9) ** 2 + ((x - 24) / 9) ** 2 < 1
    true = np.select([~body, inner], [0.0, 400.0], 200.0)
    noise = np.abs(np.random.default_rng(0).normal(0, 3, true.shape))
    field = 0.6 + x / 47.0
    grid = Geometry(true.shape, (5.0, 3.0, 3.0))
    return Volume(((true + noise) * field).astype(np.float32), grid), body & ~inner, inner


def spread(array, tissue):
    return array[tissue].std() / array[tissue].mean()


def test_the_shading_goes_and_the_tissues_stay_apart(shaded):
    mr, outer, inner = shaded
    made = n4_corrected(mr, prep.body_mask_mr(mr), "case p1: MR").array
    assert spread(made, outer) < 0.4 * spread(mr.array, outer)
    assert spread(made, inner) < 0.6 * spread(mr.array, inner)
    assert made[inner].mean() / made[outer].mean() == pytest.approx(2.0, rel=0.15)
    assert made.dtype == np.float32 and made.min() >= 0


def test_resampling_with_and_without(shaded, tmp_path):
    mr, outer, _ = shaded
    io.write(mr, tmp_path / "imported" / "mr.nii.gz")
    for choice in ("none", "n4"):
        prep.resample_case(tmp_path / "imported", tmp_path / choice, (5.0, 3.0, 3.0), choice)
    without, with_n4 = (io.read(tmp_path / choice / "mr.nii.gz").array for choice in ("none", "n4"))
    np.testing.assert_allclose(without, mr.array, atol=0.5)
    assert spread(with_n4, outer) < 0.5 * spread(without, outer)
