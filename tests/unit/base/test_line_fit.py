import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afpbench.base.line_fit import LineFit


def test_a_line_by_hand():
    fit = LineFit()
    fit.add(np.array([0, 1]), np.array([1, 2]))
    fit.add(np.array([[2]], np.int16), np.array([[6]], np.int16))
    # means 1 and 3; slope (0-1)(1-3) + 0 + (2-1)(6-3) over 2 = 5 / 2
    assert fit.line() == pytest.approx((2.5, 0.5)) and fit.count == 3


def test_no_line():
    fit = LineFit()
    assert fit.line() is None
    fit.add(np.full(1000, 0.1), np.arange(1000))
    assert fit.line() is None


@settings(max_examples=30, deadline=None)
@given(slope=st.floats(-5, 5), offset=st.floats(-1000, 1000), parts=st.integers(1, 5), seed=st.integers(0, 99))
def test_points_on_a_line_give_it_back_however_they_come(slope, offset, parts, seed):
    x = np.random.default_rng(seed).normal(-200, 400, 60)
    fit = LineFit()
    for part in np.array_split(x, parts):
        fit.add(part, slope * part + offset)
    assert fit.line() == pytest.approx((slope, offset), rel=1e-6, abs=1e-6)
