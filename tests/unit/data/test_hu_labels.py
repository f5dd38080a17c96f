import numpy as np
import pytest

from afpbench.base.errors import DataError
from afpbench.data.hu_labels import hu_labels
from afpbench.volumes.io import Geometry, Volume

GRID = Geometry((12, 60, 60), (3.0, 1.0, 1.0))


def limb(noise=0.0):
    """A leg: radius 26 mm, fat from 20 mm outwards, a bone of 4 to 8 mm with marrow, in air."""
    y, x = np.mgrid[:60, :60] - 30
    radius = np.hypot(y, x)
    plane = np.full((60, 60), -1000.0)
    plane[radius <= 26] = -100
    plane[radius <= 20] = 55
    plane[radius <= 8] = 700
    plane[radius <= 4] = -60
    array = np.repeat(plane[None], 12, axis=0)
    return Volume(array + np.random.default_rng(0).normal(0, noise, array.shape), GRID), radius


BONE = {"hu": [180, 3071], "close_mm": 2, "fill": True}


def test_the_first_structure_wins_and_marrow_is_bone():
    ct, radius = limb()
    labels = hu_labels(ct, {"bone": BONE, "muscle": {"hu": [-20, 150]}, "fat": {"hu": [-190, -30]}}, "p1")
    assert labels.dtype == np.uint8
    plane = labels[5]
    assert (plane[radius <= 8] == 1).all()
    assert (plane[(radius > 9) & (radius <= 20)] == 2).all()
    assert (plane[(radius > 21) & (radius <= 26)] == 3).all()
    assert (plane[radius > 26] == 0).all()


def test_without_filling_the_marrow_is_fat():
    ct, radius = limb()
    labels = hu_labels(ct, {"bone": {"hu": [180, 3071]}, "fat": {"hu": [-190, -30]}}, "p1")
    assert (labels[5][radius <= 4] == 2).all()


def test_the_ranges_include_both_ends_and_the_top_is_open():
    array = np.full((4, 20, 20), 55, np.int16)
    array[:, :, 10:] = 150
    array[:, :, 15:] = 4000
    structures = {"muscle": {"hu": [55, 150]}, "bone": {"hu": [180, 3071]}}
    labels = hu_labels(Volume(array, Geometry(array.shape, (1.0, 1.0, 1.0))), structures, "p1")
    assert (labels[:, :, :15] == 1).all()
    assert (labels[:, :, 15:] == 2).all()


def test_margin_keeps_away_from_what_is_taken():
    ct, radius = limb()
    labels = hu_labels(ct, {"bone": BONE, "muscle": {"hu": [-20, 150], "margin_mm": 3}}, "p1")
    assert not (labels[5] == 2)[radius < 10].any()
    assert (labels[5] == 2)[(radius > 12) & (radius < 19)].all()


def test_opening_removes_a_thin_layer_and_small_components_go():
    ct, radius = limb()
    array = ct.array.copy()
    array[:, (radius > 24) & (radius <= 26)] = 40  # skin, 2 mm
    array[5, 4:6, 30] = 300  # a speck in the fat
    structures = {"bone": {**BONE, "min_volume_mm3": 100}, "muscle": {"hu": [-20, 150], "open_mm": 2.5}}
    labels = hu_labels(ct.with_array(array), structures, "p1")
    assert not labels[5][radius > 21].any()
    assert (labels[5] == 2)[(radius > 9) & (radius < 19)].all()


def test_smoothing_mends_noise():
    ct, radius = limb(noise=40)
    inside = (radius > 11) & (radius < 17)
    raw = hu_labels(ct, {"muscle": {"hu": [0, 110]}}, "p1")[5][inside].mean()
    smooth = hu_labels(ct, {"muscle": {"hu": [0, 110], "smooth_mm": 1.5}}, "p1")[5][inside].mean()
    assert raw < 0.9 < 0.99 < smooth


def test_what_lies_outside_the_body_gets_no_label():
    ct, _ = limb()
    array = np.pad(ct.array, ((0, 0), (0, 12), (0, 0)), constant_values=-1000)
    array[:, 64:66] = 50  # a table of 2 mm
    volume = Volume(array, Geometry(array.shape, GRID.spacing_mm))
    labels = hu_labels(volume, {"muscle": {"hu": [-20, 150]}}, "p1")
    assert labels[:, :57].any() and not labels[:, 57:].any()


def test_a_structure_without_voxels_is_an_error():
    ct, _ = limb()
    with pytest.raises(DataError) as error:
        hu_labels(ct, {"bone": {"hu": [180, 3071]}, "metal": {"hu": [2500, 3071]}}, "STS_001")
    assert "case STS_001: no voxel of 'metal' in the CT" in str(error.value)
    assert "widen data.labels.structures.metal" in str(error.value)
