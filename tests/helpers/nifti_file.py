"""NIfTI files made by hand, byte by byte where a test wants a fault."""

import gzip
import struct
from pathlib import Path

import nibabel
import numpy as np

AFFINE = np.array([[2.0, 0, 0, -5], [0, 1.5, 0, -6], [0, 0, 3.0, 7], [0, 0, 0, 1]])  # voxel sizes 2 x 1.5 x 3 mm, RAS


def content(array: np.ndarray, affine=AFFINE, sform=1, qform=None, slope=None, patches=(), kind=nibabel.Nifti1Image):
    """The bytes of a NIfTI file. array: in x, y, z. sform: its code. qform: its matrix, or None for code 0.

    slope: scl_slope, where the array holds stored numbers. patches: (offset, format of struct, values).
    """
    image = kind(array, None, dtype=array.dtype)
    image.header.set_sform(affine, sform)
    image.header.set_qform(qform if qform is None else np.array(qform), 0 if qform is None else 1)
    image.header["pixdim"][1:4] = np.linalg.norm(AFFINE[:3, :3], axis=0)
    image = kind(array, None, image.header, dtype=array.dtype)
    data = bytearray(image.to_bytes())
    if slope is not None:
        struct.pack_into("<f", data, 112, slope)
    for offset, form, *values in patches:
        struct.pack_into(form, data, offset, *values)
    return bytes(data)


def write(path: Path, array: np.ndarray, **options) -> Path:
    """Write such a file, compressed where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content(array, **options)
    path.write_bytes(gzip.compress(data) if path.name.lower().endswith(".gz") else data)
    return path
