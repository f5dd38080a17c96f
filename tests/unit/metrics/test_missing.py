"""Penalties by hand, and the cases that rows share."""

import math

import numpy as np
import pandas as pd
import pytest

from afpbench.base.errors import DataError
from afpbench.metrics.evaluate import diagonal_mm
from afpbench.metrics.longtable import COLUMNS, line
from afpbench.metrics.missing import PENALISED, common_values, with_penalties
from afpbench.metrics.statistics import compare
from afpbench.study.kinds.registry import METRICS
from afpbench.volumes.io import Geometry, Volume

DISTANCES = ("hd95", "assd", "asd_real_to_synthetic", "asd_synthetic_to_real")


def entry(row, case, metric, value, status="ok"):
    return line("thorax", row, case, "hal", "mucus", metric, value, status)


def table(*lines, diagonals_mm=None):
    images = [line("thorax", "l1", case, "", "volume", "diagonal_mm", value, "ok")
              for case, value in (diagonals_mm or {}).items()]  # fmt: skip
    return pd.DataFrame([*lines, *images], columns=list(COLUMNS))


def test_the_diagonal_is_that_of_brats():
    """The penalty of BraTS for 240 x 240 x 155 mm is 373.13 mm (374 in 2023)."""
    volume = Volume(np.zeros((155, 120, 240), np.uint8), Geometry((155, 120, 240), (1.0, 2.0, 1.0)))
    assert diagonal_mm(volume) == pytest.approx(373.1286, abs=1e-4)


def test_each_distance_that_is_missing_is_the_diagonal_of_its_case():
    lines = [entry("l1", case, metric, math.nan, "synthetic_empty") for metric in DISTANCES for case in ("a", "b")]
    long = with_penalties(table(*lines, diagonals_mm={"a": 300, "b": 400}), "penalty")
    assert long[long["metric"].isin(DISTANCES)].groupby("case")["value"].unique().map(list).to_dict() == {
        "a": [300], "b": [400]
    }  # fmt: skip
    assert set(long.loc[long["metric"].isin(DISTANCES), "status"]) == {PENALISED}


def test_leakage_of_nothing_is_whole():
    long = with_penalties(table(entry("l1", "a", "leakage", math.nan, "synthetic_empty")), "penalty")
    assert long["value"].tolist() == [1]


@pytest.mark.parametrize("status", ["both_empty", "real_empty", "failed: out of memory"])
def test_what_no_row_can_find_and_failed_cases_have_no_penalty(status):
    long = table(entry("l1", "a", "hd95", math.nan, status), diagonals_mm={"a": 300})
    pd.testing.assert_frame_equal(with_penalties(long, "penalty"), long)


def test_values_and_metrics_without_a_penalty_stay():
    long = table(entry("l1", "a", "dice", 0, "synthetic_empty"), entry("l1", "a", "hd95", 7), diagonals_mm={"a": 300})
    pd.testing.assert_frame_equal(with_penalties(long, "penalty"), long)
    assert METRICS["dice"].penalty is None and METRICS["hd95"].penalty == "diagonal"


def test_common_leaves_what_is_missing():
    long = table(entry("l1", "a", "hd95", math.nan, "synthetic_empty"))
    assert with_penalties(long, "common") is long


def test_without_a_diagonal_the_case_is_named():
    with pytest.raises(DataError, match=r"case a: no diagonal_mm in the metrics(.|\n)*statistics.missing: common"):
        with_penalties(table(entry("l1", "a", "hd95", math.nan, "synthetic_empty")), "penalty")


def test_common_cases():
    lines = [entry("l1", "a", "hd95", 1), entry("l1", "b", "hd95", math.nan), entry("l1", "c", "hd95", 1)]
    lines += [entry("afp", case, "hd95", 1) for case in ("a", "b", "c")]
    lines += [entry("empty", case, "hd95", math.nan) for case in ("a", "b", "c")]
    values = common_values(table(*lines))
    assert list(values.index) == ["a", "c"] and list(values.columns) == ["afp", "l1"]


def test_the_tests_count_what_is_not_found():
    """L1 finds 1 of 8, AFP all of them, each at another distance: pairs 1 without, 8 with penalties."""
    cases = [f"c{index}" for index in range(8)]
    lines = [entry("l1", cases[0], "hd95", 2)]
    lines += [entry("l1", case, "hd95", math.nan, "synthetic_empty") for case in cases[1:]]
    lines += [entry("afp", case, "hd95", 5 + index) for index, case in enumerate(cases)]
    long = table(*lines, diagonals_mm=dict.fromkeys(cases, 100))
    common, penalty = (compare(long, "l1", missing=missing).iloc[0] for missing in ("common", "penalty"))
    assert (common["n"], common["direction"]) == (1, "worse")
    # AFP - L1 is 3, -94, -93, ... -88: ranks 1 to 8, W+ = 1, p = 2 * 2 / 2**8; the median is that of -91 and -90
    assert (penalty["n"], penalty["direction"], penalty["median_difference"]) == (8, "better", -90.5)
    assert penalty["p"] == 4 / 256
