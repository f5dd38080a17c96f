"""Each thing that may be wrong with a file: its own message, or simply read."""

import gzip
import shutil

import nibabel
import nifti_file
import numpy as np
import pytest
import SimpleITK as sitk
from nifti_file import AFFINE

from afpbench.base.errors import DataError
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

CT = np.random.default_rng(0).integers(-1000, 1000, (10, 12, 14)).astype(np.int16)  # x, y, z
GRID = Geometry((14, 12, 10), (3.0, 1.5, 2.0))


def message(path):
    with pytest.raises(DataError) as error:
        io.read(path, "case p1: CT")
    text = str(error.value)
    assert text.startswith("case p1: CT: ") and str(path) in text
    return text


# --- where a NIfTI file lies: qform, sform and pixdim


def sheared(**options):
    affine = AFFINE.copy()
    affine[1, 2] = 0.26  # 5 degrees of gantry tilt: y moves with the slices
    return {"affine": affine, **options}


@pytest.mark.parametrize("options", [sheared(), sheared(qform=AFFINE), sheared(qform=AFFINE, sform=2)])
def test_a_sheared_sform_is_refused_with_its_reason(tmp_path, options):
    text = message(nifti_file.write(tmp_path / "ct.nii.gz", CT, **options))
    assert "not on a regular grid" in text and "its sform" in text
    assert "found: its sform is sheared: the far end of the volume leans by 3.38 mm" in text  # 13 x 0.26
    assert "gantry tilt" in text and "truncated" not in text


def test_a_sform_is_sheared_from_a_tenth_of_a_voxel_over_the_whole_stack(tmp_path):
    affine = AFFINE.copy()
    affine[1, 2] = 0.011  # 13 slices: 0.143 mm, under a tenth of 1.5 mm
    io.read(nifti_file.write(tmp_path / "ct.nii", CT, affine=affine, qform=AFFINE))
    assert "gantry tilt" in message(nifti_file.write(tmp_path / "ct.nii", CT, affine=affine))  # ITK is stricter
    affine[1, 2] = 0.012
    assert "leans by 0.156 mm" in message(nifti_file.write(tmp_path / "ct.nii", CT, affine=affine))


def test_a_qform_and_a_sform_that_contradict_each_other(tmp_path):
    moved = AFFINE.copy()
    moved[0, 3] += 4
    for code in (1, 2):  # ITK takes the sform for code 1 and the qform for code 2
        text = message(nifti_file.write(tmp_path / "ct.nii.gz", CT, sform=code, qform=moved))
        assert "its header contradicts itself" in text and "a corner of the volume 4 mm" in text
    io.read(nifti_file.write(tmp_path / "ct.nii.gz", CT, sform=2, qform=AFFINE))


def test_voxel_sizes_that_contradict_the_sform(tmp_path):
    """ITK takes 1 mm for each axis, and says nothing."""
    text = message(nifti_file.write(tmp_path / "ct.nii", CT, patches=[(80, "<3f", 1, 1, 1)]))
    assert "the sform places a corner of the volume" in text and "the voxel sizes (pixdim)" in text


@pytest.mark.parametrize("qform", [None, AFFINE])
def test_what_places_a_volume_is_read(tmp_path, qform):
    volume = io.read(nifti_file.write(tmp_path / "ct.nii.gz", CT, qform=qform))
    assert volume.geometry.matches(
        Geometry((14, 12, 10), (3.0, 1.5, 2.0), (5.0, 6.0, 7.0), (-1, 0, 0, 0, -1, 0, 0, 0, 1))
    )
    assert np.array_equal(volume.array, CT.transpose(2, 1, 0))


def test_an_oblique_qform_is_where_itk_places_it(tmp_path):
    angle = np.deg2rad(30)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = turn @ AFFINE @ np.diag([-1, 1, 1, 1])  # left-handed: qfac is -1
    for name, options in {"both": {"qform": oblique}, "qform": {"qform": oblique, "sform": 0}}.items():
        geometry = io.read(nifti_file.write(tmp_path / f"{name}.nii", CT, affine=oblique, **options)).geometry
        assert geometry.spacing_mm == pytest.approx((3, 1.5, 2))
        columns = np.array(geometry.direction).reshape(3, 3)
        assert columns[:, 2] == pytest.approx((0, 0.5, np.cos(angle)))


def test_a_qfac_that_readers_take_differently(tmp_path):
    """The standard's own library goes by the sign, NiBabel takes 1 for all but -1."""
    text = message(nifti_file.write(tmp_path / "ct.nii", CT, sform=0, qform=AFFINE, patches=[(76, "<f", -2.0)]))
    assert "found: a qfac (pixdim[0]) of -2" in text


def test_a_qform_whose_quaternion_is_none(tmp_path):
    patches = [(256, "<3f", 0.8, 0.8, 0.8)]
    text = message(nifti_file.write(tmp_path / "ct.nii", CT, sform=0, qform=AFFINE, patches=patches))
    assert "found: a quaternion of length 1.386 in its qform" in text


def test_no_place_at_all_is_a_warning(tmp_path, caplog):
    io.read(nifti_file.write(tmp_path / "ct.nii", CT, sform=0))
    assert "says nothing of the image's place" in caplog.text
    text = message(nifti_file.write(tmp_path / "ct.nii", CT, sform=0, patches=[(80, "<f", 0)]))
    assert "a voxel size of 0 x 1.5 x 3" in text


@pytest.mark.parametrize("name", ["ct.mha", "ct.nrrd"])
def test_other_formats_whose_axes_are_sheared(tmp_path, name):
    sitk.WriteImage(sitk.GetImageFromArray(CT), str(tmp_path / name))
    data = (tmp_path / name).read_bytes()
    data = data.replace(b"TransformMatrix = 1 0 0 0 1 0 0 0 1", b"TransformMatrix = 1 0 0 0 1 0 0 0.1 1")
    data = data.replace(b"(0,0,1)", b"(0,0.1,1)")
    (tmp_path / name).write_bytes(data)
    assert "not on a regular grid" in message(tmp_path / name)


# --- what a file is


def test_nifti_2(tmp_path):
    text = message(nifti_file.write(tmp_path / "ct.nii.gz", CT, kind=nibabel.Nifti2Image))
    assert "found: a header of NIfTI-2" in text and "convert it to NIfTI-1" in text and "truncated" not in text


def test_a_plain_nifti_named_gz_is_read(tmp_path):
    (tmp_path / "ct.nii.gz").write_bytes(nifti_file.content(CT))
    assert np.array_equal(io.read(tmp_path / "ct.nii.gz").array, CT.transpose(2, 1, 0))


def test_a_compressed_nifti_without_gz_in_its_name_is_read(tmp_path):
    (tmp_path / "ct.nii").write_bytes(gzip.compress(nifti_file.content(CT)))
    assert np.array_equal(io.read(tmp_path / "ct.nii").array, CT.transpose(2, 1, 0))


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nii", "ct.NII.GZ", "ct.NII"])
@pytest.mark.parametrize("other", ["ct.nii.gz", "ct.nii", "ct.NII.GZ", "ct.NII", "ct.img", "ct.hdr"])
def test_a_file_is_read_and_not_the_one_beside_it(tmp_path, name, other):
    """ITK, asked for ct.nii.gz, takes its header and the voxels of ct.nii."""
    nifti_file.write(tmp_path / other, CT + np.int16(1))
    nifti_file.write(tmp_path / name, CT)
    assert np.array_equal(io.read(tmp_path / name).array, CT.transpose(2, 1, 0))


def test_a_file_of_macos_beside_the_image(tmp_path):
    (tmp_path / "._ct.nii.gz").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(300))
    text = message(tmp_path / "._ct.nii.gz")
    assert "AppleDouble" in text and "give ct.nii.gz itself" in text and "truncated" not in text


def test_endings_in_capitals(tmp_path):
    for name in ("ct.NII.GZ", "ct.NII", "ct.Nii.gz", "ct.nii.GZ"):
        assert np.array_equal(io.read(nifti_file.write(tmp_path / name, CT)).array, CT.transpose(2, 1, 0))


@pytest.mark.parametrize("name", ["ct.NII", "ct.NII.GZ", "ct.Nii.gz", "ct.nii", "ct.nii.gz"])
def test_guards_hold_for_endings_in_capitals(tmp_path, name):
    values = CT.astype(np.float32)
    values[1, 2, 3] = np.nan
    text = message(nifti_file.write(tmp_path / name, values))
    assert "NaN or infinite voxels" in text and "1 of 1680 voxels" in text
    path = nifti_file.write(tmp_path / name, CT)
    path.write_bytes(path.read_bytes()[:-200])
    assert "truncated" in message(path)


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        ((344, "4s", b"ni1\0"), "half of a pair of .hdr and .img"),
        ((344, "4s", bytes(4)), "Analyze 7.5"),
        ((72, "<h", 8), "the datatype 4 of 8 bits"),  # ITK would fill up what is missing
        ((70, "<h", 3), "the datatype 3 of 16 bits"),
        ((108, "<f", 0), "voxels from byte 0 on"),  # ITK would read the header's end as voxels
        ((108, "<f", float("nan")), "voxels from byte nan on"),
        ((46, "<h", 12), "3360 bytes of voxels\n  expected: 2880 bytes"),  # dim[3]: two slices would go unseen
        ((280, "<f", float("nan")), "NaN or infinity in its qform or sform"),
        ((42, "<h", 0), "a size of 0 x 12 x 14"),
        ((112, "<f", 1e-30), "values of 1e-30 x stored + 0"),  # ITK would leave the slope out
        ((112, "<f", float("inf")), "values of inf x stored + 0"),
        ((112, "<2f", 2, float("nan")), "values of 2 x stored + nan"),
        ((112, "<2f", 0, 5), "values of 0 x stored + 5"),  # the standard: no scaling; ITK would add the 5
    ],
)
def test_a_header_that_cannot_be(tmp_path, patch, found):
    assert found in message(nifti_file.write(tmp_path / "ct.nii", CT, patches=[patch]))


def test_formats_that_are_not_read(tmp_path):
    image = tmp_path / "ct.tif"
    sitk.WriteImage(sitk.GetImageFromArray(CT), str(image))
    assert "found: the ending .tif" in message(image) and "convert it" in message(image)
    assert "a folder" in message(tmp_path)
    (tmp_path / "link.nii").symlink_to(tmp_path / "nowhere.nii")
    assert "a link to nowhere" in message(tmp_path / "link.nii")


# --- what is in it


@pytest.mark.parametrize("extra", [(1,), (1, 1)])
def test_axes_of_one_voxel_are_left_out(tmp_path, extra):
    path = nifti_file.write(tmp_path / "ct.nii.gz", CT.reshape(*CT.shape, *extra))
    assert np.array_equal(io.read(path).array, CT.transpose(2, 1, 0))
    sitk.WriteImage(sitk.GetImageFromArray(CT.reshape(*CT.shape, *extra).T, isVector=False), str(tmp_path / "ct.nrrd"))
    assert np.array_equal(io.read(tmp_path / "ct.nrrd").array, CT.transpose(2, 1, 0))


def test_several_volumes_and_single_slices(tmp_path):
    assert "split a 4D series" in message(nifti_file.write(tmp_path / "ct.nii", np.stack([CT, CT], axis=3)))
    assert "not a slice" in message(nifti_file.write(tmp_path / "ct.nii", CT[:, :, :1]))


@pytest.mark.parametrize("name", ["ct.mha", "ct.nrrd", "ct.mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_other_formats_cut_off(tmp_path, name, compressed):
    sitk.WriteImage(sitk.GetImageFromArray(CT), str(tmp_path / name), compressed)
    held = next(path for path in tmp_path.iterdir() if path.suffix != ".mhd")
    held.write_bytes(held.read_bytes()[:-100])
    assert "cannot read" in message(tmp_path / name)


@pytest.mark.parametrize(("name", "size"), [("ct.mha", b"DimSize = 14 12 10"), ("ct.nrrd", b"sizes: 14 12 10")])
def test_a_header_that_claims_more_than_the_file_holds_takes_no_memory(tmp_path, name, size):
    sitk.WriteImage(sitk.GetImageFromArray(CT), str(tmp_path / name))
    data = (tmp_path / name).read_bytes()
    assert size in data
    (tmp_path / name).write_bytes(data.replace(size, size.split(b"14")[0] + b"30000 20000 4000"))
    assert f"a header of {30000 * 20000 * 4000 * 2} bytes of voxels" in message(tmp_path / name)


@pytest.mark.parametrize("name", ["ct.mha", "ct.nrrd", "ct.mhd"])
def test_a_header_that_leaves_slices_out(tmp_path, name):
    sitk.WriteImage(sitk.GetImageFromArray(CT), str(tmp_path / name))
    header = (tmp_path / name).read_bytes()
    changed = header.replace(b"DimSize = 14 12 10", b"DimSize = 14 12 9").replace(b"sizes: 14 12 10", b"sizes: 14 12 9")
    assert changed != header
    (tmp_path / name).write_bytes(changed)
    assert "found: a header of 3024 bytes of voxels, and 3360 bytes in the file" in message(tmp_path / name)


def test_a_spacing_of_zero(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(CT), str(tmp_path / "ct.mha"))
    data = (tmp_path / "ct.mha").read_bytes()
    (tmp_path / "ct.mha").write_bytes(data.replace(b"ElementSpacing = 1 1 1", b"ElementSpacing = 1 1 0"))
    assert "correct the spacing in the header" in message(tmp_path / "ct.mha")


def test_written_files_are_read(tmp_path):
    """What afpbench writes passes its own guards, uncompressed copies of it too."""
    volume = Volume(CT.transpose(2, 1, 0), GRID)
    for name in ("ct.nii.gz", "ct.nii", "ct.mha", "ct.mhd", "ct.nrrd"):
        io.write(volume, tmp_path / name)
        assert np.array_equal(io.read(tmp_path / name).array, volume.array)
    shutil.copy(tmp_path / "ct.nii", tmp_path / "copy.nii")
    assert io.read(tmp_path / "copy.nii").geometry.matches(GRID)
