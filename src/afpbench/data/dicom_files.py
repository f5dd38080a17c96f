"""The DICOM files of a folder: what is not meant to be one is passed over, what is broken is an error.

Nothing of a header but what is technical (modality, size, spacing, number of slices) goes into logs, messages or
outputs: no name, no id, no date, and no UID either, since many scanners write the date into it.
"""

import logging
import math
import mmap
import os
import re
import warnings
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ..base.errors import DataError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAGIC, MAGIC_AT = b"DICM", 128
TAGS = (
    "SOPClassUID", "Modality", "SeriesInstanceUID", "FrameOfReferenceUID", "ImageOrientationPatient",
    "ImagePositionPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel",
    "PhotometricInterpretation",
)  # fmt: skip
OTHER_KINDS = re.compile(
    r"\.(txt|csv|tsv|json|xml|ya?ml|log|md|html?|css|js|ini|inf|pdf|docx?|xlsx?|rtf|db|jpe?g|png|gif|bmp|tiff?|ico"
    r"|exe|dll|nii|nii\.gz|nrrd|mha|mhd|bval|bvec)$",
    re.IGNORECASE,
)
DICOM_ENDINGS = (".dcm", ".ima", ".dicom")
CUT_OFF = "the file is cut off"
ELEMENT_BYTES = 8  # of an element's tag, kind and length
SEARCH_BYTES = 8192  # what pydicom reads at once where it searches the end of an element of unknown length
TEXT_BYTES = 4096
CONTROL = frozenset(range(32)) - frozenset(b"\t\n\f\r\x1b")
SHOWN = 4


class BrokenError(Exception):
    """Why a file cannot be used, in words that hold nothing of its header; where there is more to say, also what was
    found and expected, and what to do next."""

    def __init__(self, problem: str, *, found: str = "", expected: str = "", hint: str = ""):
        super().__init__(problem)
        self.problem, self.found, self.expected, self.hint = problem, found, expected, hint


def quiet() -> None:
    """Keep pydicom from warning in this process: its warnings quote values of the header in the log."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    warnings.filterwarnings("ignore", module="pydicom")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do: a preamble of 128 bytes, then `DICM`."""
    try:
        with open(path, "rb") as file:
            return file.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] == MAGIC
    except OSError:
        return False


def read_headers(folder: Path, what: str) -> dict[Path, "Dataset"]:
    """Path -> technical header of every DICOM file below a folder (or of the one file that is given), sorted.

    what: for messages, with the case. Passed over: hidden files (also what macOS leaves as `._name`), DICOMDIR, and
    pictures, text and documents, unless they are named as the DICOM files beside them are. Everything else that
    cannot be read (empty, cut off, without preamble, a link to nothing) raises DataError, which names it.
    """
    found: dict[Path, Dataset] = {}
    broken: dict[Path, str] = {}
    for path in _files(folder):
        try:
            found[path] = _header(path)
        except BrokenError as error:
            broken[path] = str(error)
    forms = {(path.parent, _form(path)) for path in found}
    wrong = {
        path: why
        for path, why in broken.items()
        if path == folder or (path.parent, _form(path)) in forms or not _of_another_kind(path)
    }
    if wrong:
        raise broken_files(what, folder, wrong)
    return found


def broken_files(what: str, folder: Path, wrong: dict[Path, str]) -> DataError:
    """The error that names files (with the reason of each)."""
    shown = [f"{path.name} ({why})" for path, why in list(wrong.items())[:SHOWN]]
    return DataError(
        f"{what}: {len(wrong)} {'file' if len(wrong) == 1 else 'files'} that cannot be read in {folder}",
        found=", ".join(shown) + (", ..." if len(wrong) > SHOWN else ""),
        expected="whole DICOM files (hidden files, DICOMDIR, text, pictures and documents are passed over)",
        hint="copy or export them again, or move what does not belong to the images out of the folder",
    )


@contextmanager
def opened(path: Path, to_the_end: bool = False) -> Iterator[BinaryIO]:
    """A file for pydicom, mapped: a length in a damaged header cannot make it ask for more memory than the file has.

    to_the_end: reading raises BrokenError where the file ends within an element; pydicom alone takes what is there.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield cast(BinaryIO, _Mapped(content, to_the_end))


class _Mapped:
    """A mapped file. To the end: as much must be there as is asked for. Only where an element may begin may the file
    end, once, and a search may be longer than the file."""

    def __init__(self, content: mmap.mmap, to_the_end: bool):
        self.tell, self.close = content.tell, content.close
        self._content, self._to_the_end, self._ended, self._rest = content, to_the_end, False, 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            self._content.seek(offset + (self.tell() if whence == os.SEEK_CUR else 0))
        except ValueError:
            raise BrokenError(CUT_OFF) from None
        return self.tell()

    def read(self, count: int = -1) -> bytes:
        if count < 0:
            raise BrokenError("compressed as a whole (deflated), which is not read")
        block = self._content.read(count)
        if self._to_the_end and len(block) < count and not self._may_end(count, len(block)):
            raise BrokenError(CUT_OFF)
        return block

    def _may_end(self, asked: int, there: int) -> bool:
        if asked in (SEARCH_BYTES, self._rest):  # a search, and what pydicom asks for once more where it ends
            self._rest = SEARCH_BYTES - there
            return True
        again, self._ended = self._ended, True
        return not again and there == 0 and asked == ELEMENT_BYTES


def numbers(header: "Dataset", name: str, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers of a header, None where it has no value. Raises BrokenError for any other value."""
    try:
        value = header.get(name)
        values = value if isinstance(value, MutableSequence) else [] if value in (None, "") else [value]
        result = tuple(float(part) for part in values)
    except Exception:  # pydicom raises many kinds, whose text may quote the header
        raise BrokenError(f"a value of {name} that is no number") from None
    if not result:
        return None
    if len(result) != count or not all(map(math.isfinite, result)):
        raise BrokenError(f"{len(result)} values of {name}, or one that is not finite")
    return result


def integer(header: "Dataset", name: str, default: int) -> int:
    """A whole number of a header. Raises BrokenError for anything else."""
    (value,) = numbers(header, name, 1) or (default,)
    if value != int(value):
        raise BrokenError(f"a value of {name} that is no whole number")
    return int(value)


def text(header: "Dataset", name: str) -> str:
    """A text of a header, '' where it has none or one that cannot be read."""
    try:
        value = header.get(name)
        return "" if value is None else str(value).strip()
    except Exception:  # pydicom raises many kinds, whose text may quote the header
        return ""


def is_image(header: "Dataset") -> bool:
    """Whether a header is that of an image: it has a size."""
    return "Rows" in header


def is_rtstruct(header: "Dataset") -> bool:
    """Whether a header is that of an RTSTRUCT, by its storage class or its modality."""
    return "RT Structure Set Storage" in _storage(header) or text(header, "Modality") == "RTSTRUCT"


def _files(folder: Path) -> list[Path]:
    """Every file, and every link to nothing, that is not hidden nor a DICOMDIR."""
    if not folder.is_dir():
        return [folder]
    paths = [path for path in folder.rglob("*") if path.is_file() or (path.is_symlink() and not path.exists())]
    hidden = [path for path in paths if any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return sorted(path for path in set(paths) - set(hidden) if path.name.upper() != "DICOMDIR")


def _header(path: Path) -> "Dataset":
    """The technical header of a DICOM file. Raises BrokenError."""
    import pydicom

    quiet()
    try:
        if path.stat().st_size == 0:
            raise BrokenError("empty")
        with opened(path, to_the_end=True) as file:
            if file.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] != MAGIC:
                raise BrokenError("no DICOM preamble")
            file.seek(0)
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(TAGS))
            to_have_a_size = _to_have_a_size(header)
    except BrokenError:
        raise
    except FileNotFoundError:
        raise BrokenError("a link to nothing" if path.is_symlink() else "no such file") from None
    except Exception as error:  # pydicom raises many kinds, whose text may quote the header
        raise BrokenError(f"a damaged header: {type(error).__name__}") from None
    if to_have_a_size and numbers(header, "Rows", 1) is None:
        raise BrokenError("its header ends before the size of the image")
    return header


def _to_have_a_size(header: "Dataset") -> bool:
    """Whether a header must have the size of an image: by its storage class, else by its modality."""
    kinds = _storage(header)
    if kinds:
        return any("Image Storage" in kind for kind in kinds)
    return text(header, "Modality") in ("", "CT", "MR")


def _storage(header: "Dataset") -> set[str]:
    """What DICOM calls the storage class of a file, which stands in two places; empty where it knows neither."""
    from pydicom.uid import UID

    uids = {UID(text(header.file_meta, "MediaStorageSOPClassUID")), UID(text(header, "SOPClassUID"))}
    return {uid.name for uid in uids if uid.name != str(uid)}


def _form(path: Path) -> str:
    """A file's name without its numbers: slices of a series share it."""
    return re.sub(r"\d+", "#", path.name)


def _of_another_kind(path: Path) -> bool:
    """Whether a file that is not DICOM is none by intent: by the ending of its name, or since it is text."""
    if OTHER_KINDS.search(path.name):
        return True
    if path.suffix.lower() in DICOM_ENDINGS:
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(TEXT_BYTES)
    except OSError:
        return False
    return bool(start) and start[MAGIC_AT : MAGIC_AT + len(MAGIC)] != MAGIC and not CONTROL.intersection(start)
