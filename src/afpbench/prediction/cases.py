"""Which MRs are meant by the files and folders that a user names, and what each of them is called."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..base.errors import DataError
from ..base.formats import FORMATS, ending, is_hidden, stem


def find_cases(paths: Sequence[Path]) -> dict[str, Path]:
    """Case -> its MR, an image file or the folder of a DICOM series.

    A file is one case. A folder with image files is a case for each of them; a folder with other files is one DICOM
    series; a folder of folders has a series in each. A case is called as its file or folder.
    Raises DataError for what is not there, for a folder with nothing in it, and for two cases of one name.
    """
    found: dict[str, Path] = {}
    for path in (one for given in paths for one in _in(given)):
        name = stem(path) if path.is_file() else path.resolve().name
        if name in found:
            raise DataError(
                f"--mr: two MRs are called '{name}'",
                found=f"{found[name]} and {path}",
                expected="a name of its own for each",
                hint="rename one, or give them in two calls",
            )
        found[name] = path
    return found


def by_channel(found: Sequence[Mapping[str, Path]]) -> dict[str, list[Path]]:
    """Case -> the files of its MR's channels, in their order.

    found: the cases of each channel, as `find_cases` gives them. Where a channel has one case only, the others' may be
    called otherwise: the case is called as its first channel. Raises DataError for cases that lack a channel.
    """
    first, *others = found
    if all(len(cases) == 1 for cases in found):
        return {case: [path, *(next(iter(cases.values())) for cases in others)] for case, path in first.items()}
    for number, cases in enumerate(others, start=2):
        if odd := sorted(set(first) ^ set(cases)):
            raise DataError(
                f"--mr: the cases of channel {number} are not those of the first",
                found=f"only in one of the two: {', '.join(odd[:5])}",
                expected="the same names for every channel, such as t1/p1.nii.gz and t2/p1.nii.gz",
                hint="give each channel a folder of its own, with its files named by the cases",
            )
    return {case: [path, *(cases[case] for cases in others)] for case, path in first.items()}


def _in(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError("--mr: no such file or folder", found=str(path), expected="an MR, or a folder of them")
    if path.is_file():
        return [path]
    entries = sorted(entry for entry in path.iterdir() if not is_hidden(entry))
    files = [entry for entry in entries if entry.is_file()]
    images = [entry for entry in files if ending(entry)]
    if images or files:
        return images or [path]
    folders = [entry for entry in entries if entry.is_dir()]
    if not folders:
        raise DataError(
            f"--mr: nothing in {path}",
            found="an empty folder",
            expected=f"image files ({', '.join(FORMATS)}), or the files of a DICOM series",
        )
    return folders
