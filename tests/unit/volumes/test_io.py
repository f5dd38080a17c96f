import gzip

import numpy as np
import pytest
import SimpleITK as sitk

from afpbench.base.errors import DataError
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

ANGLE = np.deg2rad(20)
OBLIQUE = (np.cos(ANGLE), -np.sin(ANGLE), 0.0, np.sin(ANGLE), np.cos(ANGLE), 0.0, 0.0, 0.0, 1.0)
GRID = Geometry((3, 4, 5), (3.0, 2.0, 1.5), (-10.5, 20.25, 300.0), OBLIQUE)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mha", "a.nrrd"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint8])
def test_round_trip_of_an_oblique_volume(tmp_path, name, dtype):
    array = np.arange(60, dtype=dtype).reshape(3, 4, 5)
    io.write(Volume(array, GRID), tmp_path / name)
    read = io.read(tmp_path / name, "case p1: CT")
    assert read.array.dtype == dtype and np.array_equal(read.array, array)
    assert read.geometry.matches(GRID)
    assert read.source == str(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_axes_are_turned_once(tmp_path):
    """z, y, x here; x, y, z in SimpleITK. The origin and the direction stay in x, y, z."""
    array = np.zeros((3, 4, 5), np.int16)
    array[2, 1, 0] = 7
    io.write(Volume(array, GRID), tmp_path / "a.nii.gz")
    image = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    assert image.GetSize() == (5, 4, 3)
    assert np.allclose(image.GetSpacing(), (1.5, 2.0, 3.0))
    assert image[0, 1, 2] == 7
    # direction @ (spacing * index) + origin, by hand
    expected = (-10.5 - np.sin(ANGLE) * 2.0, 20.25 + np.cos(ANGLE) * 2.0, 300.0 + 6.0)
    assert np.allclose(image.TransformIndexToPhysicalPoint((0, 1, 2)), expected, atol=1e-5)


def test_vectors_round_trip(tmp_path):
    array = np.random.default_rng(0).normal(size=(3, 4, 5, 3)).astype(np.float32)
    io.write(Volume(array, GRID), tmp_path / "field.nii.gz")
    read = io.read(tmp_path / "field.nii.gz")
    assert np.array_equal(read.array, array) and read.geometry.shape == (3, 4, 5)


def test_a_boolean_mask_is_written_as_uint8(tmp_path):
    io.write(Volume(np.eye(4, 5)[None].repeat(3, 0) > 0, GRID), tmp_path / "mask.nii.gz")
    read = io.read(tmp_path / "mask.nii.gz").array
    assert read.dtype == np.uint8 and read.sum() == 12


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError) as error:
        io.read(tmp_path / "mr.nii.gz", "case p07: MR")
    text = str(error.value)
    assert text.startswith(f"case p07: MR: no such file: {tmp_path}/mr.nii.gz")
    assert "expected: an image file" in text and "hint: check the path" in text


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(DataError, match="case p1: CT: no such file"):
        io.read(tmp_path, "case p1: CT")


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_truncated_gzip_file(tmp_path, share):
    array = np.random.default_rng(0).integers(-1000, 1000, (20, 30, 40)).astype(np.int16)
    path = tmp_path / "ct.nii.gz"
    io.write(Volume(array, Geometry((20, 30, 40), (1.0, 1.0, 1.0))), path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DataError, match="case p2: CT: cannot read") as error:
        io.read(path, "case p2: CT")
    assert "found: " in str(error.value) and "truncated" in str(error.value)


def test_a_truncated_plain_file(tmp_path):
    path = tmp_path / "ct.nii"
    io.write(Volume(np.ones((20, 30, 40), np.int16), Geometry((20, 30, 40), (1.0, 1.0, 1.0))), path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="case p2: CT: cannot read"):
        io.read(path, "case p2: CT")


@pytest.mark.parametrize("content", [b"", b"not an image", gzip.compress(b"not an image", mtime=0)])
def test_a_file_of_another_kind(tmp_path, content):
    (tmp_path / "ct.nii.gz").write_bytes(content)
    with pytest.raises(DataError, match="case p3: CT: cannot read: .*ct.nii.gz") as error:
        io.read(tmp_path / "ct.nii.gz", "case p3: CT")
    assert "found: " in str(error.value) and "hint: the file" in str(error.value)


def test_an_unreadable_file_of_another_format(tmp_path):
    (tmp_path / "ct.mha").write_bytes(b"not an image")
    with pytest.raises(DataError, match="case p3: CT: cannot read: .*ct.mha") as error:
        io.read(tmp_path / "ct.mha", "case p3: CT")
    assert ".nii.gz, .nii, .mha" in str(error.value) and "copy it again" in str(error.value)


def test_nan_is_not_turned_into_zero(tmp_path):
    array = np.ones((3, 4, 5), np.float32)
    array[1, 2, 3] = np.nan
    io.write(Volume(array, GRID), tmp_path / "ct.nii.gz")
    with pytest.raises(DataError, match="case p5: synthetic CT: NaN or infinite voxels.*\n  found: 1 of 60 voxels"):
        io.read(tmp_path / "ct.nii.gz", "case p5: synthetic CT")


def test_a_series_of_volumes(tmp_path):
    image = sitk.Image([4, 4, 4, 3], sitk.sitkFloat32)
    sitk.WriteImage(image, str(tmp_path / "cine.nii.gz"))
    with pytest.raises(DataError, match=r"case p4: MR: not a 3D volume") as error:
        io.read(tmp_path / "cine.nii.gz", "case p4: MR")
    assert "(4, 4, 4, 3)" in str(error.value) and "split a 4D series" in str(error.value)


def test_a_single_slice(tmp_path):
    sitk.WriteImage(sitk.Image([4, 4, 1], sitk.sitkInt16), str(tmp_path / "slice.nii.gz"))
    with pytest.raises(DataError, match="not a 3D volume"):
        io.read(tmp_path / "slice.nii.gz", "case p4: MR")


def test_grids_that_match_and_that_do_not():
    def changed(**values):
        return Geometry(**{**GRID.__dict__, **values})

    assert GRID.matches(changed(origin_mm=(-10.5004, 20.25, 300.0)))
    assert not GRID.matches(changed(origin_mm=(-10.4, 20.25, 300.0)))
    assert not GRID.matches(changed(shape=(3, 4, 6)))
    assert not GRID.matches(changed(spacing_mm=(3.0, 2.0, 1.6)))
    assert not GRID.matches(changed(direction=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)))


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.nii.gz"
    io.write(Volume(np.ones((3, 4, 5), np.int16), GRID), path)
    with pytest.raises((RuntimeError, TypeError, KeyError)):
        io.write(Volume(np.ones((3, 4, 5), object), GRID), path)
    assert io.read(path).array.sum() == 60
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


def test_hu_as_stored():
    stored = io.save_hu(np.array([-2000.0, -1024.4, -0.5, 0.5, 1.5, 99.6, 5000.0]))
    assert stored.dtype == np.int16
    assert stored.tolist() == [-1024, -1024, 0, 0, 2, 100, 3071]


def test_a_real_patient(real_data):
    folder = sorted((real_data / "sts").glob("STS_*"))[0]
    ct = io.read(folder / "CT_image.nii.gz", f"case {folder.name}: CT")
    assert ct.array.ndim == 3 and -1100 < ct.array.min() < -500 and ct.array.max() > 500


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mha", "a.nrrd"])
def test_a_full_disk_leaves_no_half_file(full_disk, name):
    io.write(Volume(np.zeros(GRID.shape, np.int16), GRID), full_disk / "before.nii.gz")
    noise = np.random.default_rng(0).integers(0, 1000, (40, 64, 64)).astype(np.int16)
    volume = Volume(noise, Geometry(noise.shape, (1.0, 1.0, 1.0)))
    with pytest.raises(
        DataError, match=f"cannot write .*{name}\n  found: .*(?s:.)*make room on the disk and run again"
    ):
        io.write(volume, full_disk / name)
    assert [path.name for path in full_disk.iterdir()] == ["before.nii.gz"]
    assert io.read(full_disk / "before.nii.gz").array.shape == GRID.shape


def test_a_grid_is_copied_between_files_of_one_size_only(tmp_path):
    small, large = (
        Volume(np.zeros(shape, np.int16), Geometry(shape, (1.0, 1.0, 1.1))) for shape in ((3, 4, 5), (3, 4, 6))
    )
    io.write(large, tmp_path / "large.nii.gz")
    with pytest.raises(DataError, match=r"not of the size of .*large.nii.gz\n.*two NIfTI-1 files on one grid"):
        io.write(small, tmp_path / "small.nii.gz", like=tmp_path / "large.nii.gz")
    assert not (tmp_path / "small.nii.gz").exists()
    io.write(small, tmp_path / "small.mha", like=tmp_path / "large.nii.gz")  # another format has no such header
    assert io.read(tmp_path / "small.mha").array.shape == (3, 4, 5)


@pytest.mark.parametrize(
    ("spacing_mm", "tilt", "same"),
    [((3.0009, 1.0, 1.0), 0.0, False), ((3.0, 1.0, 1.0009), 0.0, False), ((3.0005, 1.0, 1.0), 9e-5, True)],
)
def test_what_is_small_for_a_voxel_is_held_against_the_whole_grid(spacing_mm, tilt, same):
    direction = (1.0, 0.0, 0.0, 0.0, 1.0, -tilt, 0.0, tilt, 1.0)
    grid = Geometry((300, 400, 400), (3.0, 1.0, 1.0))  # 299 x 0.0009 mm and 399 x 0.0009 mm are over 0.25 mm
    assert grid.matches(Geometry(grid.shape, spacing_mm, direction=direction)) == same
    assert Geometry((4, 4, 4), grid.spacing_mm).matches(Geometry((4, 4, 4), spacing_mm, direction=direction))


def test_the_corners_of_a_grid():
    corners = Geometry((3, 4, 5), (2.0, 1.5, 1.0), (10.0, 20.0, 30.0), (0, 1, 0, 1, 0, 0, 0, 0, -1)).corners_mm()
    assert corners.shape == (8, 3)
    np.testing.assert_allclose(corners.min(axis=0), (10.0, 20.0, 26.0))
    np.testing.assert_allclose(corners.max(axis=0), (14.5, 24.0, 30.0))
