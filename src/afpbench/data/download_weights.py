"""Fetch a network's weights: one large file, checked by its sha256; a broken download goes on where it stopped."""

import http.client
import os
import urllib.error
from pathlib import Path

from ..atomic import sha256_of
from ..errors import DataError
from ..log import logger
from .download import CHUNK_BYTES, try_again
from .http import check_url, open_url


def download_weights(url: str, sha256: str, target: Path, pause_s: float = 2.0) -> None:
    """Bring a file to `target`; one that is already right is not fetched again.

    What has arrived lies in `<target>.part` until the checksum holds. pause_s: between attempts.
    Raises ConfigError for an address that is not https (http is allowed for this machine only), DataError for a file
    that cannot be fetched or whose checksum does not hold.
    """
    check_url(url, "weights.url")
    if target.is_file() and sha256_of(target) == sha256:
        logger.info("%s: already there", target)
        return
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if reason := try_again(lambda: _append(url, part), url, pause_s):
        raise DataError(
            f"cannot download {url}",
            found=reason,
            expected=f"a file with sha256 {sha256}",
            hint=f"check the network and weights.url, or put the file at {target} by hand; the next run goes on "
            "where this one stopped",
        )
    found = sha256_of(part)
    if found != sha256:
        part.unlink()
        raise DataError(
            f"{url} has the wrong checksum",
            found=f"sha256 {found}",
            expected=f"sha256 {sha256}",
            hint="the file was not kept; check weights.sha256, weights.url, or a proxy that alters files",
        )
    os.replace(part, target)


def _append(url: str, part: Path) -> None:
    """Fetch what is missing of a file, or all of it where the server cannot begin in the middle."""
    have = part.stat().st_size if part.is_file() else 0
    try:
        answer = open_url(url, {"Range": f"bytes={have}-"} if have else None)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # nothing is missing: the checksum says whether it is right
        raise
    with answer, open(part, "ab" if answer.status == http.HTTPStatus.PARTIAL_CONTENT else "wb") as file:
        expected = answer.length
        begin = file.tell()
        while block := answer.read(CHUNK_BYTES):
            file.write(block)
        if expected is not None and file.tell() - begin < expected:
            raise http.client.IncompleteRead(b"", expected - (file.tell() - begin))
    logger.info("%s: %.1f MB", url, part.stat().st_size / 1e6)
