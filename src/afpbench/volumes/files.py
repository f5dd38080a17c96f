"""One reader for every volume on disk: what may be wrong with the file itself, each cause with its own message."""

import math
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.formats import APPLE_DOUBLE, FORMATS, ending, is_nifti
from ..base.log import logger
from .flaw import Flaw
from .nifti import DAMAGED, check_nifti, is_compressed
from .placement import RIGHT_ANGLES, SHEARED, check_affines, check_header, check_rectangular

if TYPE_CHECKING:
    import SimpleITK as sitk

HEADER_TEXT_BYTES = 1 << 16
COMPRESSED = re.compile(rb"(?mi)^(CompressedData\s*=\s*True|encoding:(?!\s*raw))")
SKIPPED = re.compile(rb"(?mi)^(HeaderSize\s*=|(byte|line) ?skip:)")  # more in the data's file than the data
DATA_FILE = re.compile(rb"(?mi)^(?:ElementDataFile\s*=|data ?file:)[ \t]*(.*?)[ \t]*\r?\n")
HEADER_END = re.compile(rb"\r?\n\r?\n")
DEFLATE_RATIO = 1032  # zlib's largest: a smaller file cannot hold what its header claims
RENAMED = f"convert it to one of {', '.join(FORMATS)}, or correct the name if it is one already"


def read_image(path: Path) -> "sitk.Image":
    """A SimpleITK image of three axes, read whole. Raises Flaw."""
    import SimpleITK as sitk

    _check_file(path)
    affines = {}
    if is_nifti(path):
        header = check_nifti(path)
        affines = header.affines
        check_header(affines, header.sizes)
    reader = sitk.ImageFileReader()
    with _name_for_itk(path) as name:
        reader.SetFileName(name)
        try:
            reader.ReadImageInformation()
            _check_claim(path, reader)
            image = _without_single_axes(reader.Execute())
        except RuntimeError as error:
            raise _unreadable(error) from error
    check_rectangular(image)
    check_affines(affines, image)
    if "none" in affines:
        logger.warning("%s: the header says nothing of the image's place in the patient (qform and sform unset)", path)
    return image


def _check_file(path: Path) -> None:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "a link to nowhere" if path.is_symlink() else "nothing"
        hint = "check the path in the study file or the case table"
        raise Flaw(found, f"an image file ({', '.join(FORMATS)})", hint, title="no such file")
    with open(path, "rb") as file:
        if file.read(4) == APPLE_DOUBLE:
            name = path.name.removeprefix("._")
            raise Flaw(
                "what macOS keeps beside a file (AppleDouble), no image",
                "an image file",
                f"give {name} itself; files that begin with ._ may be deleted",
            )
    if not ending(path):
        raise Flaw(f"the ending {path.suffix or '(none)'}", "one of " + ", ".join(FORMATS), RENAMED)


@contextmanager
def _name_for_itk(path: Path) -> Iterator[str]:
    """The file's own name, or for NIfTI a link to it in a folder of its own.

    Of a file `ct.nii.gz` with `ct.nii` beside it, ITK reads the voxels of `ct.nii`; and it goes by the ending, in which
    it wants no capitals among small letters, where the content says whether a file is compressed.
    """
    if not is_nifti(path):
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="afpbench-nifti-") as folder:
        link = Path(folder) / ("volume.nii.gz" if is_compressed(path) else "volume.nii")
        link.symlink_to(path.resolve())
        yield str(link)


def _check_claim(path: Path, reader: "sitk.ImageFileReader") -> None:
    """Refuse a header that claims more voxels than the file can hold, before memory is taken for them."""
    import SimpleITK as sitk

    if is_nifti(path):
        return
    text = _header_text(path)
    slice_bytes = sitk.Image([1, 1], reader.GetPixelID()).GetSizeOfPixelComponent() * reader.GetNumberOfComponents()
    size_bytes = slice_bytes * math.prod(reader.GetSize())
    slice_bytes *= math.prod(reader.GetSize()[:2])
    held = _data_bytes(path, text)
    if held is None:
        return
    compressed = bool(COMPRESSED.search(text))
    if size_bytes > (DEFLATE_RATIO if compressed else 1) * held:
        raise Flaw(f"a header of {size_bytes} bytes of voxels, and {held} bytes in the file", "all voxels", DAMAGED)
    if not compressed and held >= size_bytes + slice_bytes and not SKIPPED.search(text):
        found = f"a header of {size_bytes} bytes of voxels, and {held} bytes in the file"
        raise Flaw(found, "no more than the header says", "the header leaves slices out: convert the image again")


def _header_text(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(HEADER_TEXT_BYTES)


def _data_bytes(path: Path, text: bytes) -> int | None:
    """How many bytes hold the voxels; None where they lie in several files, or where that is unknown."""
    named = DATA_FILE.search(text)
    if named is not None and named[1] != b"LOCAL":
        data = path.parent / named[1].decode("utf-8", "replace")
        return data.stat().st_size if data.is_file() else None
    end = named or HEADER_END.search(text)  # of MetaImage, or of NRRD
    return path.stat().st_size - end.end() if end else None


def _without_single_axes(image: "sitk.Image") -> "sitk.Image":
    """The image without axes of one voxel after the third. Raises Flaw for what is not a volume then."""
    size = image.GetSize()
    if len(size) > 3 and all(count == 1 for count in size[3:]):
        image = image[(slice(None),) * 3 + (0,) * (len(size) - 3)]
    if image.GetDimension() != 3 or min(image.GetSize()) < 2:
        hint = "split a 4D series into its volumes first" if len(size) > 3 else "give the whole volume, not a slice"
        found = f"size {size} (x, y, z...)"
        raise Flaw(found, "three axes of at least 2 voxels", hint, title="not a 3D volume")
    return image


def _unreadable(error: RuntimeError) -> Flaw:
    reason = str(error).strip().splitlines()[-1]
    expected = "a whole image file of one of " + ", ".join(FORMATS)
    if "No such file" in reason:  # what ITK says of a MetaImage whose data end too early
        return Flaw("a header without its whole data", expected, DAMAGED)
    if "spacing" in reason:
        return Flaw(reason, "voxel sizes over 0", "correct the spacing in the header")
    if "direction" in reason.lower():
        return Flaw(reason, RIGHT_ANGLES, SHEARED, title="not on a regular grid")
    return Flaw(reason, expected, "the file may be truncated or of another type: copy it again and open it in a viewer")
