"""Opening addresses from which data are fetched: https alone, redirects too."""

import urllib.parse
import urllib.request

from ..errors import ConfigError

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
TIMEOUT_S = 60


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


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, stream, code, message, headers, new_url):
        check_url(new_url, f"redirect of {request.full_url}")
        return super().redirect_request(request, stream, code, message, headers, new_url)
