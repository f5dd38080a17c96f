"""What ITK hides when it reads NIfTI: it turns NaN and infinity into 0, fills up a truncated file with zeros, reads
over contradictions in the header, and passes over a sform that it cannot represent.

Fields and their meaning: the NIfTI-1 standard (nifti1.h)."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..base.errors import DataError
from ..base.formats import GZIP
from .flaw import Flaw

CHUNK_BYTES = 1 << 24
BITS = {  # of each datatype of the standard
    2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64,
    1536: 128, 1792: 128, 2048: 256, 2304: 32,
}  # fmt: skip
FLOATS = {16: "f4", 64: "f8"}
HEADER_BYTES, FIRST_VOXEL, NIFTI_2_BYTES = 348, 352, 540
DIMENSIONS, GRID_PARTS = slice(40, 56), (slice(76, 108), slice(252, 328))  # sizes; pixdim with qfac, qform and sform
LONGEST_QUATERNION = 1.00001  # squared: what rounding leaves
SMALLEST_SLOPE = 1e-12
UNIT_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
DAMAGED = "the file is truncated or damaged: copy it again and compare its checksum"
BY_HAND = "write it again by a tool that sets the whole header (3D Slicer, ITK-SNAP, SimpleITK)"


@dataclass(frozen=True)
class Header:
    """A NIfTI-1 header. affines: name of each transform that is set -> 4x4, index x, y, z, 1 to RAS mm."""

    order: str
    sizes: tuple[int, ...]
    datatype: int
    first_voxel: int
    affines: dict[str, np.ndarray]

    @property
    def voxels(self) -> int:
        return math.prod(self.sizes)


def check_nifti(path: Path) -> Header:
    """Read a NIfTI-1 file through once: header and voxels are whole, and its floating-point voxels are finite.

    Memory is bounded by a chunk. Raises Flaw.
    """
    with _stream(path) as stream:
        header = _read_header(stream)
        _read_voxels(stream, header, finite=True)
    return header


def says_place(path: Path) -> bool:
    """Whether the header of a whole NIfTI-1 file places the volume in the patient, by its qform or its sform."""
    with _stream(path) as stream:
        return "none" not in _read_header(stream).affines


def read_through(path: Path) -> str | None:
    """What is missing in a NIfTI file that was just written, or None; NaN and infinity pass."""
    try:
        with _stream(path) as stream:
            _read_voxels(stream, _read_header(stream), finite=False)
    except Flaw as flaw:
        return flaw.found
    return None


def copy_grid(source: Path, target: Path) -> None:
    """Give a NIfTI-1 file the geometry of another one of the same size, bit by bit.

    ITK computes quaternions and matrices anew when it writes, so that their last bits differ from those it read.
    Raises DataError where the two are not NIfTI-1 files of one size and byte order.
    """
    with _opened(source) as stream:
        header = stream.read(HEADER_BYTES)
    with _opened(target) as stream:
        content = bytearray(stream.read())
    if header[:4] != content[:4] or header[DIMENSIONS] != content[DIMENSIONS]:
        raise DataError(f"{target}: not of the size of {source}", expected="two NIfTI-1 files on one grid")
    for part in GRID_PARTS:
        content[part] = header[part]
    target.write_bytes(gzip.compress(content, 6, mtime=0) if target.name.lower().endswith(".gz") else content)


def is_compressed(path: Path) -> bool:
    """Whether a file's content is compressed, whatever its name says."""
    with open(path, "rb") as file:
        return file.read(2) == GZIP


def _opened(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path) if is_compressed(path) else open(path, "rb")


@contextmanager
def _stream(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    try:
        with _opened(path) as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Flaw(f"{type(error).__name__}: {error}", "a whole compressed file", DAMAGED) from error


def _read_header(stream: BinaryIO | gzip.GzipFile) -> Header:
    content = stream.read(HEADER_BYTES)
    order = _byte_order(content)
    sizes = struct.unpack(order + "8h", content[DIMENSIONS])
    datatype, bits = struct.unpack(order + "2h", content[70:74])
    (offset,) = struct.unpack(order + "f", content[108:112])
    axes = sizes[1 : 1 + sizes[0]] if 0 < sizes[0] < 8 else ()
    if not axes or min(axes) < 1:
        found = f"a size of {' x '.join(map(str, axes)) or sizes[0]}"
        raise Flaw(found, "at least one voxel along every axis", DAMAGED)
    if BITS.get(datatype) != bits:
        raise Flaw(f"the datatype {datatype} of {bits} bits", "a datatype of NIfTI-1 and its number of bits", BY_HAND)
    if not FIRST_VOXEL <= offset < 1 << 31:
        raise Flaw(f"voxels from byte {offset:g} on", f"a vox_offset of at least {FIRST_VOXEL}", BY_HAND)
    _check_slope(*struct.unpack(order + "2f", content[112:120]))
    return Header(order, axes, datatype, int(offset), _affines(content, order))


def _check_slope(slope: float, intercept: float) -> None:
    """A slope of 0 or NaN means that values are as stored; ITK adds an intercept all the same, and takes a very small
    or an infinite slope for none."""
    used = slope != 0 and not math.isnan(slope)
    good = SMALLEST_SLOPE <= abs(slope) < math.inf and math.isfinite(intercept)
    if not good if used else math.isfinite(intercept) and intercept != 0:
        found = f"values of {slope:g} x stored + {intercept:g} (scl_slope, scl_inter)"
        raise Flaw(found, "finite numbers, and a slope over 1e-12 where there is an intercept", BY_HAND)


def _byte_order(content: bytes) -> str:
    """`<` or `>` of a NIfTI-1 header; a Flaw for anything else, with what it is."""
    for order in "<>":
        if content[:4] == struct.pack(order + "i", NIFTI_2_BYTES):
            raise Flaw("a header of NIfTI-2", "NIfTI-1", "convert it to NIfTI-1, or to .mha or .nrrd")
        if content[:4] == struct.pack(order + "i", HEADER_BYTES) and len(content) == HEADER_BYTES:
            if content[344:348] == b"n+1\0":
                return order
            kind = "half of a pair of .hdr and .img" if content[344:348] == b"ni1\0" else "Analyze 7.5, or a cut header"
            raise Flaw(kind, "a single file of NIfTI-1 (`n+1` at the end of its header)", BY_HAND)
    if len(content) < HEADER_BYTES:
        raise Flaw(f"a file of {len(content)} bytes", "an image", DAMAGED)
    raise Flaw(f"{content[:4]!r} at its begin", "a header of NIfTI-1", "the file is of another type, or damaged")


def _affines(content: bytes, order: str) -> dict[str, np.ndarray]:
    """The transforms that are set, in mm; `none` with the voxel sizes alone where none is. Raises Flaw."""
    pixdim = struct.unpack(order + "8f", content[76:108])
    qform_code, sform_code = struct.unpack(order + "2h", content[252:256])
    quaternion = struct.unpack(order + "6f", content[256:280])
    rows = np.array(struct.unpack(order + "12f", content[280:328]), dtype=float).reshape(3, 4)
    affines = {"sform": rows} if sform_code > 0 else {}
    if qform_code > 0 or not affines:
        if not all(0 < size < math.inf for size in pixdim[1:4]):
            found = "a voxel size of " + " x ".join(f"{size:g}" for size in pixdim[1:4])
            raise Flaw(found, "sizes over 0 (pixdim, in mm)", BY_HAND)
        if qform_code > 0 and pixdim[0] not in (-1, 0, 1):
            raise Flaw(f"a qfac (pixdim[0]) of {pixdim[0]:g}", "1 or -1: readers take others differently", BY_HAND)
        form = _qform(quaternion, pixdim) if qform_code > 0 else np.eye(3, 4) * [*pixdim[1:4], 0]
        affines["qform" if qform_code > 0 else "none"] = form
    if not all(np.isfinite(affine).all() for affine in affines.values()):
        raise Flaw("NaN or infinity in its qform or sform", "finite numbers", BY_HAND)
    scale = UNIT_MM.get(content[123] & 7, 1.0)
    return {name: affine * scale for name, affine in affines.items()}


def _qform(quaternion: tuple[float, ...], pixdim: tuple[float, ...]) -> np.ndarray:
    """The qform's 3x4 matrix: rotation of the quaternion, voxel sizes, the sign of pixdim[0], and the offset.

    Raises Flaw for a quaternion that is none: the standard's own library makes it one, NiBabel refuses it.
    """
    b, c, d = quaternion[:3]
    length = b * b + c * c + d * d
    if length > LONGEST_QUATERNION:
        raise Flaw(f"a quaternion of length {math.sqrt(length):.4g} in its qform", "at most 1", BY_HAND)
    if length > 1:  # the standard: a = 0, and the rest is made of length 1
        b, c, d = (value / math.sqrt(length) for value in (b, c, d))
    a = math.sqrt(max(0.0, 1 - length))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    sizes = np.array(pixdim[1:4]) * [1, 1, -1 if pixdim[0] < 0 else 1]
    return np.column_stack([rotation * sizes, quaternion[3:]])


def _read_voxels(stream: BinaryIO | gzip.GzipFile, header: Header, finite: bool) -> None:
    """Read to the end of the stream: the voxels are all there, no more than they, and finite where that is asked."""
    bits = BITS[header.datatype]
    expected, done, bad = header.voxels * bits // 8, 0, 0
    left = header.first_voxel - HEADER_BYTES
    while left and (block := stream.read(min(left, CHUNK_BYTES))):
        left -= len(block)
    while block := stream.read(CHUNK_BYTES):
        if finite and header.datatype in FLOATS:
            inside = block[: max(0, expected - done)]
            whole = len(inside) // (bits // 8)
            values = np.frombuffer(inside, dtype=header.order + FLOATS[header.datatype], count=whole)
            bad += whole - int(np.count_nonzero(np.isfinite(values)))
        done += len(block)
    sizes = f"{expected} bytes ({header.voxels} voxels of {bits} bits)"
    if done < expected:
        raise Flaw(f"{done} bytes of voxels", sizes, DAMAGED)
    if done >= expected + math.prod(header.sizes[:2]) * bits // 8:
        raise Flaw(f"{done} bytes of voxels", sizes, "the header says less than the file holds: convert it again")
    if bad:
        hint = "replace them in the source (air is -1024 HU in a CT, 0 in an MR), or leave the case out"
        raise Flaw(f"{bad} of {header.voxels} voxels", "finite numbers only", hint, title="NaN or infinite voxels")
