import tracemalloc

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_series import FRAME_UID, SECRETS, moved, with_values, write_rtstruct, write_series
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from afpbench.base.errors import DataError
from afpbench.data import dicom
from afpbench.volumes import io

STORED = (np.arange(4 * 5 * 6).reshape(4, 5, 6) + 1000).astype(np.uint16)


def stack(count):
    return np.arange(count * 4, dtype=np.uint16).reshape(count, 2, 2)


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
    assert "slices are unevenly spaced" in message
    assert "found: gaps of 3.00 to 3.40 mm; slice 3 of 4 lies 0.27 mm from its place" in message
    assert "expected: every slice within 0.25 mm (0.25 of an in-plane voxel) of an even, straight stack" in message


def test_spacing_that_drifts_over_the_stack(tmp_path):
    z = np.concatenate([[0.0], np.cumsum([3.0] * 100 + [3.065] * 100)])
    folder = write_series(tmp_path / "ct", stack(len(z)), edit=moved([(0, 0, value) for value in z]))
    message = failure(folder)
    assert "slices are unevenly spaced" in message and "slice 101 of 201 lies 3.25 mm from its place" in message


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_an_even_stack(tmp_path):
    z = np.round(np.arange(40) * 0.625, 1)
    folder = write_series(tmp_path / "ct", stack(40), edit=moved([(0, 0, value) for value in z]))
    assert dicom.read_series(folder, "case p1: CT").spacing_mm[0] == pytest.approx(0.625, abs=0.01)


def test_two_slices_at_one_position(tmp_path):
    write_series(tmp_path / "ct", STORED)
    write_series(tmp_path / "ct", STORED, prefix="t")
    assert "found: slices 1 and 2 of 8, both at 5.00 mm" in failure(tmp_path / "ct")


def test_gantry_tilt(tmp_path):
    message = failure(write_series(tmp_path / "ct", STORED, step_mm=(0.0, 1.0, 3.0)))
    assert "a CT with gantry tilt" in message
    assert (
        "found: each slice lies 1.00 mm beside the one before, a tilt of 18.4 degrees: 3.0 mm over 4 slices" in message
    )


@pytest.mark.parametrize(
    ("degrees", "step_mm", "count"), [(5, 0.5, 240), (4.5, 0.625, 240), (2.5, 1, 240), (0.5, 5, 60)]
)
def test_a_small_tilt_is_a_long_way_over_the_stack(tmp_path, degrees, step_mm, count):
    step = (0.0, step_mm * np.tan(np.radians(degrees)), step_mm)
    message = failure(write_series(tmp_path / "ct", stack(count), step_mm=step, spacing_mm=(1.0, 1.0)))
    assert "a CT with gantry tilt" in message and f"a tilt of {degrees:.1f} degrees" in message


def test_a_tilt_within_a_quarter_of_a_voxel_is_let_be(tmp_path):
    folder = write_series(tmp_path / "ct", stack(60), step_mm=(0.0, 0.004, 1.0), spacing_mm=(1.0, 1.0))
    assert dicom.read_series(folder, "case p1: CT").geometry.origin_mm == (-20.0, -10.0, 5.0)


def test_slices_that_turn_along_the_stack(tmp_path):
    def turned(image, index):
        angle = np.radians(0.02 * index)
        image.ImageOrientationPatient = [np.cos(angle), np.sin(angle), 0, -np.sin(angle), np.cos(angle), 0]

    wide = np.ones((40, 4, 200), np.uint16)
    assert "of different size, spacing or orientation" in failure(write_series(tmp_path / "ct", wide, edit=turned))


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


def emptied(path):
    path.write_bytes(b"")


def cut_in_the_header(path):
    path.write_bytes(path.read_bytes()[:500])


def without_preamble(path):
    path.write_bytes(path.read_bytes()[132:])


def a_web_page(path):
    path.write_text("<html>503 Service Unavailable</html>")


def a_link_to_nothing(path):
    path.unlink()
    path.symlink_to(path.parent / "gone")


@pytest.mark.parametrize("damage", [emptied, cut_in_the_header, without_preamble, a_web_page, a_link_to_nothing])
def test_broken_files_are_named_and_not_left_out(tmp_path, damage):
    folder = write_series(tmp_path / "ct", stack(40))
    for number in range(1, 11):  # the last ten slices: files are numbered against their order
        damage(folder / f"s{number:03d}")
    message = failure(folder, "CT")
    assert "10 files that cannot be read in" in message and "s001 (" in message
    assert "s011" not in message


def test_an_element_of_unknown_length_near_the_end_of_a_file(tmp_path):
    folder = write_series(tmp_path / "ct", STORED)
    private = b"\x09\x10\x01\x10OB\0\0\xff\xff\xff\xff" + b"some junk" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    pixels = b"\xe0\x7f\x10\0OW"
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(pixels, private + pixels))
    np.testing.assert_array_equal(dicom.read_series(folder, "case p1: CT").array, STORED - 1024.0)


def test_a_slice_whose_class_and_size_are_both_damaged_is_named(tmp_path):
    folder = write_series(tmp_path / "ct", STORED)
    content = (folder / "s001").read_bytes().replace(b"UI\x1a\x001.2.840", b"UI\x1a\x001.2 840", 1)
    (folder / "s001").write_bytes(content.replace(b"2\0DS", b"2\0\0S", 1))  # swallows what comes after the position
    assert "s001 (the file is cut off)" in failure(folder, "CT")


def test_a_header_cut_anywhere_is_an_error(tmp_path):
    folder = write_series(tmp_path / "ct", STORED)
    path = folder / "s001"
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        assert "s001" in failure(folder, "CT")


def test_files_of_other_kinds_are_passed_over(tmp_path):
    folder = write_series(tmp_path / "ct", STORED)
    for name in ("._s001", ".DS_Store", "Thumbs.db", "DICOMDIR", "slice.jpg", "ct.nii.gz", "__MACOSX/._s002"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\0\5\x16\7" * 50)
    (folder / "README").write_text("A text without an ending.")
    (folder / "empty.txt").write_bytes(b"")
    assert dicom.read_series(folder, "case p1: CT").array.shape == STORED.shape


def test_dicom_files_of_other_kinds_are_passed_over(tmp_path):
    folder = write_series(tmp_path / "ct", STORED)
    write_rtstruct(folder / "RS.dcm", {"GTV": []})
    report = with_values(ImagePositionPatient=None, ImageOrientationPatient=None, Modality="OT")
    write_series(folder, STORED[:1], series="1.2.9", prefix="dose", edit=report)
    assert dicom.read_series(folder, "case p1: CT", "CT").array.shape == STORED.shape


@pytest.mark.parametrize("name", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_a_slice_without_its_place(tmp_path, name):
    def edit(image, index):
        if index == 3:
            delattr(image, name)

    message = failure(write_series(tmp_path / "ct", STORED, edit=edit), "CT")
    assert "a slice without its place in the patient" in message and "s001" in message and name in message
    message = failure(write_series(tmp_path / "all", STORED, edit=with_values(**{name: None})), "CT")
    assert "a slice without its place in the patient" in message


def test_a_slice_that_does_not_say_its_series(tmp_path):
    def edit(image, index):
        if index == 3:
            del image.SeriesInstanceUID, image.Modality

    message = failure(write_series(tmp_path / "ct", STORED, edit=edit), "CT")
    assert "1 file that cannot be read" in message and "s001 (no modality in its header)" in message
    unnamed = write_series(tmp_path / "all", STORED, edit=with_values(SeriesInstanceUID=None))
    assert dicom.read_series(unnamed, "case p1: CT", "CT").array.shape == STORED.shape


@pytest.mark.parametrize(
    ("name", "value"),
    [("ImagePositionPatient", [1, 2]), ("ImagePositionPatient", ["1", "nan", "2"]), ("PixelSpacing", [1]),
     ("ImageOrientationPatient", [0] * 6), ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), ("RescaleSlope", [1, 2]),
     ("RescaleSlope", 0), ("PixelSpacing", [0, 1])],
)  # fmt: skip
def test_values_that_make_no_sense(tmp_path, name, value):
    def edit(image, index):
        if index == 2:
            setattr(image, name, value)

    message = failure(write_series(tmp_path / "ct", STORED, edit=edit))
    assert "s002" in message and (name in message or "orientation" in message)


def test_another_slope_in_every_slice(tmp_path):
    def edit(image, index):
        image.RescaleSlope, image.RescaleIntercept = 1 + index, -10 * index

    volume = dicom.read_series(write_series(tmp_path / "mr", STORED, modality="MR", edit=edit), "case p1: MR")
    index = np.arange(4)[:, None, None]
    np.testing.assert_array_equal(volume.array, STORED * (1.0 + index) - 10 * index)


def test_an_intercept_in_some_slices_only(tmp_path):
    def edit(image, index):
        if index == 1:
            del image.RescaleIntercept, image.RescaleSlope

    message = failure(write_series(tmp_path / "ct", STORED, edit=edit))
    assert "RescaleSlope and RescaleIntercept in some slices only" in message and "s003" in message


def test_a_lookup_table_instead_of_a_slope(tmp_path):
    def edit(image, index):
        table = Dataset()
        table.LUTDescriptor, table.LUTData = [1, 0, 16], b"\0\0"
        image.ModalityLUTSequence = [table]

    assert "ModalityLUTSequence" in failure(write_series(tmp_path / "ct", STORED, edit=edit))


def padded(value, **values):
    array = STORED.copy()
    array[:, 0, 0] = value
    return array, with_values(PixelPaddingValue=value, **values)


def test_padding_that_would_be_bone_is_air(tmp_path):
    array, edit = padded(65535)
    volume = dicom.read_series(write_series(tmp_path / "ct", array, edit=edit), "case p1: CT", "CT")
    assert (volume.array[:, 0, 0] == -1024).all() and volume.array[0, 0, 1] == 1001 - 1024
    assert volume.findings == ("4 voxels of padding, stored as 65535, are taken as -1024 HU",)
    volume = dicom.read_series(
        write_series(tmp_path / "mr", array, modality="MR", slope=None, edit=edit), "case p1: MR"
    )
    assert (volume.array[:, 0, 0] == 0).all() and "taken as 0" in volume.findings[0]


def test_padding_below_air_stays(tmp_path):
    array, edit = padded(0)
    volume = dicom.read_series(write_series(tmp_path / "ct", array, intercept=-3024, edit=edit), "case p1: CT", "CT")
    assert (volume.array[:, 0, 0] == -3024).all() and volume.findings == ()


def test_padding_that_looks_like_tissue(tmp_path):
    array, edit = padded(1064)
    message = failure(write_series(tmp_path / "ct", array, edit=edit), "CT")
    assert "padding that looks like tissue" in message and "PixelPaddingValue 1064, which is 40 HU" in message


def test_several_frames_colours_and_palettes(tmp_path):
    for number, values in enumerate(({"NumberOfFrames": 2}, {"PhotometricInterpretation": "PALETTE COLOR"})):
        folder = write_series(tmp_path / str(number), STORED, edit=with_values(**values))
        assert "several frames or colours" in failure(folder)

    def enhanced(image, index):
        del image.ImagePositionPatient, image.ImageOrientationPatient, image.PixelSpacing
        image.NumberOfFrames, image.Rows = 5, 1

    message = failure(write_series(tmp_path / "e", STORED[:1], edit=enhanced), "CT")
    assert "found: s001: 5 frames" in message and "dcm2niix" in message


def test_slices_of_two_frames_of_reference(tmp_path):
    def edit(image, index):
        image.FrameOfReferenceUID = f"1.2.{index // 2}"

    assert "slices of several frames of reference" in failure(write_series(tmp_path / "ct", STORED, edit=edit))


def test_the_frame_of_reference_is_known_and_not_shown(tmp_path):
    volume = dicom.read_series(write_series(tmp_path / "ct", STORED), "case p1: CT")
    assert volume.frame_uid == FRAME_UID and FRAME_UID not in repr(volume)


def test_compressed_slices(tmp_path):
    def edit(image, index):
        image.compress(RLELossless, generate_instance_uid=False)

    plain = dicom.read_series(write_series(tmp_path / "plain", STORED), "case p1: CT")
    packed = dicom.read_series(write_series(tmp_path / "packed", STORED, edit=edit), "case p1: CT")
    np.testing.assert_array_equal(packed.array, plain.array)
    lossy = dicom.read_series(
        write_series(tmp_path / "lossy", STORED, edit=with_values(LossyImageCompression="01")), "case p1: CT"
    )
    assert lossy.findings == ("its slices were compressed with loss once: the values are not those of the scanner",)


def test_run_lengths_that_cannot_fill_the_image_are_refused_before_there_is_room_for_it(tmp_path, monkeypatch):
    folder = write_series(tmp_path / "ct", STORED)
    for path in folder.iterdir():
        image = pydicom.dcmread(path)
        image.compress(RLELossless, generate_instance_uid=False)
        image.Rows = 60000
        image.save_as(path)
    monkeypatch.setattr(pydicom.Dataset, "pixel_array", property(lambda image: pytest.fail("decoded")))
    with pytest.raises(DataError, match="60000 x 6 voxels in [0-9]+ bytes of run lengths"):
        dicom.read_series(folder, "case p1: CT", "CT")


def test_a_data_set_deflated_as_a_whole(tmp_path):
    folder = write_series(tmp_path / "ct", STORED)
    for path in folder.iterdir():
        image = pydicom.dcmread(path)
        image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        image.save_as(path)
    assert "compressed as a whole (deflated), which is not read" in failure(folder)


def test_the_memory_is_that_of_the_volume_and_a_few_slices(tmp_path):
    folder = write_series(tmp_path / "ct", np.ones((40, 128, 128), np.uint16))
    dicom.read_series(folder, "case p1: CT")  # what is imported on first use does not count
    tracemalloc.start()
    dicom.read_series(folder, "case p1: CT")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 40 * 128 * 128 * 2  # the float32 volume is twice the files


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
