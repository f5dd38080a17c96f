"""Classes that training cases show or do not show."""

import numpy as np
import pytest
from conftest import GRID

from afpbench.base.errors import DataError
from afpbench.segmenters.training import _write_labels
from afpbench.training.supervised import _check_classes
from afpbench.volumes import io

GROUPS = {"lesion": [203, 204], "mucus": [205]}


def test_a_healthy_case_is_all_background(tmp_path):
    values = np.zeros(GRID.shape, np.uint8)
    values[0], values[1], values[2] = 5, 203, 204
    paths = {"ill": tmp_path / "ill.nii.gz", "healthy": tmp_path / "healthy.nii.gz"}
    io.write(io.Volume(values, GRID), paths["ill"])
    io.write(io.Volume(np.where(values > 200, 0, values), GRID), paths["healthy"])
    assert _write_labels(paths, GROUPS, "ill", tmp_path / "a.nii.gz") == {0, 1}
    assert _write_labels(paths, GROUPS, "healthy", tmp_path / "b.nii.gz") == {0}
    assert not io.read(tmp_path / "b.nii.gz", "labels").array.any()
    assert (io.read(tmp_path / "a.nii.gz", "labels").array[1:3] == 1).all()


def test_classes_that_no_training_case_shows(caplog):
    _check_classes("thorax/hal", list(GROUPS), {"ill": {0, 1}, "healthy": {0}, "other": {2}})
    assert not caplog.records
    _check_classes("thorax/hal", list(GROUPS), {"ill": {0, 1}, "healthy": {0}})
    assert "thorax/hal: no training case shows mucus" in caplog.text
    with pytest.raises(
        DataError, match=r"(?s)thorax/hal: no training case shows any.*none of lesion, mucus in 1 cases"
    ):
        _check_classes("thorax/hal", list(GROUPS), {"healthy": {0}})
