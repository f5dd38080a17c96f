"""Label maps from files in a segmenter's place."""

import numpy as np
import pytest

from afpbench.base.errors import DataError
from afpbench.segmenters.chunk import Segmentation
from afpbench.study.kinds.registry import SEGMENTERS
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

OPTIONS = {
    "kind": "files",
    "real": "real/{case}.nii.gz",
    "synthetic": {"theirs": "theirs/{case}.nii.gz"},
    "classes": {"bone": 2},
}


def no_network():
    raise AssertionError("a network was opened")


@pytest.fixture
def segment(tmp_path, prepared_cases):
    """Segment case p1 with its map in the folder `real`; and that map, which holds values that no class has."""
    files = SEGMENTERS.make(OPTIONS).label_files(tmp_path)
    ct = io.read(prepared_cases["p1"] / "ct.nii.gz")
    labels = ct.with_array((np.arange(ct.array.size) % 7).reshape(ct.array.shape).astype(np.uint8))
    io.write(labels, tmp_path / "real/p1.nii.gz")
    job = Segmentation(no_network, None, None, {}, files["ct"])
    return lambda: job("p1", prepared_cases["p1"], tmp_path / "out/p1.nii.gz"), labels


def test_the_map_is_taken_as_it_is(tmp_path, segment):
    run, labels = segment
    assert run() == {"case": "p1", "status": "ok", "foreground_voxels": int((labels.array > 0).sum())}
    np.testing.assert_array_equal(io.read(tmp_path / "out/p1.nii.gz").array, labels.array)


def test_a_map_on_another_grid_and_a_missing_one_are_refused(tmp_path, segment):
    run, labels = segment
    moved = Geometry(labels.geometry.shape, labels.spacing_mm, (0.0, 0.0, 0.0))
    io.write(Volume(labels.array, moved), tmp_path / "real/p1.nii.gz")
    with pytest.raises(DataError, match="case p1: label map: not on the grid of its image"):
        run()
    (tmp_path / "real/p1.nii.gz").unlink()
    with pytest.raises(DataError, match="(?s)case p1: label map: no such file.*expected: .*real/p1.nii.gz"):
        run()


def test_the_map_of_a_row_counts_even_where_its_image_is_the_real_ct(tmp_path, segment, prepared_cases):
    run, labels = segment
    run()
    files, ct = SEGMENTERS.make(OPTIONS).label_files(tmp_path), io.read(prepared_cases["p1"] / "ct.nii.gz")
    io.write(ct, tmp_path / "synthetic/p1.nii.gz")
    io.write(labels.with_array(labels.array * 0 + 3), tmp_path / "theirs/p1.nii.gz")
    job = Segmentation(no_network, tmp_path / "synthetic", tmp_path / "out", {}, files["theirs"])
    job("p1", prepared_cases["p1"], tmp_path / "segmented/p1.nii.gz")
    assert np.unique(io.read(tmp_path / "segmented/p1.nii.gz").array).tolist() == [3]


def test_what_it_finds_and_where():
    segmenter = SEGMENTERS.make(OPTIONS, "given")
    assert (segmenter.class_values(), segmenter.known_values(), segmenter.inputs("")) == ({"bone": 2}, {}, [])
    assert not segmenter.trained_here and segmenter.features("") is None
