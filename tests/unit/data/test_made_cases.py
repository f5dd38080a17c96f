"""data.importing: images that a source makes itself."""

import json

import numpy as np
import pytest

from afpbench.base.errors import DataError
from afpbench.data import importing
from afpbench.study.kinds import Source
from afpbench.study.kinds.registry import SOURCES
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

# The x axis runs to the right of the patient, and the arrays from front to back: the import turns the first.
GRID = Geometry((12, 20, 24), (4.0, 3.0, 2.0), (50.0, 0.0, 0.0), (-1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


def images():
    inside = np.zeros(GRID.shape, bool)
    inside[2:10, 4:16, 3:14] = True
    noise = np.random.default_rng(7).normal(0, 5, GRID.shape)
    shift = np.zeros((*GRID.shape, 3))
    shift[..., 0] = np.arange(24)
    return {
        "mr": Volume(np.where(inside, 300, 10) + noise, GRID),
        "ct": Volume(np.where(inside, 0, -1000) + noise, GRID),
        "labels": Volume(inside.astype(np.int64), GRID),
        "displacement": Volume(shift, GRID),
    }


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Import a case whose images a source makes, with some of them changed."""
    volumes = images()

    class Made(Source):
        """Made here."""

        name = "made"
        makes_cases = True

        def make_case(self, case, seed):
            return volumes, {"seed": seed}

    monkeypatch.setattr(SOURCES, "_of_files", {"made": Made})

    def run(**changed):
        volumes.update(changed)
        importing.import_case({"source": "made"}, "p1", 11, tmp_path / "out", tmp_path)
        return tmp_path / "out"

    return run


def test_they_are_turned_to_canonical_axes_and_written_as_all_are(made):
    out = made()
    ct, labels, shift = (io.read(out / f"{name}.nii.gz") for name in ("ct", "labels", "displacement"))
    assert ct.array.dtype == np.int16 and ct.geometry.direction == (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
    assert ct.geometry.origin_mm == (50.0 - 23 * 2.0, 0.0, 0.0)
    np.testing.assert_array_equal(ct.array, np.rint(images()["ct"].array[:, :, ::-1]))
    np.testing.assert_array_equal(labels.array, images()["labels"].array[:, :, ::-1])
    np.testing.assert_array_equal(shift.array[5, 5, :, 0], np.arange(24)[::-1])  # vectors are in mm, not turned
    assert json.loads((out / "case.json").read_text())["record"] == {"seed": 11}


def test_an_image_of_no_role(made):
    with pytest.raises(DataError, match="(?s)case p1: the source 'made' does not make.*found: mr, ct, labels, disp"):
        made(pet=images()["mr"])


@pytest.mark.parametrize("value", [300, -1, 0.5])
def test_label_values_that_would_be_another_number(made, value):
    labels = images()["labels"].array.astype(float)
    labels[5, 5, 5] = value
    with pytest.raises(DataError, match="case p1: label map: values that a label map cannot hold"):
        made(labels=Volume(labels, GRID))


def test_an_mr_with_holes(made):
    broken = images()["mr"].array
    broken[0, 0, 0] = np.nan
    with pytest.raises(DataError, match="case p1: MR"):
        made(mr=Volume(broken, GRID))
