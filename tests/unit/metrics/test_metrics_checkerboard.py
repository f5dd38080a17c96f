import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.metrics.checkerboard import checkerboard
from afpbench.metrics.image import image_metrics

SHAPE = (32, 28, 40)
Z, Y, X = np.indices(SHAPE)


def smooth():
    """A body with an edge, and structure of long periods: a CT as far as spectra go."""
    body = (Y - 14) ** 2 / 120 + (X - 20) ** 2 / 250 < 1
    return np.where(body, 40 + 30 * np.sin(Z / 4) * np.cos(X / 5), -1000.0)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (10.0 * (-1.0) ** (Z + Y + X), 10),  # every axis sees A^2
        (10.0 * (-1.0) ** X, 10 / math.sqrt(3)),  # one axis of three
        (10.0 * np.cos(np.pi * X / 2), math.sqrt(50 / 3)),  # period 4: mean square A^2 / 2
        # period 4 along z and period 2 along y, the same energy in each line: 50 along z, 50 along y
        (10.0 * np.cos(np.pi * Z / 2) * (-1.0) ** Y, math.sqrt((50 + 50) / 3)),
        (np.zeros(SHAPE), 0),
        (np.full(SHAPE, 700.0), 0),
        (10.0 * np.cos(2 * np.pi * X / 40 * 3), 0),  # period 13
    ],
)
def test_patterns_by_hand(pattern, expected):
    assert checkerboard(pattern) == pytest.approx(expected, abs=1e-6)


def test_a_pattern_is_found_on_a_body_and_the_body_alone_has_none():
    alone = checkerboard(smooth())
    with_pattern = checkerboard(smooth() + 20.0 * (-1.0) ** (Z + Y + X))
    assert alone < 3 and 15 < with_pattern < 25  # edges of 1000 HU on so few voxels cost some HU either way


def test_a_transposed_convolution_of_stride_2_is_seen():
    """Each voxel of a 2 x 2 x 2 block gets its own factor: here 1.1 for one of eight, 1 for the others."""
    factor = np.ones(SHAPE)
    factor[::2, ::2, ::2] = 1.1
    assert checkerboard(100 * factor) > 10 * checkerboard(np.full(SHAPE, 100.0) + np.sin(X / 3))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), level=st.floats(1, 100))
def test_noise_is_no_pattern(seed, level):
    noise = np.random.default_rng(seed).normal(0, level, SHAPE)
    assert checkerboard(noise) < 0.1 * level


def test_short_axes_do_not_count_and_without_any_there_is_no_value():
    pattern = 10.0 * (-1.0) ** (Z + Y + X)
    assert checkerboard(pattern[:10, :, :23]) == pytest.approx(10, abs=1e-6)
    assert math.isnan(checkerboard(pattern[:23, :23, :23]))


def test_slabs_change_nothing(monkeypatch):
    from afpbench.metrics import checkerboard as module

    image = smooth() + np.random.default_rng(0).normal(0, 5, SHAPE)
    whole = checkerboard(image)
    monkeypatch.setattr(module, "_SLAB_VALUES", 3000)
    assert checkerboard(image) == pytest.approx(whole, rel=1e-9)


def test_it_is_an_image_metric_of_the_synthetic_ct_inside_the_masks_box():
    real, synthetic = np.zeros((40, 40, 40)), np.zeros((40, 40, 40))
    synthetic[2:34, 2:34, 2:34] = 10.0 * (-1.0) ** np.indices((32, 32, 32)).sum(axis=0)
    mask = np.zeros(real.shape, np.uint8)
    mask[2:34, 2:34, 2:34] = 1
    values = image_metrics(real, synthetic, mask)
    assert values["body"]["checkerboard"] == pytest.approx(10, abs=1e-6)
    assert 3 < values["volume"]["checkerboard"] < 10
    assert image_metrics(synthetic, real, mask)["body"]["checkerboard"] == 0
