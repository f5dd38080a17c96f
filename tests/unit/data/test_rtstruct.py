import numpy as np
import pytest
from dicom_series import SECRETS, write_rtstruct, write_series

from afpbench.base.errors import DataError
from afpbench.data import rtstruct
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

GRID = Geometry((3, 8, 10), (3.0, 2.0, 1.0), (-5.0, 20.0, 30.0))
IMAGE = Volume(np.zeros(GRID.shape), GRID)


def box(x0, x1, y0, y1, z, grid=GRID):
    """A rectangle in index coordinates of a slice, as points in mm."""
    corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], dtype=float)
    direction = np.array(grid.direction).reshape(3, 3)
    return (corners * np.array(grid.spacing_mm[::-1])) @ direction.T + np.array(grid.origin_mm)


def failure(path, roi=None):
    with pytest.raises(DataError) as error:
        rtstruct.read_contours(path, IMAGE, "case p1: contour in the CT", roi)
    assert not [secret for secret in SECRETS if secret in str(error.value)]
    return str(error.value)


def test_voxels_whose_centres_lie_inside(tmp_path):
    path = write_rtstruct(tmp_path / "RS.dcm", {"GTV": [box(1.5, 4.5, 2.5, 5.5, 1)]})
    mask = rtstruct.read_contours(path, IMAGE, "case p1").array
    expected = np.zeros(GRID.shape, np.uint8)
    expected[1, 3:6, 2:5] = 1
    np.testing.assert_array_equal(mask, expected)


def test_a_polygon_inside_another_is_a_hole_and_two_apart_are_both_there(tmp_path):
    polygons = [box(0.5, 6.5, 0.5, 6.5, 0), box(2.5, 4.5, 2.5, 4.5, 0), box(7.5, 8.5, 0.5, 1.5, 0)]
    mask = rtstruct.read_contours(write_rtstruct(tmp_path / "RS.dcm", {"GTV": polygons}), IMAGE, "case p1").array
    assert mask.sum() == 36 - 4 + 1
    assert (mask[0, 3, 3], mask[0, 1, 8]) == (0, 1)


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


def test_contours_of_another_image(tmp_path):
    message = failure(write_rtstruct(tmp_path / "RS.dcm", {"GTV": [box(1, 4, 2, 5, 1.5)]}))
    assert "a contour that does not lie on a slice of the image" in message
    assert "found: at slice 1.50 to 1.50" in message
    assert "expected: on one of 3 slices" in failure(write_rtstruct(tmp_path / "RS.dcm", {"G": [box(1, 4, 2, 5, 7)]}))


def test_files_that_are_no_rtstruct(tmp_path):
    folder = write_series(tmp_path / "ct", np.ones((2, 4, 4), np.uint16))
    assert "no readable RTSTRUCT" in failure(folder)
    (tmp_path / "RS.dcm").write_bytes(b"no DICOM")
    assert "no readable RTSTRUCT" in failure(tmp_path / "RS.dcm")


@pytest.mark.parametrize("part", ["CT", "MR_T1"])
def test_a_patients_contour_is_its_nifti_mask(real_data, part):
    image = io.read(real_data / f"sts/STS_044/{part}_image.nii.gz")
    mask = rtstruct.read_contours(real_data / "sts_dicom/STS_044" / part / "mask" / "RS.dcm", image, "case STS_044")
    np.testing.assert_array_equal(mask.array, io.read(real_data / f"sts/STS_044/{part}_mask.nii.gz").array > 0)
