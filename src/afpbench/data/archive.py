"""Unpack a zip archive from outside: no member may lead out of the target, none may be a link or a bomb."""

import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..base.errors import DataError

LARGEST_MEMBER_BYTES = 4 << 30
LARGEST_RATIO = 200
ENCRYPTED = 1  # of a member's flags


def unpack_case(archive: Path, names: Sequence[str], case: str, out: Path) -> None:
    """Write the members of an archive that a case consists of into `out`, under their own names without folders.

    Raises DataError as `opened`, and for a case that is not in the archive.
    """
    with opened(archive, "this is not the archive of the record: remove it and check data.url") as (zipped, members):
        out.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name not in members:
                raise DataError(
                    f"case {case}: {archive.name} has no {name}",
                    found=f"{len(members)} members",
                    expected="the archive of Task 1",
                    hint="check data.url, or leave the case out with data.exclude",
                )
            extract(zipped, members[name], out / PurePosixPath(name).name)


@contextmanager
def opened(archive: Path, hint: str) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """A zip archive and its members by name, none of which can do harm. hint: what to do with one that can.

    Raises DataError for a file that is no whole zip archive, and for a member that could do harm.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            yield zipped, {_safe(archive, member, hint): member for member in zipped.infolist()}
    except zipfile.BadZipFile as error:
        raise DataError(
            f"cannot unpack {archive}", found=str(error), expected="a whole zip archive", hint=hint
        ) from error


def extract(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Write one member to a file; its checksum is that of the archive, or BadZipFile is raised."""
    with zipped.open(member) as source, open(target, "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def _safe(archive: Path, member: zipfile.ZipInfo, hint: str) -> str:
    """The member's name, if nothing is wrong with the member."""
    name = member.filename
    path = PurePosixPath(name)
    problem = None
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        problem = "its name leads out of the archive's folder"
    elif stat.S_ISLNK(member.external_attr >> 16):
        problem = "it is a symbolic link"
    elif member.flag_bits & ENCRYPTED:
        problem = "it is encrypted"
    elif member.file_size > LARGEST_MEMBER_BYTES:
        problem = f"it would unpack to {member.file_size / 1e9:.1f} GB"
    elif member.file_size > 1 << 20 and member.file_size > LARGEST_RATIO * member.compress_size:
        problem = f"it would unpack to {member.file_size} bytes from {member.compress_size}"
    if problem:
        raise DataError(
            f"{archive}: a member that is not safe to unpack",
            found=f"'{name}': {problem}",
            expected="plain files of less than 4 GB below the archive's own folder",
            hint=hint,
        )
    return name
