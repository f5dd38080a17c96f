"""Fetch a network's weights: one large file, checked by its sha256; a broken download goes on where it stopped."""

import os
from pathlib import Path

from ..base.atomic import sha256_of
from ..base.errors import DataError
from ..base.log import logger
from .http import check_url, fetch_rest, try_again


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
    if reason := try_again(lambda: fetch_rest(url, part), url, pause_s):
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
    logger.info("%s: %.1f MB", url, target.stat().st_size / 1e6)
