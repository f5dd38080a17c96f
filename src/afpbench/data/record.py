"""Fetch one large file of a public dataset's record (Zenodo's form), resumable, checked by the record's checksum."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import DataError
from .http import check_url, fetch_rest, open_url, try_again

SYNTHRAD2023_RECORD = "https://zenodo.org/api/records/7260705"
SYNTHRAD2023_ARCHIVE = "Task1.zip"
ATTEMPTS = 5
RECORD_LIMIT_BYTES = 1 << 22


@dataclass(frozen=True)
class RecordFile:
    """One file of a record: its address, size in bytes and checksum (`md5:...` or `sha256:...`)."""

    url: str
    size_bytes: int
    checksum: str


def fetch_record_file(record_url: str, name: str, target: Path, pause_s: float = 10.0) -> Path:
    """Bring a file of a record to `target`; a broken transfer goes on where it stopped, in this run or the next.

    record_url: address of the record's description (JSON with `files`: `key`, `size`, `checksum`, `links.self`).
    The bytes gather in `<target>.part`, which gets its name only when size and checksum are right. pause_s: between
    attempts. Raises ConfigError for an unsafe address, DataError for a record without the file, an unreachable or
    wrong file (which is not kept), and a disk without room for it.
    """
    check_url(record_url, "data.url")
    file = _find(record_url, name, pause_s)
    check_url(file.url, f"the record {record_url}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    _check_room(part, file, name)
    if reason := try_again(lambda: fetch_rest(file.url, part, file.size_bytes), file.url, pause_s, ATTEMPTS):
        raise DataError(
            f"cannot download {name} from {file.url}",
            found=reason,
            expected=f"a file of {file.size_bytes} bytes",
            hint=f"the finished part is kept in {part}; the same command goes on with it",
        )
    _check(file, part, name)
    part.replace(target)
    return target


def _find(record_url: str, name: str, pause_s: float) -> RecordFile:
    """What the record says of a file."""
    answers: list[bytes] = []

    def ask() -> None:
        with open_url(record_url) as answer:
            answers.append(answer.read(RECORD_LIMIT_BYTES))

    if reason := try_again(ask, record_url, pause_s, ATTEMPTS):
        raise DataError(
            f"cannot download the record {record_url}",
            found=reason,
            hint="check the network and data.url, or unpack the archive by hand and set data.root",
        )
    try:
        text = answers[-1]
        files = {file["key"]: file for file in json.loads(text)["files"]}
        file = files[name]
        return RecordFile(file["links"]["self"], int(file["size"]), file["checksum"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the record {record_url} does not describe {name}",
            found=f"{type(error).__name__}: {error}",
            expected="`files` with `key`, `size`, `checksum` and `links.self`",
            hint="check data.url, or unpack the archive by hand and set data.root",
        ) from error


def _check_room(part: Path, file: RecordFile, name: str) -> None:
    there = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(part.parent).free
    if free < file.size_bytes - there:
        raise DataError(
            f"no room for {name} in {part.parent}",
            found=f"{free / 1e9:.1f} GB free",
            expected=f"{(file.size_bytes - there) / 1e9:.1f} GB",
            hint="make room, or set data.download_dir to a folder on a larger disk",
        )


def _check(file: RecordFile, part: Path, name: str) -> None:
    kind, _, expected = file.checksum.partition(":")
    if kind not in ("md5", "sha256", "sha512"):
        raise DataError(f"{name}: a checksum of an unknown kind", found=file.checksum, expected="md5, sha256 or sha512")
    size = part.stat().st_size
    with open(part, "rb") as stream:
        found = hashlib.file_digest(stream, kind).hexdigest()
    if (size, found) != (file.size_bytes, expected):
        part.unlink()
        raise DataError(
            f"{name} from {file.url} is not what the record says",
            found=f"{size} bytes, {kind} {found}",
            expected=f"{file.size_bytes} bytes, {kind} {expected}",
            hint="the file was not kept; try again, and if it stays wrong, check data.url",
        )
