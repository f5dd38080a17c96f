"""Write to a temporary name beside the target, then rename: a reader never sees half a file. And read it again."""

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import DataError, UnusableFile
from .shapes import Shape, mismatch

NOT_WRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}


@contextlib.contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; rename it to the target on success, remove it on error.

    The temporary name keeps the target's full file name as its end, so that writers which choose a
    format by extension (`.nii.gz`) see the right one. Raises DataError where the disk is full or not writable.
    """
    target, temporary = Path(target), None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".tmp-", suffix=f"-{target.name}", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    except OSError as error:
        if error.errno not in NOT_WRITABLE:
            raise
        raise DataError(
            f"cannot write {target}",
            found=os.strerror(error.errno),
            expected="a folder that can be written, with room",
            hint="make room or give the rights and run again: what is finished is kept. `results` names another folder",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(target: str | Path, text: str) -> None:
    """Write a text file atomically (UTF-8)."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: str | Path, content: object) -> None:
    """Write JSON atomically, keys in the given order, indented for people. NaN and infinity are refused."""
    write_text(target, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_text(path: str | Path, remove: str | Path | None = None) -> str:
    """Read a text file (UTF-8). Raises UnusableFile; remove: as it takes it."""
    path, remove = Path(path), None if remove is None else Path(remove)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnusableFile(path, os.strerror(error.errno or errno.EIO), remove=remove, readable=False) from error
    except UnicodeDecodeError as error:
        raise UnusableFile(path, f"it is not text in UTF-8 (byte {error.start})", remove=remove) from error


def read_json(path: str | Path, shape: Shape = dict, remove: str | Path | None = None) -> dict:
    """Read a JSON file (UTF-8) of this shape (base.shapes). Raises UnusableFile; remove: as it takes it."""
    text = read_text(path, remove)
    try:
        content = json.loads(text)
        problem = mismatch(content, shape)
    except (ValueError, RecursionError) as error:
        content, problem = {}, f"it is cut off or damaged, no JSON: {error}" if text.strip() else "it is empty"
    if problem:
        raise UnusableFile(Path(path), problem, remove=None if remove is None else Path(remove))
    return content


def sha256_of(path: str | Path) -> str:
    """The sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
