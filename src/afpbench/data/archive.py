"""Unpack a case of a zip archive from outside: no member may lead out of the target, none may be a link or a bomb."""

import shutil
import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ..base.errors import DataError

LARGEST_MEMBER_BYTES = 4 << 30
LARGEST_RATIO = 200


def unpack_case(archive: Path, names: Sequence[str], case: str, out: Path) -> None:
    """Write the members of an archive that a case consists of into `out`, under their own names without folders.

    Raises DataError for a file that is no zip archive, a member that could do harm, and a case that is not in it.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = {_safe(archive, member): member for member in zipped.infolist()}
            out.mkdir(parents=True, exist_ok=True)
            for name in names:
                if name not in members:
                    raise DataError(
                        f"case {case}: {archive.name} has no {name}",
                        found=f"{len(members)} members",
                        expected="the archive of Task 1",
                        hint="check data.url, or leave the case out with data.exclude",
                    )
                with zipped.open(members[name]) as source, open(out / PurePosixPath(name).name, "wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
    except zipfile.BadZipFile as error:
        raise DataError(
            f"cannot unpack {archive}",
            found=str(error),
            expected="a whole zip archive",
            hint="remove the file and run again: it is downloaded anew",
        ) from error


def _safe(archive: Path, member: zipfile.ZipInfo) -> str:
    """The member's name, if nothing is wrong with the member."""
    name = member.filename
    path = PurePosixPath(name)
    problem = None
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        problem = "its name leads out of the archive's folder"
    elif stat.S_ISLNK(member.external_attr >> 16):
        problem = "it is a symbolic link"
    elif member.file_size > LARGEST_MEMBER_BYTES:
        problem = f"it would unpack to {member.file_size / 1e9:.1f} GB"
    elif member.file_size > 1 << 20 and member.file_size > LARGEST_RATIO * member.compress_size:
        problem = f"it would unpack to {member.file_size} bytes from {member.compress_size}"
    if problem:
        raise DataError(
            f"{archive}: a member that is not safe to unpack",
            found=f"'{name}': {problem}",
            expected="plain files of less than 4 GB below the archive's own folder",
            hint="this is not the archive of the record: remove it and check data.url",
        )
    return name
