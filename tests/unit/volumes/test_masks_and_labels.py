"""The rules for images, masks and label maps, with values set by hand."""

import nifti_file
import numpy as np
import pytest

from afpbench.base.errors import DataError
from afpbench.volumes import io
from afpbench.volumes.images import check_image, is_hu, read_image
from afpbench.volumes.io import Geometry, Volume
from afpbench.volumes.labels import as_labels, check_labels, read_labels
from afpbench.volumes.masks import as_mask, read_mask

SHAPE = (4, 5, 6)
INSIDE = np.zeros(SHAPE, bool)
INSIDE[1:3, 1:4, 2:5] = True


def volume(array, shape=SHAPE):
    return Volume(np.asarray(array), Geometry(shape, (1.0, 1.0, 1.0)), "/data/p1.nii.gz")


def refusal(function, array):
    with pytest.raises(DataError) as error:
        function(volume(array), "case p1: it")
    text = str(error.value)
    assert text.startswith("case p1: it: ") and "/data/p1.nii.gz" in text
    return text


# --- masks


@pytest.mark.parametrize(
    ("outside", "inside"), [(0, 1), (0, 255), (-1, 1), (1e-4, 1), (-1e-4, 0.9999), (0, 0.5), (-1000, 1), (0, 117)]
)
def test_two_values_make_a_mask(outside, inside):
    for dtype in (np.float32, np.float64, *((np.int16,) if outside == int(outside) and inside == int(inside) else ())):
        mask = as_mask(volume(np.where(INSIDE, inside, outside).astype(dtype)), "m").array
        assert mask.dtype == np.uint8 and np.array_equal(mask, INSIDE)


def test_residue_of_interpolation_on_both_sides():
    noise = np.random.default_rng(0).uniform(-4e-4, 4e-4, SHAPE).astype(np.float32)
    assert np.array_equal(as_mask(volume(INSIDE + noise), "m").array, INSIDE)


def test_one_value_everywhere():
    assert as_mask(volume(np.ones(SHAPE, np.uint8)), "m").array.all()
    assert as_mask(volume(np.ones(SHAPE, bool)), "m").array.all()
    assert "it is empty" in refusal(as_mask, np.zeros(SHAPE, np.uint8))
    assert "it is empty" in refusal(as_mask, np.full(SHAPE, 1e-4, np.float32))
    assert "it is empty" in refusal(as_mask, np.where(INSIDE, 0, -1))  # which of the two is inside?


def test_values_that_are_no_mask():
    interpolated = INSIDE.astype(np.float32)
    interpolated[0, 0, 0] = 0.4
    text = refusal(as_mask, interpolated)
    assert "not a mask of two values" in text and "1 of 120 voxels between the two, such as 0.4" in text
    assert "threshold it at 0.5" in text
    ct = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)
    assert "looks like an image such as a CT" in refusal(as_mask, ct)
    labels = INSIDE.astype(np.uint8)
    labels[0] = 2
    assert "a label map with several labels?" in refusal(as_mask, labels)
    assert "which of the two values is outside" in refusal(as_mask, INSIDE + np.uint8(1))
    assert "several labels" in refusal(as_mask, np.where(INSIDE, 1, np.indices(SHAPE)[0] % 2 - 1))  # -1, 0 and 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_in_masks_label_maps_and_images(value):
    array = INSIDE.astype(np.float32)
    array[3, 4, 5] = value
    for function in (as_mask, as_labels, check_image):
        text = refusal(function, array)
        assert "NaN or infinite voxels" in text and "1 of 120 voxels, the first at (z, y, x) = (3, 4, 5)" in text


def test_several_and_complex_values_per_voxel():
    for array in (np.ones((*SHAPE, 3), np.uint8), np.ones(SHAPE, np.complex64)):
        for function in (as_mask, as_labels, check_image):
            assert "not one real value per voxel" in refusal(function, array)


# --- label maps


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int64, np.uint64, np.float32, np.float64])
def test_labels_of_every_type(dtype):
    array = np.where(INSIDE, 117, 0).astype(dtype)
    labels = as_labels(volume(array), "l").array
    assert labels.dtype == np.uint8 and np.array_equal(labels, np.where(INSIDE, 117, 0))
    if np.iinfo(dtype).max > 255 if np.issubdtype(dtype, np.integer) else True:
        large = as_labels(volume(np.where(INSIDE, 1035, 0).astype(dtype)), "l").array
        assert large.dtype == np.uint16 and large.max() == 1035


def test_a_label_map_stored_with_a_slope(tmp_path):
    """1, 2 and 117 as int16 with a slope: 0.99977, 1.99954, 117."""
    stored = np.zeros((6, 5, 4), np.int16)
    slope = np.float32(117 / 32767)
    stored[1], stored[2], stored[3] = round(1 / slope), round(2 / slope), 32767
    path = nifti_file.write(tmp_path / "labels.nii.gz", stored, slope=slope)
    raw = np.unique(io.read(path).array)
    assert raw[1] != 1 and abs(raw[1] - 1) < 1e-3  # as it is stored
    assert np.unique(read_labels(path, "case p1: labels").array).tolist() == [0, 1, 2, 117]


def test_values_that_are_no_labels():
    halves = np.where(INSIDE, 2, 0).astype(np.float32)
    halves[0, 0, 0] = 1.5
    text = refusal(as_labels, halves)
    assert "labels that are not whole numbers" in text and "1 of 120 voxels, such as 1.5" in text
    assert "an interpolated label map?" in text
    assert "a probability map?" in refusal(as_labels, np.random.default_rng(0).random(SHAPE).astype(np.float32))
    near = np.where(INSIDE, np.float32(0.9989), 0).astype(np.float32)
    assert "such as 0.9989" in refusal(as_labels, near)
    assert as_labels(volume(np.where(INSIDE, np.float32(0.99999994), 0)), "l").array.max() == 1
    assert "set what is to be left out to 0" in refusal(as_labels, np.where(INSIDE, 1, -1))
    ct = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)
    assert "looks like an image such as a CT" in refusal(as_labels, ct)
    with pytest.raises(DataError, match="found: 1728 different values"):
        as_labels(volume(np.arange(1728).reshape(12, 12, 12), (12, 12, 12)), "l")


def test_labels_and_their_classes():
    labels = volume(np.where(INSIDE, 3, 0).astype(np.uint16))
    assert check_labels(labels, {"bone": 3}, "l").dtype == np.uint8
    with pytest.raises(DataError, match=r"belong to no class: /data(?s:.)*found: 3\n  expected: 0 and 1 \(bone\)"):
        check_labels(labels, {"bone": 1}, "l")
    with pytest.raises(DataError, match="it is empty"):
        check_labels(volume(np.zeros(SHAPE, np.uint8)), {"bone": 1}, "l")


def test_readers_name_the_file(tmp_path):
    path = nifti_file.write(tmp_path / "p1.nii", np.random.default_rng(0).random((5, 6, 7)).astype(np.float32))
    assert read_image(path, "case p1: MR").array.shape == (7, 6, 5)
    assert not is_hu(read_image(path, "case p1: CT"))
    for reader in (read_mask, read_labels):
        with pytest.raises(DataError, match="case p1: seg: .*p1.nii"):
            reader(path, "case p1: seg")
