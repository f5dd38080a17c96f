import struct

import numpy as np
import pytest
from dicom_series import write_series

from afpbench.base.errors import DataError
from afpbench.data.mr_alone import import_mr
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

ARRAY = np.random.default_rng(0).uniform(0, 400, (6, 7, 8)).astype(np.float32)
TURNED = Geometry((6, 7, 8), (2.0, 1.0, 1.5), (3.0, 4.0, 5.0), (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize("name", ["mr.nii.gz", "mr.mha", "mr.nrrd"])
def test_a_file_is_turned_to_canonical_axes_and_written(tmp_path, name):
    io.write(Volume(ARRAY, TURNED), tmp_path / name)
    (stored,), (mr,) = import_mr([tmp_path / name], "p", tmp_path / "imported")
    assert np.array_equal(stored.array, ARRAY) and stored.geometry.matches(TURNED)
    assert mr.geometry.direction == io.IDENTITY and np.array_equal(mr.array, ARRAY[:, ::-1, ::-1])
    assert np.array_equal(io.read(tmp_path / "imported" / "mr.nii.gz").array, mr.array)


def test_a_dicom_series(tmp_path):
    values = np.arange(60, dtype=np.uint16).reshape(3, 4, 5) * 7
    folder = write_series(tmp_path / "mr", values, modality="MR", slope=None)
    (stored,), (mr,) = import_mr([folder], "p", tmp_path / "imported")
    assert np.array_equal(mr.array, values) and stored.frame_uid and mr.array.dtype == np.float32


def test_a_ct_is_refused_by_its_modality_and_by_its_values(tmp_path):
    folder = write_series(tmp_path / "ct", np.full((3, 4, 5), 1024, np.uint16))
    with pytest.raises(DataError, match="case p: MR: no DICOM series of modality MR"):
        import_mr([folder], "p", tmp_path / "imported")
    hu = np.where(np.indices((6, 7, 8))[2] < 3, -1000, 40).astype(np.int16)
    io.write(Volume(hu, TURNED), tmp_path / "ct.nii.gz")
    with pytest.raises(DataError, match="case p: MR: its values are those of a CT"):
        import_mr([tmp_path / "ct.nii.gz"], "p", tmp_path / "imported")
    assert not (tmp_path / "imported").exists()


def test_a_header_without_axes(tmp_path):
    path = tmp_path / "mr.nii"
    io.write(Volume(ARRAY, TURNED), path)
    content = bytearray(path.read_bytes())
    content[252:256] = struct.pack("<2h", 0, 0)  # qform_code, sform_code
    path.write_bytes(content)
    with pytest.raises(DataError, match="case p: MR: its header says nothing of the patient's axes"):
        import_mr([path], "p", tmp_path / "imported")


def test_a_constant_image(tmp_path):
    io.write(Volume(np.zeros((6, 7, 8), np.float32), TURNED), tmp_path / "mr.nii.gz")
    with pytest.raises(DataError, match="case p: MR: the image is constant"):
        import_mr([tmp_path / "mr.nii.gz"], "p", tmp_path / "imported")
