import numpy as np
import pytest

from afpbench.base.errors import DataError
from afpbench.volumes import io, mr_range
from afpbench.volumes.io import Geometry, Volume

STATISTICS = {"scheme": "minmax", "clip_percentiles": [0, 100]}
SIZES = {"a": (10, 20, 30), "b": (12, 20, 25)}


def volume(shape, spacing_mm=(2.0, 1.0, 1.0), direction=io.IDENTITY):
    """Values that are spread evenly, so that percentiles are known."""
    array = np.linspace(0, 100, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    return Volume(array, Geometry(shape, spacing_mm, direction=direction))


@pytest.fixture
def seen(tmp_path):
    for case, shape in SIZES.items():
        io.write(volume(shape), tmp_path / case / "mr.nii.gz")
    folders = {case: tmp_path / case for case in SIZES}
    return mr_range.fit(folders, folders, STATISTICS)


def test_the_ranges_of_two_cases_by_hand(seen):
    assert seen["cases"] == 2 and seen["percentiles"] == [1, 50, 99]
    assert seen["spacing_mm"] == {"low": [2, 1, 1], "high": [2, 1, 1]}
    assert seen["extent_mm"] == {"low": [20, 20, 25], "high": [24, 20, 30]}
    assert seen["tilt_degrees"] == {"low": 0, "high": 0}
    assert np.allclose(seen["normalised"]["low"], [-0.98, 0, 0.98], atol=1e-3)


def of(mr, seen):
    return mr_range.findings([mr.geometry], [mr], STATISTICS, seen)


def test_an_mr_like_those_of_the_training_says_nothing(seen):
    assert of(volume((11, 21, 31)), seen) == []
    assert of(volume((12, 20, 25)).with_array(7 * volume((12, 20, 25)).array + 3), seen) == []


def test_size_voxels_tilt_and_intensities_are_told(seen):
    assert of(volume((16, 20, 30)), seen) == ["its size along z: 32 mm; the training saw 20 to 24 mm"]
    found = of(volume((11, 20, 15), (2.0, 1.0, 2.0)), seen)
    assert found == ["its voxels along x: 2 mm; the training saw 1 to 1 mm"]
    turn = np.radians(20)
    tilted = (1.0, 0.0, 0.0, 0.0, np.cos(turn), -np.sin(turn), 0.0, np.sin(turn), np.cos(turn))
    assert of(volume((11, 20, 30), direction=tilted), seen) == ["it is tilted by 20 degrees; the training saw up to 0"]
    dark = volume((11, 20, 30))
    dark.array[:] = np.where(dark.array > 99.5, 1000, dark.array / 100)
    assert "its normalised intensities, percentile 50: -1.00; the training saw" in " ".join(of(dark, seen))


@pytest.mark.parametrize("factor", [0.1, 0.001, 10.0])
def test_voxel_sizes_that_are_not_in_mm(seen, factor):
    grid = volume((11, 20, 30), (2 * factor, factor, factor)).geometry
    with pytest.raises(DataError, match="case p: MR: its voxel sizes cannot be in mm") as error:
        mr_range.check_unit(grid, seen, "case p: MR")
    assert "expected: about 20 x 20 x 25 to 24 x 20 x 30 mm" in str(error.value)


def test_a_slab_is_no_error_of_the_unit(seen):
    mr_range.check_unit(volume((2, 20, 30)).geometry, seen, "case p: MR")
