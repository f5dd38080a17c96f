import shutil
import subprocess

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_series import FRAME_UID, SECRETS, with_values, write_series

from afpbench.base.errors import DataError
from afpbench.data import dicom, dicom_writer
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

TURN = np.linalg.qr(np.array([[1, 0.2, 0], [0, 1, 0.3], [0.1, 0, 1]]))[0]
OBLIQUE = Geometry((5, 6, 7), (3.27, 0.976562, 1.1), (-84.123, -72.3, 10.07), tuple(TURN.ravel()))
LEFT_HANDED = Geometry((5, 6, 7), (3.0, 2.0, 1.0), (5.0, 6.0, 7.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, -1.0))


def ct_on(geometry, frame_uid=""):
    array = np.random.default_rng(0).integers(-1024, 3072, geometry.shape).astype(np.int16)
    array.flat[:2] = -1024, 3071
    return Volume(array, geometry, "mr", frame_uid=frame_uid)


@pytest.fixture
def mr_folder(tmp_path):
    position = with_values(PatientPosition="FFS", StudyID="7", AccessionNumber="A1", PatientSex="F")
    values = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
    return write_series(tmp_path / "mr", values, modality="MR", slope=None, edit=position)


def itk_volume(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return io.from_sitk(reader.Execute())


@pytest.mark.parametrize("geometry", [OBLIQUE, LEFT_HANDED], ids=["oblique", "left-handed"])
def test_voxels_and_geometry_come_back_by_every_reader(tmp_path, geometry):
    ct = ct_on(geometry)
    dicom_writer.write_series(ct, tmp_path / "ct", "thorax/l1")
    backwards = np.linalg.det(np.array(geometry.direction).reshape(3, 3)) < 0  # slices are sorted along their normal
    expected = ct.array[::-1] if backwards else ct.array
    corners = {tuple(corner) for corner in np.round(geometry.corners_mm(), 3)}
    for read in (dicom.read_series(tmp_path / "ct", "ct", "CT"), itk_volume(tmp_path / "ct")):
        assert np.array_equal(read.array, expected)
        assert {tuple(corner) for corner in np.round(read.geometry.corners_mm(), 3)} == corners
    for index, path in enumerate(sorted((tmp_path / "ct").iterdir())):
        image = pydicom.dcmread(path)
        assert np.array_equal(image.pixel_array * image.RescaleSlope + image.RescaleIntercept, ct.array[index])
        place = np.array(geometry.origin_mm) + index * geometry.spacing_mm[0] * np.array(geometry.direction)[2::3]
        assert np.allclose(image.ImagePositionPatient, place, atol=1e-6)


def test_uids_are_new_and_the_frame_of_reference_is_the_mrs(tmp_path):
    for name in ("one", "two"):
        dicom_writer.write_series(ct_on(OBLIQUE, FRAME_UID), tmp_path / name, "thorax/l1", "HFS")
    one, two = ([pydicom.dcmread(path) for path in sorted((tmp_path / name).iterdir())] for name in ("one", "two"))
    assert len({image.SOPInstanceUID for image in one + two}) == 10
    for uid in ("SeriesInstanceUID", "StudyInstanceUID"):
        assert len({image[uid].value for image in one}) == 1 and one[0][uid] != two[0][uid]
    assert {image.FrameOfReferenceUID for image in one + two} == {FRAME_UID}
    assert list(one[0].ImageType) == ["DERIVED", "SECONDARY", "AXIAL"] and one[0].PatientPosition == "HFS"
    assert one[0].DerivationDescription == "made from MR by thorax/l1"
    dicom_writer.write_series(ct_on(OBLIQUE), tmp_path / "three", "thorax/l1")
    assert pydicom.dcmread(next((tmp_path / "three").iterdir())).FrameOfReferenceUID != FRAME_UID


def test_the_identity_is_copied_only_when_it_is_asked_for(tmp_path, mr_folder):
    ct = ct_on(OBLIQUE)
    assert dicom_writer.read_position(mr_folder, "p") == "FFS"
    dicom_writer.write_series(ct, tmp_path / "plain", "x", dicom_writer.read_position(mr_folder, "p"))
    plain = next((tmp_path / "plain").iterdir()).read_bytes()
    assert not [secret for secret in SECRETS if secret.encode() in plain]
    identity = dicom_writer.read_identity(mr_folder, "p")
    dicom_writer.write_series(ct, tmp_path / "kept", "x", "", identity)
    kept = pydicom.dcmread(next((tmp_path / "kept").iterdir()))
    assert (kept.PatientName, kept.PatientID, kept.PatientBirthDate, kept.StudyInstanceUID) == SECRETS
    assert (kept.StudyID, kept.AccessionNumber, kept.PatientSex) == ("7", "A1", "F")
    assert kept.SeriesInstanceUID != "1.2.3" and "PatientIdentityRemoved" not in kept
    assert pydicom.dcmread(next((tmp_path / "plain").iterdir())).PatientIdentityRemoved == "YES"


def test_an_image_file_has_no_identity(tmp_path):
    io.write(ct_on(OBLIQUE), tmp_path / "mr.nii.gz")
    assert dicom_writer.read_position(tmp_path / "mr.nii.gz", "p") == ""
    with pytest.raises(DataError, match="case p: MR: there is no identity to keep"):
        dicom_writer.read_identity(tmp_path / "mr.nii.gz", "p")


def test_two_series_never_share_a_folder(tmp_path):
    (tmp_path / "ct").mkdir()
    dicom_writer.write_series(ct_on(OBLIQUE), tmp_path / "ct", "x")  # empty before
    with pytest.raises(DataError, match="cannot write a series to .*ct\n  found: a folder with files in it"):
        dicom_writer.write_series(ct_on(OBLIQUE), tmp_path / "ct", "x")
    assert len(list((tmp_path / "ct").iterdir())) == 5 and [path.name for path in tmp_path.iterdir()] == ["ct"]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian: dicom3tools)")
@pytest.mark.parametrize("keep", [False, True], ids=["anonymous", "identity"])
def test_the_validator_finds_no_error(tmp_path, mr_folder, keep):
    identity = dicom_writer.read_identity(mr_folder, "p") if keep else None
    dicom_writer.write_series(ct_on(OBLIQUE, FRAME_UID), tmp_path / "ct", "thorax/l1", "HFS", identity)
    for path in sorted((tmp_path / "ct").iterdir()):
        result = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
        said = (result.stdout + result.stderr).splitlines()
        assert "CTImage" in said and not [line for line in said if line.startswith("Error")], said
