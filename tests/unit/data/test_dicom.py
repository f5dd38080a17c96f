import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_series import SECRETS, write_series

from afpbench.base.errors import DataError
from afpbench.data import dicom
from afpbench.volumes import io

STORED = (np.arange(4 * 5 * 6).reshape(4, 5, 6) + 1000).astype(np.uint16)


def failure(folder, *arguments):
    with pytest.raises(DataError) as error:
        dicom.read_series(folder, "case p1: CT", *arguments)
    message = str(error.value)
    assert message.startswith("case p1: CT: ")
    assert not [secret for secret in SECRETS if secret in message]
    return message


def test_values_by_slope_and_intercept_and_spacing_by_position(tmp_path):
    volume = dicom.read_series(write_series(tmp_path / "ct", STORED, slope=2.0, intercept=-1024.0), "case p1: CT", "CT")
    np.testing.assert_array_equal(volume.array, STORED * 2.0 - 1024)
    assert volume.array.dtype == np.float32
    assert volume.spacing_mm == (3.0, 2.0, 1.0)  # z by position, not 5.0 by thickness; then row and column spacing
    assert volume.geometry.origin_mm == (-20.0, -10.0, 5.0)
    assert volume.geometry.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_without_slope_the_stored_values(tmp_path):
    folder = write_series(tmp_path / "mr", STORED, modality="MR", slope=None)
    np.testing.assert_array_equal(dicom.read_series(folder, "case p1: MR", "MR").array, STORED)


def test_a_sagittal_series_lies_where_itk_puts_it(tmp_path):
    folder = write_series(tmp_path / "mr", STORED, orientation=(0, 1, 0, 0, 0, -1), step_mm=(-4.0, 0.0, 0.0))
    volume = dicom.read_series(folder, "case p1: MR")
    files = sorted(str(path) for path in folder.iterdir())
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files[::-1])
    theirs = sitk.DICOMOrient(reader.Execute(), "LPS")
    ours = sitk.DICOMOrient(io.to_sitk(volume), "LPS")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs))
    assert io.geometry_of(ours).matches(io.geometry_of(theirs))


def test_other_files_are_passed_over(tmp_path):
    folder = write_series(tmp_path / "ct", STORED)
    (folder / "notes.txt").write_text("not an image")
    (folder / "DICOMDIR").write_bytes(b"\0" * 200)
    assert dicom.read_series(folder, "case p1: CT").array.shape == STORED.shape


def test_a_mixed_folder_is_told_apart_by_modality_or_series(tmp_path):
    write_series(tmp_path / "all", STORED, series="1.2.3", prefix="a")
    write_series(tmp_path / "all", STORED + 1, series="1.2.4", prefix="b")
    write_series(tmp_path / "all" / "mr", STORED + 2, series="1.2.5", modality="MR", slope=None)
    assert dicom.read_series(tmp_path / "all", "case p1: MR", "MR").array[0, 0, 0] == 1002
    assert dicom.read_series(tmp_path / "all", "case p1: CT", "CT", "1.2.4").array[0, 0, 0] == 1001 - 1024
    message = failure(tmp_path / "all", "CT")
    assert "several DICOM series of modality CT" in message
    assert "found: CT, 4 files of 6 x 5, such as a001; CT, 4 files of 6 x 5, such as b001; MR, 4 files" in message
    assert "column `mr_series` or `ct_series`" in message
    assert "no DICOM series of modality CT and the given series UID" in failure(tmp_path / "all", "CT", "1.2.5")


def test_a_folder_without_images(tmp_path):
    (tmp_path / "x").mkdir()
    assert "no DICOM series of modality CT in" in failure(tmp_path / "x", "CT")


def test_a_missing_slice(tmp_path):
    message = failure(write_series(tmp_path / "ct", np.repeat(STORED, 2, axis=0), skip=(3,)))
    assert "a slice is missing in" in message
    assert "found: 6.00 mm between slices 3 and 4 of 7\n  expected: 3.00 mm" in message


def test_uneven_spacing(tmp_path):
    write_series(tmp_path / "ct", STORED[:3])
    write_series(tmp_path / "ct", STORED[:1], origin_mm=(-20, -10, 5 + 9.4), prefix="t")
    message = failure(tmp_path / "ct")
    assert "slices are unevenly spaced" in message and "found: 3.40 mm between slices 3 and 4 of 4" in message


def test_two_slices_at_one_position(tmp_path):
    write_series(tmp_path / "ct", STORED)
    write_series(tmp_path / "ct", STORED, prefix="t")
    assert "found: slices 1 and 2 of 8, both at 5.00 mm" in failure(tmp_path / "ct")


def test_gantry_tilt(tmp_path):
    message = failure(write_series(tmp_path / "ct", STORED, step_mm=(0.0, 1.0, 3.0)))
    assert "a CT with gantry tilt" in message
    assert "found: each slice lies 1.00 mm beside the one before, a tilt of 18.4 degrees" in message


def test_a_scout_in_the_series(tmp_path):
    write_series(tmp_path / "ct", STORED)
    write_series(tmp_path / "ct", np.zeros((1, 9, 9), np.uint16), origin_mm=(0, 0, 99), prefix="scout")
    assert "slices of different size, spacing or orientation in one series" in failure(tmp_path / "ct")


def test_one_slice_alone(tmp_path):
    assert "not a volume" in failure(write_series(tmp_path / "ct", STORED[:1]))


def test_truncated_pixels(tmp_path):
    folder = write_series(tmp_path / "ct", STORED)
    path = folder / "s002"
    path.write_bytes(path.read_bytes()[:-10])
    message = failure(folder)
    assert "cannot read the pixels of" in message and "s002" in message and "truncated" in message


def test_no_warning_quotes_the_header(tmp_path, recwarn):
    folder = write_series(tmp_path / "ct", STORED)
    for path in folder.iterdir():
        image = pydicom.dcmread(path)
        image.AccessionNumber = "Planted^Name, too long"
        image.save_as(path)
    recwarn.clear()
    dicom.read_series(folder, "case p1: CT")
    assert not [warning for warning in recwarn if "Planted" in str(warning.message) or "length" in str(warning.message)]


@pytest.mark.parametrize(("part", "name"), [("CT", "CT_image"), ("MR_T1", "MR_T1_image")])
def test_a_patient_has_the_voxels_of_its_nifti(real_data, part, name):
    volume = dicom.read_series(real_data / "sts_dicom/STS_044" / part / "image", "case STS_044")
    nifti = io.read(real_data / f"sts/STS_044/{name}.nii.gz")
    np.testing.assert_array_equal(volume.array, nifti.array)
    assert volume.geometry.matches(nifti.geometry)


def test_a_ct_with_an_intercept_lies_where_itk_puts_it(real_data):
    folder = real_data / "totalsegmentator" / "example_ct_dicom"
    volume = dicom.read_series(folder, "case p1: CT", "CT")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    theirs = io.from_sitk(reader.Execute())
    np.testing.assert_array_equal(volume.array, theirs.array)
    assert volume.geometry.matches(theirs.geometry)
    assert volume.array.min() == -1024
