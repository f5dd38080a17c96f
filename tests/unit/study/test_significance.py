"""The smallest p of a number of cases, against SciPy and by hand."""

import numpy as np
import pytest
from scipy import stats

from afpbench.study.significance import smallest_p


@pytest.mark.parametrize("cases", [1, 4, 7, 10])
def test_the_smallest_p_is_that_of_differences_of_one_sign(cases):
    assert smallest_p(cases) == stats.wilcoxon(np.arange(1, cases + 1), method="exact").pvalue


def test_holm_takes_it_times_the_rows():
    assert (smallest_p(7, 3), smallest_p(2, 3), smallest_p(5, 0)) == (3 / 64, 1, 1 / 16)
