"""NIfTI files with faults anywhere: what NiBabel reads from them too, or an error that names the file."""

import gzip
import struct
import warnings

import nibabel
import nifti_file
import numpy as np
from fuzzing import bounded_memory, fuzz_settings
from hypothesis import given
from hypothesis import strategies as st

from afpbench.base.errors import AfpbenchError
from afpbench.volumes.images import read_image
from afpbench.volumes.io import Volume
from afpbench.volumes.labels import read_labels
from afpbench.volumes.masks import read_mask

DTYPES = (np.uint8, np.int16, np.int32, np.float32, np.float64, np.uint16, np.int8, np.uint32, np.int64, np.uint64)
TURNED = nifti_file.AFFINE @ np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
FLOATS = (0.0, 1.0, -1.0, 2.0, 1.5, 3.0, 352.0, 348.0, 1e-30, 1e30, 3e9, float("nan"), float("inf"), -float("inf"))
FIELDS = {  # offset -> kind, of every field that a reader looks at
    **{offset: "<h" for offset in (*range(40, 56, 2), 68, 70, 72, 252, 254)},
    **{offset: "<f" for offset in (*range(76, 120, 4), *range(256, 328, 4))},
    **{offset: "<B" for offset in (0, 1, 2, 3, 123, 344, 345, 346, 347)},
}
VALUES = {
    "<h": st.sampled_from((0, 1, 2, 3, 4, 5, 7, 8, 16, 32, 64, 128, 256, 512, 1024, 2304, -1, 32767, -32768)),
    "<f": st.sampled_from(FLOATS) | st.floats(width=32),
    "<B": st.integers(0, 255),
}
patches = st.lists(
    st.sampled_from(sorted(FIELDS)).flatmap(
        lambda offset: st.tuples(st.just(offset), st.just(FIELDS[offset]), VALUES[FIELDS[offset]])
    ),
    max_size=4,
)


@st.composite
def files(draw):
    """A name and its bytes: a good file with fields of its header changed, cut off, lengthened, or not compressed."""
    shape = draw(
        st.tuples(*[st.integers(1, 5)] * 3) | st.sampled_from([(3, 3, 3), (4, 3, 2, 1), (3, 3, 3, 1, 3), (4, 4)])
    )
    dtype = draw(st.sampled_from(DTYPES))
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, draw(st.sampled_from((2, 4, 120))), shape)
    affine = draw(st.sampled_from([nifti_file.AFFINE, TURNED]))
    qform = draw(st.sampled_from([None, nifti_file.AFFINE, TURNED]))
    data = bytearray(
        nifti_file.content(
            values.astype(dtype),
            affine=affine,
            sform=draw(st.integers(0, 4)),
            qform=qform,
            slope=draw(st.none() | st.sampled_from(FLOATS)),
            patches=draw(patches),
        )
    )
    if draw(st.booleans()) and np.issubdtype(dtype, np.floating):
        struct.pack_into("<f", data, 352, draw(st.sampled_from((0.9995, 0.5, float("nan"), float("inf"), -1.0))))
    data = bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))] + draw(st.binary(max_size=9)))
    data = gzip.compress(data, 1) if draw(st.booleans()) else data
    if draw(st.integers(0, 9)) == 0:
        position = draw(st.integers(0, max(0, len(data) - 1)))
        data = data[:position] + draw(st.binary(min_size=1, max_size=4)) + data[position + 1 :]
    return draw(st.sampled_from(("v.nii", "v.nii.gz", "v.NII.GZ", "v.NII"))), data


@fuzz_settings
@given(files(), st.sampled_from((read_image, read_labels, read_mask)))
def test_a_right_answer_or_an_error_that_names_the_file(tmp_path_factory, file, reader):
    name, data = file
    path = tmp_path_factory.getbasetemp() / "fuzz" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    with bounded_memory(len(data)) as read:
        try:
            volume = reader(path, "case p1: it")
        except AfpbenchError as error:
            assert str(path) in str(error) and "case p1: it" in str(error) and "hint: " in str(error)
            return
        read.append(volume.array.nbytes)
    assert np.isfinite(volume.array).all() and np.isfinite(volume.geometry.spacing_mm).all()
    _agrees_with_nibabel(path, volume, reader)


def _agrees_with_nibabel(path, volume: Volume, reader) -> None:
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = nibabel.Nifti1Image.from_bytes(data)
        values = np.asarray(image.get_fdata()).squeeze().T
    if reader is read_image:
        np.testing.assert_allclose(volume.array.squeeze().astype(float), values, rtol=1e-5, atol=1e-6)
    elif reader is read_labels:
        np.testing.assert_array_equal(volume.array.squeeze(), np.rint(values))
    else:
        np.testing.assert_array_equal(volume.array.squeeze() > 0, values > (values.max() + min(0, values.min())) / 2)
    if image.header["sform_code"] <= 0 and image.header["qform_code"] <= 0:
        return
    units = {1: 1000.0, 3: 0.001}.get(int(image.header["xyzt_units"]) & 7, 1.0)
    affine = np.diag([-units, -units, units]) @ image.affine[:3]
    geometry = volume.geometry
    ours = np.array(geometry.direction).reshape(3, 3) * geometry.spacing_mm[::-1]
    steps = np.array(geometry.shape[::-1]) - 1
    for corner in np.ndindex(2, 2, 2):
        index = np.array(corner) * steps
        apart = affine @ [*index, 1] - (ours @ index + geometry.origin_mm)
        assert np.abs(apart).max() <= 0.11 * min(geometry.spacing_mm)
