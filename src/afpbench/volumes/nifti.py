"""What ITK hides when it reads NIfTI: it turns NaN and infinity into 0 and fills up a truncated file with zeros."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from ..base.errors import DataError

CHUNK_BYTES = 1 << 24
FLOATS = {16: "f4", 64: "f8"}
HEADER_BYTES = 348
DIMENSIONS, GRID_PARTS = slice(40, 56), (slice(76, 108), slice(252, 328))  # sizes; pixdim with qfac, qform and sform


def check_nifti(path: Path, what: str) -> None:
    """Read a NIfTI-1 file (.nii, .nii.gz) through once: it is whole, and its floating-point voxels are finite.

    what: for the message, with the case ("case p01: MR"). Files of other formats, and what is not NIfTI-1, pass.
    Memory is bounded by a chunk. Raises DataError.
    """
    path = Path(path)
    if not path.is_file() or not is_nifti(path):
        return
    problem, expected = read_through(path)
    if problem is None:
        return
    finite = "finite" in expected
    raise DataError(
        f"{what}: {'NaN or infinite voxels' if finite else 'cannot read'}: {path}",
        found=problem,
        expected=expected,
        hint="replace them in the source (air is -1024 HU in a CT, 0 in an MR), or leave the case out"
        if finite
        else "the file is truncated or damaged: copy it again and compare its checksum",
    )


def is_nifti(path: Path) -> bool:
    """Whether a name is that of a NIfTI file."""
    return path.name.endswith((".nii", ".nii.gz"))


def read_through(path: Path, finite: bool = True) -> tuple[str | None, str]:
    """What is wrong with a NIfTI file, or None, and what was expected. finite: complain of NaN and infinity too."""
    try:
        with _open(path) as stream:
            return _read_through(stream, finite)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"{type(error).__name__}: {error}", "a whole compressed file"


def copy_grid(source: Path, target: Path) -> None:
    """Give a NIfTI-1 file the geometry of another one of the same size, bit by bit.

    ITK computes quaternions and matrices anew when it writes, so that their last bits differ from those it read.
    Raises DataError where the two are not NIfTI-1 files of one size and byte order.
    """
    with _open(source) as stream:
        header = stream.read(HEADER_BYTES)
    with _open(target) as stream:
        content = bytearray(stream.read())
    if header[:4] != content[:4] or header[DIMENSIONS] != content[DIMENSIONS]:
        raise DataError(f"{target}: not of the size of {source}", expected="two NIfTI-1 files on one grid")
    for part in GRID_PARTS:
        content[part] = header[part]
    target.write_bytes(gzip.compress(content, 6, mtime=0) if target.name.endswith(".gz") else content)


def _open(path: Path):
    return gzip.open(path) if path.name.endswith(".gz") else open(path, "rb")


def _read_through(stream, finite: bool) -> tuple[str | None, str]:
    header = stream.read(HEADER_BYTES)
    order = next((o for o in "<>" if header[:4] == struct.pack(o + "i", HEADER_BYTES)), None)
    if order is None:  # not NIfTI-1: only that the stream can be read to its end
        while stream.read(CHUNK_BYTES):
            continue
        return (f"a file of {len(header)} bytes", "an image") if len(header) < HEADER_BYTES else (None, "")
    sizes = struct.unpack(order + "8h", header[40:56])
    datatype, bits = struct.unpack(order + "2h", header[70:74])
    (offset,) = struct.unpack(order + "f", header[108:112])
    axes = sizes[1 : 1 + sizes[0]] if 0 < sizes[0] < 8 else ()
    if not axes or min(axes) < 1:
        return f"a size of {' x '.join(map(str, axes)) or sizes[0]}", "at least one voxel along every axis"
    voxels = int(np.prod(axes, dtype=np.int64))
    stream.read(max(0, int(offset) - HEADER_BYTES))
    expected_bytes, done, bad = voxels * bits // 8, 0, 0
    while block := stream.read(CHUNK_BYTES):
        if finite and datatype in FLOATS:
            whole = len(block) // (bits // 8)
            values = np.frombuffer(block, dtype=order + FLOATS[datatype], count=whole)
            bad += whole - int(np.count_nonzero(np.isfinite(values)))
        done += len(block)
    if done < expected_bytes:
        return f"{done} bytes of voxels", f"{expected_bytes} bytes ({voxels} voxels of {bits} bits)"
    return (f"{bad} of {voxels} voxels" if bad else None), "finite numbers only"
