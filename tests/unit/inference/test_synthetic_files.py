"""Synthetic CT from files: what is taken as it is, what is resampled, what is refused."""

import numpy as np
import pytest
from conftest import GRID

from afpbench.base.errors import DataError
from afpbench.inference.files import open_files
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

ROW = {"synthetic": "theirs/{case}.nii.gz", "resample": False}


@pytest.fixture
def theirs(tmp_path, prepared_cases):
    """Write an image as the file of case p1; the real CT of the case comes back."""
    real = io.read(prepared_cases["p1"] / "ct.nii.gz")

    def write(volume, name="p1.nii.gz"):
        io.write(volume, tmp_path / "theirs" / name)

    write(real.with_array(real.array + 7))
    return write, real


def made(tmp_path, prepared_cases, **changes):
    out = tmp_path / "out" / "p1.nii.gz"
    record = open_files({**ROW, **changes}, tmp_path)("p1", prepared_cases["p1"], out)
    return io.read(out), record


def test_voxels_are_those_of_the_file(tmp_path, prepared_cases, theirs):
    _, real = theirs
    image, record = made(tmp_path, prepared_cases)
    np.testing.assert_array_equal(image.array, real.array + 7)
    assert image.array.dtype == np.int16 and image.geometry.matches(real.geometry)
    assert record["status"] == "ok" and record["file"].endswith("theirs/p1.nii.gz") and len(record["sha256"]) == 64


def test_a_file_with_other_axes_is_turned(tmp_path, prepared_cases, theirs):
    import SimpleITK as sitk

    write, real = theirs
    turned = sitk.DICOMOrient(io.to_sitk(real), "RAS")
    write(io.from_sitk(turned))
    np.testing.assert_array_equal(made(tmp_path, prepared_cases)[0].array, real.array)


def test_another_grid_is_refused_and_resampled_where_the_row_says_so(tmp_path, prepared_cases, theirs):
    write, real = theirs
    cut = Geometry((18, 24, 28), GRID.spacing_mm, GRID.origin_mm)  # without the two upper slices
    write(Volume(real.array[:18], cut))
    with pytest.raises(DataError, match=r"(?s)case p1: synthetic CT: not on the grid.*found: shape \(18, 24, 28\).*"
                                        r"expected: shape \(20, 24, 28\).*hint: set `resample: true`"):  # fmt: skip
        made(tmp_path, prepared_cases)
    image, record = made(tmp_path, prepared_cases, resample=True)
    np.testing.assert_array_equal(image.array[:18], real.array[:18])
    assert (image.array[18:] == -1024).all()
    assert record["resampled"] is True and record["shown_share"] == pytest.approx(0.9)


def test_an_image_of_elsewhere_is_refused(tmp_path, prepared_cases, theirs):
    write, real = theirs
    write(Volume(real.array, Geometry(GRID.shape, GRID.spacing_mm, (5000.0, 0.0, 0.0))))
    with pytest.raises(DataError, match="it shows nothing of its case"):
        made(tmp_path, prepared_cases, resample=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda hu: (hu + 1024).astype(np.uint16), r"not plausible as HU.*HU \+ 1024 stored without sign"),
        (lambda hu: np.clip((hu + 1024) / 8, 0, 255).astype(np.uint8), "not plausible as HU"),
        (lambda hu: np.where(hu > 500, np.nan, hu).astype(np.float32), "NaN or infinite voxels"),
        (lambda hu: np.zeros_like(hu), "the image is constant"),
    ],
)
def test_values_that_are_no_hu_are_refused(tmp_path, prepared_cases, theirs, change, message):
    write, real = theirs
    write(real.with_array(change(np.clip(real.array, -1024, None))))
    with pytest.raises(DataError, match=f"(?s)case p1: synthetic CT: .*{message}"):
        made(tmp_path, prepared_cases)


def test_a_missing_file(tmp_path, prepared_cases, theirs):
    write, real = theirs
    (tmp_path / "theirs/p1.nii.gz").rename(tmp_path / "theirs/p1.mha")
    with pytest.raises(
        DataError, match=r"(?s)no such file\n  found: p1.mha, of another ending\n  expected: .*p1.nii.gz"
    ):
        made(tmp_path, prepared_cases)


def test_a_link_out_of_the_folder_is_refused(tmp_path, prepared_cases, theirs):
    file = tmp_path / "theirs/p1.nii.gz"
    file.rename(tmp_path / "elsewhere.nii.gz")
    file.symlink_to(tmp_path / "elsewhere.nii.gz")
    with pytest.raises(DataError, match="a link leads out of the folder"):
        made(tmp_path, prepared_cases)
