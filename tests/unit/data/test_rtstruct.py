import time

import numpy as np
import pytest
from dicom_series import FRAME_UID, SECRETS, write_rtstruct, write_series
from pydicom.dataset import Dataset

from afpbench.base.errors import DataError
from afpbench.data import contours, dicom, rtstruct
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

GRID = Geometry((3, 8, 10), (3.0, 2.0, 1.0), (-5.0, 20.0, 30.0))
IMAGE = Volume(np.zeros(GRID.shape), GRID)


def box(x0, x1, y0, y1, z, grid=GRID):
    """A rectangle in index coordinates of a slice, as points in mm."""
    corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], dtype=float)
    direction = np.array(grid.direction).reshape(3, 3)
    return (corners * np.array(grid.spacing_mm[::-1])) @ direction.T + np.array(grid.origin_mm)


def failure(path, roi=None, image=IMAGE):
    with pytest.raises(DataError) as error:
        rtstruct.read_contours(path, image, "case p1: contour in the CT", roi)
    message = str(error.value)
    assert message.startswith("case p1: contour in the CT: ") and str(path) in message
    assert not [secret for secret in SECRETS if secret in message]
    return message


def mask_of(tmp_path, polygons, **options):
    path = write_rtstruct(tmp_path / "RS.dcm", {"GTV": polygons}, **options)
    return rtstruct.read_contours(path, IMAGE, "case p1")


def of_contours(change):
    """For `edit`: what to do with every contour."""

    def edit(data):
        for item in data.ROIContourSequence:
            for contour in item.ContourSequence:
                change(contour)

    return edit


def test_voxels_whose_centres_lie_inside(tmp_path):
    volume = mask_of(tmp_path, [box(1.5, 4.5, 2.5, 5.5, 1)])
    expected = np.zeros(GRID.shape, np.uint8)
    expected[1, 3:6, 2:5] = 1
    np.testing.assert_array_equal(volume.array, expected)
    assert volume.array.dtype == np.uint8 and volume.findings == ()


def test_loops_apart_are_both_there_and_where_they_overlap_they_are_one(tmp_path):
    polygons = [box(0.5, 4.5, 0.5, 4.5, 0), box(2.5, 6.5, 2.5, 6.5, 0), box(7.5, 8.5, 0.5, 1.5, 0)]
    volume = mask_of(tmp_path, polygons)
    assert volume.array.sum() == 16 + 16 - 4 + 1
    assert volume.array[0, 3, 3] == 1 and volume.findings == ()


def test_a_loop_that_stands_twice_counts_once(tmp_path):
    loop = box(0.5, 4.5, 0.5, 4.5, 0)
    volume = mask_of(tmp_path, [loop, np.roll(loop, 1, axis=0), loop[::-1]])
    assert volume.array.sum() == 16 and volume.findings == ()


def test_xor_loops_cut_holes_and_islands(tmp_path):
    polygons = [box(0.5, 7.5, 0.5, 7.5, 0), box(1.5, 6.5, 1.5, 6.5, 0), box(3.5, 4.5, 3.5, 4.5, 0)]
    volume = mask_of(tmp_path, polygons, geometric_type="CLOSEDPLANAR_XOR")
    assert volume.array.sum() == 49 - 25 + 1 and volume.array[0, 4, 4] == 1
    assert volume.findings == ()


def test_an_xor_loop_that_stands_twice_is_an_error(tmp_path):
    path = write_rtstruct(tmp_path / "RS.dcm", {"G": [box(0, 4, 0, 4, 0)] * 2}, geometric_type="CLOSEDPLANAR_XOR")
    assert "the same CLOSEDPLANAR_XOR contour twice" in failure(path)


def test_a_keyhole_is_a_hole(tmp_path):
    outer, inner = box(0.5, 7.5, 0.5, 7.5, 0), box(2.5, 5.5, 2.5, 5.5, 0)[::-1]
    keyhole = np.concatenate([outer, outer[:1], np.roll(inner, 1, axis=0), np.roll(inner, 1, axis=0)[:1]])
    volume = mask_of(tmp_path, [keyhole])
    assert volume.array.sum() == 49 - 9 and volume.findings == ()


def test_a_loop_inside_another_of_the_same_sense_is_filled_and_said(tmp_path):
    volume = mask_of(tmp_path, [box(0.5, 7.5, 0.5, 7.5, 0), box(2.5, 5.5, 2.5, 5.5, 0)])
    assert volume.array.sum() == 49
    (finding,) = volume.findings
    assert "1 CLOSED_PLANAR contour inside another" in finding and "no hole" in finding


def test_a_loop_inside_another_of_the_other_sense_is_an_error(tmp_path):
    path = write_rtstruct(tmp_path / "RS.dcm", {"G": [box(0.5, 7.5, 0.5, 7.5, 0), box(2.5, 5.5, 2.5, 5.5, 0)[::-1]]})
    message = failure(path)
    assert "may or may not be a hole" in message and "CLOSEDPLANAR_XOR" in message


def test_thousands_of_loops_on_a_slice_take_no_minutes():
    loops = [box(0.5 + 3e-3 * number, 8.6, 0.5, 2.5, 0) for number in range(2500)]
    begin = time.monotonic()
    mask, (finding,) = contours.fill(loops, False, GRID)
    assert mask.sum() == 16 and "2499 CLOSED_PLANAR contours inside another" in finding
    assert time.monotonic() - begin < 60  # each against each would be 3 million pairs


def test_both_kinds_of_loops_in_one_structure(tmp_path):
    def edit(data):
        data.ROIContourSequence[0].ContourSequence[1].ContourGeometricType = "CLOSEDPLANAR_XOR"

    path = write_rtstruct(tmp_path / "RS.dcm", {"G": [box(0, 4, 0, 4, 0), box(5, 7, 0, 4, 0)]}, edit=edit)
    assert "found: CLOSED_PLANAR and CLOSEDPLANAR_XOR in G" in failure(path)


def test_an_oblique_image(tmp_path):
    turned = Geometry((3, 8, 10), (3.0, 2.0, 1.0), (-5.0, 20.0, 30.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
    path = write_rtstruct(tmp_path / "RS.dcm", {"GTV": [box(1.5, 4.5, 2.5, 5.5, 2, turned)]})
    mask = rtstruct.read_contours(path, Volume(np.zeros(turned.shape), turned), "case p1").array
    assert mask.sum() == mask[2, 3:6, 2:5].sum() == 9


def test_one_of_several_structures_by_its_name(tmp_path):
    structures = {"GTV_1": [box(0.5, 2.5, 0.5, 1.5, 0)], "Heart": [box(0.5, 4.5, 0.5, 1.5, 0)]}
    path = write_rtstruct(tmp_path / "in" / "RS.dcm", structures)
    assert rtstruct.read_contours(path.parent, IMAGE, "case p1", "GTV*").array.sum() == 2
    assert rtstruct.read_contours(path, IMAGE, "case p1", "Heart").array.sum() == 4
    message = failure(path)
    assert "several structures fit" in message and "found: GTV_1, Heart" in message and "data.roi" in message
    assert "no structure fits" in failure(path, "Lung*")


@pytest.mark.parametrize(("name", "other"), [("PTV[70]", "PTV7"), ("PTV?", "PTV1"), ("a.b+(c)", "aXb(c)")])
def test_only_the_star_is_special_in_a_name(tmp_path, name, other):
    structures = {name: [box(0.5, 2.5, 0.5, 1.5, 0)], other: [box(0.5, 4.5, 0.5, 1.5, 0)]}
    path = write_rtstruct(tmp_path / "RS.dcm", structures)
    assert rtstruct.read_contours(path, IMAGE, "case p1", name).array.sum() == 2
    assert rtstruct.read_contours(path, IMAGE, "case p1", f"{name[:-1]}*{name[-1]}").array.sum() == 2


def test_two_structures_of_one_name(tmp_path):
    pairs = [("GTV", [box(0.5, 4.5, 0.5, 4.5, 0)]), ("GTV", [box(2.5, 6.5, 2.5, 6.5, 0)])]
    message = failure(write_rtstruct(tmp_path / "RS.dcm", pairs), "GTV")
    assert "several structures fit" in message and "found: GTV, GTV" in message and "the same name" in message


def test_structures_without_closed_contours_do_not_count(tmp_path):
    path = write_rtstruct(tmp_path / "RS.dcm", {"empty": [], "GTV": [box(0.5, 2.5, 0.5, 1.5, 0)]})
    assert rtstruct.read_contours(path, IMAGE, "case p1").array.sum() == 2
    message = failure(path, "empty")
    assert "no structure fits" in message and "without closed contours: empty" in message


def test_open_contours_and_points_are_left_out_and_said(tmp_path):
    def edit(data):
        data.ROIContourSequence[0].ContourSequence[1].ContourGeometricType = "OPEN_PLANAR"

    volume = mask_of(tmp_path, [box(0.5, 2.5, 0.5, 1.5, 0), box(0.5, 7.5, 0.5, 7.5, 0)], edit=edit)
    assert volume.array.sum() == 2
    assert volume.findings == ("1 of 2 contours enclosing nothing (points, lines), left out",)


def test_contours_on_every_second_slice_are_said(tmp_path):
    volume = mask_of(tmp_path, [box(0.5, 2.5, 0.5, 1.5, 0), box(0.5, 2.5, 0.5, 1.5, 2)])
    assert volume.array.sum(axis=(1, 2)).tolist() == [2, 0, 2]
    (finding,) = volume.findings
    assert "no contour on 1 of 3 slices between its first and its last" in finding


def test_contours_of_another_image(tmp_path):
    message = failure(write_rtstruct(tmp_path / "RS.dcm", {"GTV": [box(1, 4, 2, 5, 1.5)]}))
    assert "a contour that does not lie on a slice of the image" in message
    assert "found: at slice 1.50 to 1.50" in message
    assert "expected: on one of 3 slices" in failure(write_rtstruct(tmp_path / "RS.dcm", {"G": [box(1, 4, 2, 5, 7)]}))


def test_contours_beside_the_image(tmp_path):
    message = failure(write_rtstruct(tmp_path / "RS.dcm", {"GTV": [box(20, 24, 2, 5, 1)]}))
    assert "a contour beside the image" in message and "x 20.0 to 24.0" in message
    volume = mask_of(tmp_path, [box(6.5, 14, 2.5, 5.5, 1)])
    assert volume.array.sum() == 9
    assert volume.findings == ("1 of 1 contours reaching beyond the image, cut off at its edge",)


def test_contours_of_another_frame_of_reference(tmp_path):
    image = dicom.read_series(write_series(tmp_path / "ct", np.arange(240).reshape(3, 8, 10).astype(np.uint16)), "CT")
    loop = [box(1.5, 4.5, 2.5, 5.5, 1, image.geometry)]
    same = write_rtstruct(tmp_path / "same.dcm", {"G": loop}, frame_uid=FRAME_UID)
    assert rtstruct.read_contours(same, image, "case p1").array.sum() == 9
    unknown = write_rtstruct(tmp_path / "unknown.dcm", {"G": loop})
    assert rtstruct.read_contours(unknown, image, "case p1").array.sum() == 9
    other = write_rtstruct(tmp_path / "other.dcm", {"G": loop}, frame_uid=FRAME_UID + ".1")
    message = failure(other, image=image)
    assert "drawn in another frame of reference" in message and FRAME_UID not in message
    assert rtstruct.read_contours(other, IMAGE_LIKE(image), "case p1").array.sum() == 9  # the image's is not known

    def everywhere(data):
        reference = Dataset()
        reference.FrameOfReferenceUID = FRAME_UID + ".1"
        data.ReferencedFrameOfReferenceSequence = [reference]

    assert "frame of reference" in failure(
        write_rtstruct(tmp_path / "e.dcm", {"G": loop}, edit=everywhere), None, image
    )


def IMAGE_LIKE(image):
    return Volume(image.array, image.geometry)


def test_files_that_are_no_rtstruct(tmp_path):
    folder = write_series(tmp_path / "ct", np.ones((2, 4, 4), np.uint16))
    assert "no RTSTRUCT" in failure(folder) and "found: 2 other DICOM files" in failure(folder)
    (tmp_path / "RS.dcm").write_bytes(b"no DICOM")
    assert "cannot be read" in failure(tmp_path / "RS.dcm")


def test_two_rtstructs_in_a_folder(tmp_path):
    for name in ("a.dcm", "b.dcm"):
        write_rtstruct(tmp_path / "in" / name, {"GTV": [box(1.5, 4.5, 2.5, 5.5, 1)]})
    message = failure(tmp_path / "in")
    assert "several RTSTRUCTs" in message and "found: a.dcm, b.dcm" in message and "expected: exactly one" in message


def test_a_broken_file_beside_the_rtstruct(tmp_path):
    write_rtstruct(tmp_path / "in" / "RS1.dcm", {"GTV": [box(1.5, 4.5, 2.5, 5.5, 1)]})
    (tmp_path / "in" / "RS2.dcm").write_bytes(b"")
    assert "RS2.dcm (empty)" in failure(tmp_path / "in")


def test_a_file_cut_anywhere_is_an_error(tmp_path):
    path = write_rtstruct(tmp_path / "RS.dcm", {"A": [box(1.5, 4.5, 2.5, 5.5, 1)] * 3, "B": [box(1, 4, 2, 5, 2)]})
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        assert "RS.dcm" in failure(path, "A")
    path.write_bytes(whole)
    assert rtstruct.read_contours(path, IMAGE, "case p1", "A").array.sum() == 9


def test_a_contour_without_its_type(tmp_path):
    def edit(contour):
        del contour.ContourGeometricType

    path = write_rtstruct(tmp_path / "RS.dcm", {"G": [box(1, 4, 2, 5, 1)]}, edit=of_contours(edit))
    message = failure(path)
    assert "found: contour 1 of G: no ContourGeometricType" in message


def test_a_contour_of_an_unknown_type(tmp_path):
    def edit(contour):
        contour.ContourGeometricType = "CLOSED"

    path = write_rtstruct(tmp_path / "RS.dcm", {"G": [box(1, 4, 2, 5, 1)]}, edit=of_contours(edit))
    assert "found: contour 1 of G: a ContourGeometricType that DICOM does not know" in failure(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [(["1", "2", "3", "4"], "4 numbers, no triples"), (["1", "nan", "3"] * 3, "numbers that are not finite"),
     (["1", "2", "3"] * 5, "5 points where NumberOfContourPoints is 4"), ([], "no ContourData")],
)  # fmt: skip
def test_contour_data_that_are_no_points(tmp_path, data, words):
    def edit(contour):
        contour.ContourData = data

    path = write_rtstruct(tmp_path / "RS.dcm", {"G": [box(1, 4, 2, 5, 1)]}, edit=of_contours(edit))
    assert f"found: contour 1 of G: {words}" in failure(path)


def test_an_unknown_or_doubled_number_of_a_structure(tmp_path):
    loops = {"A": [box(1, 4, 2, 5, 1)], "B": [box(1, 4, 2, 5, 1)]}

    def unknown(data):
        data.ROIContourSequence[1].ReferencedROINumber = 9

    def doubled(data):
        data.StructureSetROISequence[1].ROINumber = 1

    def doubled_contours(data):
        data.ROIContourSequence[1].ReferencedROINumber = 1

    message = failure(write_rtstruct(tmp_path / "1.dcm", loops, edit=unknown), "A")
    assert "found: contours of a structure that StructureSetROISequence does not name (ROI number 9)" in message
    assert "ROI number 1 stands twice" in failure(write_rtstruct(tmp_path / "2.dcm", loops, edit=doubled), "A")
    message = failure(write_rtstruct(tmp_path / "3.dcm", loops, edit=doubled_contours), "A")
    assert "ROI number 1 stands twice" in message


@pytest.mark.parametrize("part", ["CT", "MR_T1"])
def test_a_patients_contour_is_its_nifti_mask(real_data, part):
    image = io.read(real_data / f"sts/STS_044/{part}_image.nii.gz")
    mask = rtstruct.read_contours(real_data / "sts_dicom/STS_044" / part / "mask" / "RS.dcm", image, "case STS_044")
    np.testing.assert_array_equal(mask.array, io.read(real_data / f"sts/STS_044/{part}_mask.nii.gz").array > 0)


def test_a_patients_contour_lies_in_the_frame_of_its_series(real_data):
    folder = real_data / "sts_dicom/STS_044/CT"
    image = dicom.read_series(folder / "image", "case STS_044: CT", "CT")
    assert image.frame_uid
    assert rtstruct.read_contours(folder / "mask", image, "case STS_044").array.any()
