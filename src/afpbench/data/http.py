"""Fetching from addresses: https alone, redirects too; a broken connection is tried again, or gone on with."""

import http
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ..base.errors import ConfigError
from ..base.log import logger

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
TIMEOUT_S = 60
ATTEMPTS = 3
CHUNK_BYTES = 1 << 20
SECONDS_BETWEEN_LINES = 30


def check_url(url: str, where: str) -> None:
    """Raise ConfigError for an address that is not https (http is allowed for this machine only)."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in LOCAL_HOSTS:
        return
    raise ConfigError(
        f"{where}: not a safe address",
        found=url,
        expected="an https:// address (http:// only for this machine: localhost)",
        hint="use the https address of the server",
    )


def open_url(url: str, headers: dict[str, str] | None = None):
    """The open answer of a GET; redirects are followed to safe addresses only. Raises what urllib raises."""
    request = urllib.request.Request(url, headers=headers or {})
    return urllib.request.build_opener(_SafeRedirects).open(request, timeout=TIMEOUT_S)


def try_again(action: Callable[[], None], url: str, pause_s: float, attempts: int = ATTEMPTS) -> str:
    """Do what needs the network, up to `attempts` times; returns why it failed, "" where it did not.

    A refusal by the server (HTTP below 500) is final at once. pause_s: between attempts.
    """
    for attempt in range(1, attempts + 1):
        try:
            action()
            return ""
        except urllib.error.HTTPError as error:
            reason, final = f"HTTP {error.code} {error.reason}", error.code < 500
        except (OSError, http.client.HTTPException) as error:
            reason, final = str(getattr(error, "reason", error)) or type(error).__name__, False
        if final:
            break
        if attempt < attempts:
            logger.warning("%s: %s; attempt %d of %d", url, reason, attempt, attempts)
            time.sleep(pause_s)
    return reason


def fetch_rest(url: str, part: Path, size_bytes: int | None = None) -> None:
    """Fetch what is missing of a file, or all of it where the server cannot begin in the middle.

    part: what has arrived so far; it grows. size_bytes: of the whole file, where it is known; at most a block more is
    fetched. Raises what urllib raises, and ConnectionError where the connection ends before the file.
    """
    have = part.stat().st_size if part.is_file() else 0
    if size_bytes is not None and have >= size_bytes:
        return
    try:
        answer = open_url(url, {"Range": f"bytes={have}-"} if have else None)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # nothing is missing: the checksum says whether it is right
        raise
    with answer, open(part, "ab" if answer.status == http.HTTPStatus.PARTIAL_CONTENT else "wb") as file:
        begin = there = file.tell()
        whole = size_bytes if answer.length is None or size_bytes is not None else begin + answer.length
        began = shown = time.monotonic()
        while (whole is None or there <= whole) and (block := answer.read(CHUNK_BYTES)):
            file.write(block)
            there += len(block)
            if whole and time.monotonic() - shown > SECONDS_BETWEEN_LINES:
                shown = time.monotonic()
                left = (whole - there) * (shown - began) / (there - begin)
                logger.info("%s: %.1f of %.1f MB, about %.0f s left", url, there / 1e6, whole / 1e6, left)
    if whole is not None and there < whole:
        raise ConnectionError(f"the connection ended after {there} of {whole} bytes")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, stream, code, message, headers, new_url):
        check_url(new_url, f"redirect of {request.full_url}")
        return super().redirect_request(request, stream, code, message, headers, new_url)
