"""Fetch the files of an STS case from the public repository, checked by size and sha256 before use."""

import hashlib
import time
from pathlib import Path

from ..base.atomic import atomic_path, sha256_of
from ..base.errors import DataError
from ..base.log import logger
from ..study.kinds.sources.sts import RemoteFile, Sts, sts_files
from .http import CHUNK_BYTES, check_url, open_url, try_again

REPOSITORY_URL = "https://raw.githubusercontent.com/theibsi/data_sets/6da96021bc91faf4c0cb7fd7fa56a4225d2064a8"


def download_case(data: dict, case: str, root: Path, pause_s: float = 2.0) -> Path:
    """Bring the files of a case into the download folder; files that are already right are not fetched again.

    data: the task's `data` section (`url`: the base address, default the public repository at a pinned commit;
    `download_dir`). root: the folder that relative paths start from. pause_s: between attempts at one file.
    Each file is written under a temporary name, checked, then renamed. Returns the case's folder.
    Raises ConfigError for an address that is not https (http is allowed for this machine only), DataError for an
    unknown case, an unreachable or missing file, a wrong size or a wrong checksum.
    """
    base = data.get("url") or REPOSITORY_URL
    check_url(base, "data.url")
    files = [file for file in sts_files() if file.case == case]
    if not files:
        raise DataError(f"case {case}: not in the list of files to download", hint="sts_files.tsv has the list")
    folder = Sts({**Sts.defaults(), **data}, root=root).download_folder / case
    for number, file in enumerate(files, start=1):
        target = folder / file.name
        if is_right(target, file):
            logger.info("%s %d/%d %s: already there", case, number, len(files), file.name)
            continue
        begin = time.monotonic()
        fetch(f"{base.rstrip('/')}/{file.path}", file, target, pause_s)
        seconds = time.monotonic() - begin
        logger.info(
            "%s %d/%d %s: %.1f MB in %.1f s", case, number, len(files), file.name, file.size_bytes / 1e6, seconds
        )
    return folder


def is_right(path: Path, file: RemoteFile) -> bool:
    """Whether a file on disk has the size and sha256 that the list gives."""
    return path.is_file() and path.stat().st_size == file.size_bytes and sha256_of(path) == file.sha256


def fetch(url: str, file: RemoteFile, target: Path, pause_s: float = 2.0) -> None:
    """Fetch one file; a broken connection is tried again, an answer that is wrong is an error at once."""

    def once() -> None:
        with atomic_path(target) as temporary:
            _check(url, file, *_stream(url, temporary, file.size_bytes))

    if reason := try_again(once, url, pause_s):
        raise DataError(
            f"case {file.case}: cannot download {file.name} from {url}",
            found=reason,
            expected=f"a file of {file.size_bytes} bytes",
            hint=f"check the network and data.url, or put the file at {target} by hand; "
            "files that are already there are kept",
        )


def _stream(url: str, path: Path, limit_bytes: int) -> tuple[int, str]:
    """Write the answer to `path`, at most one byte more than the limit; return its size and sha256."""
    digest, size = hashlib.sha256(), 0
    with open_url(url) as answer, open(path, "wb") as target:
        while size <= limit_bytes and (block := answer.read(min(CHUNK_BYTES, limit_bytes + 1 - size))):
            target.write(block)
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _check(url: str, file: RemoteFile, size: int, sha256: str) -> None:
    hint = "the file was not kept; try again, and if it stays wrong, check data.url (or a proxy that alters files)"
    if size != file.size_bytes:
        found = f"more than {file.size_bytes} bytes" if size > file.size_bytes else f"{size} bytes"
        raise DataError(
            f"case {file.case}: {file.name} from {url} has the wrong size",
            found=found,
            expected=f"{file.size_bytes} bytes",
            hint=hint,
        )
    if sha256 != file.sha256:
        raise DataError(
            f"case {file.case}: {file.name} from {url} has the wrong checksum",
            found=f"sha256 {sha256}",
            expected=f"sha256 {file.sha256}",
            hint=hint,
        )
