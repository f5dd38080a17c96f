"""Fetch one large file of a public dataset's record (Zenodo's form), resumable, checked by the record's checksum."""

import hashlib
import http.client
import json
import shutil
import time
import urllib.error
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from ..log import logger
from .http import check_url, open_url

SYNTHRAD2023_RECORD = "https://zenodo.org/api/records/7260705"
SYNTHRAD2023_ARCHIVE = "Task1.zip"
CHUNK_BYTES = 1 << 20
ATTEMPTS = 5
RECORD_LIMIT_BYTES = 1 << 22
SECONDS_BETWEEN_LINES = 30


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
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _append(file, part, name)
            break
        except (OSError, http.client.HTTPException) as error:
            _again(error, attempt, f"{name} from {file.url}", f"the finished part is kept in {part}", pause_s)
    _check(file, part, name)
    part.replace(target)
    return target


def _find(record_url: str, name: str, pause_s: float) -> RecordFile:
    """What the record says of a file."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with open_url(record_url) as answer:
                text = answer.read(RECORD_LIMIT_BYTES)
            break
        except (OSError, http.client.HTTPException) as error:
            hint = "check the network and data.url, or unpack the archive by hand and set data.root"
            _again(error, attempt, f"the record {record_url}", hint, pause_s)
    try:
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


def _append(file: RecordFile, part: Path, name: str) -> None:
    """Fetch what is missing of a file. A server that does not continue in the middle makes it start over."""
    there = part.stat().st_size if part.exists() else 0
    if there >= file.size_bytes:
        return
    headers = {"Range": f"bytes={there}-"} if there else {}
    with open_url(file.url, headers) as answer:
        if there and answer.status != 206:
            there = 0
        begin, shown, start = time.monotonic(), time.monotonic(), there
        with open(part, "ab" if there else "wb") as target:
            while there <= file.size_bytes and (block := answer.read(CHUNK_BYTES)):
                target.write(block)
                there += len(block)
                if time.monotonic() - shown > SECONDS_BETWEEN_LINES:
                    shown = time.monotonic()
                    left = (file.size_bytes - there) / ((there - start) / (shown - begin))
                    share = there / file.size_bytes
                    logger.info("%s: %.1f GB, %.0f %%, about %.0f s left", name, there / 1e9, 100 * share, left)
    if there < file.size_bytes:
        raise ConnectionError(f"the connection ended after {there} of {file.size_bytes} bytes")


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


def _again(error: Exception, attempt: int, what: str, hint: str, pause_s: float) -> None:
    """Wait before the next attempt, or raise when there is none."""
    reason = str(getattr(error, "reason", error)) or type(error).__name__
    final = isinstance(error, urllib.error.HTTPError) and error.code < 500
    if final or attempt == ATTEMPTS:
        raise DataError(f"cannot download {what}", found=reason, expected="the file", hint=hint) from error
    logger.warning("%s: %s; attempt %d of %d", what, reason, attempt, ATTEMPTS)
    time.sleep(pause_s)
