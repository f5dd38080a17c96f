"""Damaged DICOM series and RTSTRUCTs: a right answer, or an AfpbenchError that names the file. Nothing else.

AFPBENCH_FUZZ_EXAMPLES=10000 makes as many of each kind; without it a few.
"""

import contextlib
import os
import resource
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_series import FRAME_UID, SECRETS, write_rtstruct, write_series
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydicom import config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from afpbench.base.errors import AfpbenchError
from afpbench.data import dicom, rtstruct
from afpbench.volumes.io import Geometry, Volume

FUZZ = settings(
    max_examples=int(os.environ.get("AFPBENCH_FUZZ_EXAMPLES") or 25),
    deadline=60_000,  # ms, on a busy machine too: nothing hangs
    suppress_health_check=list(HealthCheck),
)
MEMORY_FACTOR, MEMORY_BESIDE = 4, 2 << 20  # of the files' bytes; what the libraries take for themselves
JUMP_KIB = 64 << 10
TRACED = st.sampled_from([True] + [False] * 9)
STORED = (np.arange(4 * 24 * 20).reshape(4, 24, 20) % 900 + 900).astype(np.uint16)
GRID = Geometry((4, 24, 20), (3.0, 2.0, 1.0), (-20.0, -10.0, 5.0))
JUNK = st.one_of(
    st.sampled_from(
        [b"", b" ", b"nan", b"inf", b"1e400", b"-0", b"1\\2", b"1\\2\\3", b"0\\0\\0", b"abc", b"1\\nan\\2", b"\0\0",
         b"\xff\xff", b"\1\0", b"\0\x80", b"9" * 30, b"1.2.3", b"CT", b"0\\1\\0\\1\\0\\0", b"\\" * 9, b"MONOCHROME1",
         b"1e-300\\1e-300", b"1\\0\\0\\0\\1\\0", b"Planted^Name", b"CLOSEDPLANAR_XOR", b"POINT", b"1_0\\2\\3"]
    ),
    st.binary(max_size=24),
)  # fmt: skip
IMAGE_TAGS = (
    "SOPClassUID", "Modality", "SeriesInstanceUID", "FrameOfReferenceUID", "ImageOrientationPatient",
    "ImagePositionPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel",
    "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope",
    "RescaleIntercept", "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelData", "SpecificCharacterSet",
    "ModalityLUTSequence", "LossyImageCompression", "PlanarConfiguration", "ExtendedOffsetTable",
)  # fmt: skip
STRUCTURE_TAGS = ("StructureSetROISequence", "ROIContourSequence", "FrameOfReferenceUID", "SpecificCharacterSet",
                  "ReferencedFrameOfReferenceSequence", "Modality", "SOPClassUID")  # fmt: skip
ROI_TAGS = ("ROINumber", "ROIName", "ReferencedFrameOfReferenceUID")
CONTOUR_TAGS = ("ContourGeometricType", "ContourData", "NumberOfContourPoints")


def damages(parts: int) -> st.SearchStrategy[Callable[[list[bytes]], list[bytes]]]:
    """One to three damages to the bytes of some of a number of files: cut off, bytes changed, bytes put in or out."""
    place = st.floats(0, 1, exclude_max=True)
    one = st.tuples(st.sampled_from(["cut", "change", "change", "insert", "remove"]), st.integers(0, parts - 1), place,
                    st.binary(min_size=1, max_size=6))  # fmt: skip

    def apply(chosen: list[tuple[str, int, float, bytes]]) -> Callable[[list[bytes]], list[bytes]]:
        def damage(contents: list[bytes]) -> list[bytes]:
            changed = list(contents)
            for kind, part, where, block in chosen:
                content, at = changed[part], int(where * len(changed[part]))
                rest = {"cut": b"", "change": block + content[at + len(block) :], "insert": block + content[at:],
                        "remove": content[at + len(block) :]}  # fmt: skip
                changed[part] = content[:at] + rest[kind]
            return changed

        return damage

    return st.lists(one, min_size=1, max_size=3).map(apply)


def set_raw(item: Dataset, name: str, value: bytes | None) -> None:
    """Give a tag bytes that need not be what its kind demands (they are read as of its kind); None removes it."""
    tag = Tag(name)
    if tag in item:
        del item[tag]
    if value is not None:
        item[tag] = RawDataElement(tag, "UN", len(value), value, 0, False, True)


def write(path: Path, data: Dataset, syntax: str) -> None:
    """Write a data set whose values need not make sense."""
    data.file_meta.TransferSyntaxUID = syntax
    try:
        with config.disable_value_validation():
            pydicom.dcmwrite(path, data, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    except Exception:  # pydicom does not write it: no file, nothing to read
        reject()


def peak_of(reader: Callable[[], Volume]) -> int:
    """The most bytes that a reader holds at once, whether it ends with an error or not."""
    tracemalloc.start()
    with contextlib.suppress(AfpbenchError):
        reader()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def watched(folder: Path, reader: Callable[[], Volume], traced: bool) -> Volume | None:
    """What a reader gives; None for an error, which names the file and quotes nothing of it. Its memory is bounded.

    traced: every allocation is counted, which takes six times as long; else only a jump of the process is seen.
    """
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if traced:
        tracemalloc.start()
    try:
        return reader()
    except AfpbenchError as error:
        assert str(folder) in str(error)
        assert not [secret for secret in SECRETS if secret in str(error)]
        return None
    finally:
        if traced:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            bound = MEMORY_FACTOR * size + MEMORY_BESIDE
            peak = peak if peak < bound else peak_of(reader)  # what a library loads at its first use counts for nobody
            assert peak < bound, f"{peak} bytes for files of {size}"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < JUMP_KIB


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good series, read once: what libraries keep from their first use counts for nobody."""
    folder = write_series(tmp_path_factory.mktemp("series") / "ct", STORED)
    dicom.read_series(folder, "case p1: CT", "CT")
    return folder


@pytest.fixture(scope="module")
def structures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An RTSTRUCT of two structures, read once."""
    square = np.array([[2.0, 3, 0], [9, 3, 0], [9, 12, 0], [2, 12, 0]])
    loops = [square * (1, 2, 1) + (-20, -10, 5 + 3 * z) for z in range(4)]
    path = tmp_path_factory.mktemp("structures") / "RS.dcm"
    write_rtstruct(path, {"GTV": loops, "Heart": loops[:2]}, frame_uid=FRAME_UID)
    contours(path)
    return path


def contours(path: Path) -> Volume:
    image = Volume(np.zeros(GRID.shape), GRID, frame_uid=FRAME_UID)
    return rtstruct.read_contours(path, image, "case p1: contour in the CT", "GTV")


@pytest.fixture
def restored(series: Path, structures: Path) -> Iterator[dict[Path, bytes]]:
    """The bytes of the good files, put back afterwards."""
    whole = {path: path.read_bytes() for path in (*sorted(series.iterdir()), structures)}
    yield whole
    for path, content in whole.items():
        path.write_bytes(content)


def check_series(folder: Path, traced: bool) -> None:
    """A volume of all slices, each where its file says and with the values it says, or an error."""
    volume = watched(folder, lambda: dicom.read_series(folder, "case p1: CT", "CT"), traced)
    if volume is None:
        return
    assert np.isfinite(volume.array).all()
    assert np.isfinite([*volume.geometry.spacing_mm, *volume.geometry.origin_mm]).all()
    if len(volume.array) < len(STORED):  # only where every file says of which series it is, and some say of another
        series = Counter(str(pydicom.dcmread(path).get("SeriesInstanceUID") or "") for path in folder.iterdir())
        assert "" not in series and len(volume.array) in series.values()
        return
    direction = np.array(volume.geometry.direction).reshape(3, 3)
    for path in folder.iterdir():
        image = pydicom.dcmread(path)
        place = (np.array(image.ImagePositionPatient, float) - volume.geometry.origin_mm) @ direction
        number = round(place[2] / volume.spacing_mm[0])
        off_mm = place - (0, 0, number * volume.spacing_mm[0])
        assert np.abs(off_mm).max() <= 0.251 * min(volume.spacing_mm[1:])
        if "PixelPaddingValue" not in image:
            slope, intercept = image.get("RescaleSlope"), image.get("RescaleIntercept")
            values = image.pixel_array * float(1 if slope is None else slope) + float(intercept or 0)
            np.testing.assert_allclose(volume.array[number], values, rtol=1e-5)


@FUZZ
@given(damage=damages(4), traced=TRACED)
def test_series_with_damaged_bytes(series, restored, damage, traced):
    files = [path for path in restored if path.parent == series]
    for path, content in zip(files, damage([restored[path] for path in files]), strict=True):
        path.write_bytes(content)
    check_series(series, traced)


@FUZZ
@given(
    edits=st.lists(st.tuples(st.sampled_from(IMAGE_TAGS), st.none() | JUNK), min_size=1, max_size=3),
    slices=st.sampled_from([(0,), (1, 2), (0, 1, 2, 3)]),
    syntax=st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless]),
    traced=TRACED,
)
def test_series_with_values_that_make_no_sense(series, restored, edits, slices, syntax, traced):
    files = [path for path in restored if path.parent == series]
    for number, path in enumerate(files):
        path.write_bytes(restored[path])
        if number in slices:
            image = pydicom.dcmread(path)
            if syntax == RLELossless:
                image.compress(RLELossless, generate_instance_uid=False)
            for name, value in edits:
                set_raw(image, name, value)
            write(path, image, syntax)
    check_series(series, traced)


def check_contours(path: Path, traced: bool, certain: bool) -> None:
    """The whole mask or an error; where values were changed on purpose another mask may be right."""
    volume = watched(path.parent, lambda: contours(path), traced)
    if volume is not None:
        assert volume.array.shape == GRID.shape and set(np.unique(volume.array)) <= {0, 1}
        assert not certain or volume.array.sum() == 4 * 8 * 10


@FUZZ
@given(damage=damages(1), traced=TRACED)
def test_rtstruct_with_damaged_bytes(structures, restored, damage, traced):
    (content,) = damage([restored[structures]])
    structures.write_bytes(content)
    check_contours(structures, traced, certain=content == restored[structures][: len(content)])


@FUZZ
@given(
    edits=st.lists(
        st.tuples(st.sampled_from(STRUCTURE_TAGS + ROI_TAGS + CONTOUR_TAGS), st.none() | JUNK, st.integers(0, 7)),
        min_size=1,
        max_size=3,
    ),
    syntax=st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
    traced=TRACED,
)
def test_rtstruct_with_values_that_make_no_sense(structures, restored, edits, syntax, traced):
    if ("ROIName", b"Planted^Name") in [edit[:2] for edit in edits]:
        reject()  # a structure's name is shown on purpose
    structures.write_bytes(restored[structures])
    data = pydicom.dcmread(structures)
    rois, items = list(data.StructureSetROISequence), list(data.ROIContourSequence)
    for name, value, number in edits:
        contour = items[number % 2].ContourSequence[number % 2]
        target = data if name in STRUCTURE_TAGS else rois[number % 2] if name in ROI_TAGS else contour
        set_raw(target, name, value)
    write(structures, data, syntax)
    check_contours(structures, traced, certain=False)
