"""The viewer's server: this machine only, read only, and nobody without the token.

Every request carries a random token as the first part of its path: no cookie, which browsers would send to every other
port of this machine too. The name in the Host header must be this machine's, so that no foreign name that resolves to
it (DNS rebinding) speaks for a page of somebody else's. The page may load from this server alone.
"""

import hmac
import json
import secrets
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from ..base.errors import ConfigError
from ..base.log import logger
from .pages import TYPES, Pages

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost")  # what a browser may call this machine, also through a tunnel
POLICY = "; ".join(
    [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self' data:",
        "img-src 'self' data: blob:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ]
)  # fmt: skip
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """A server of a results folder. port: 0 takes a free one. Raises ConfigError where the port is not free."""

    daemon_threads = True

    def __init__(self, pages: Pages, port: int = 0):
        self.pages = pages
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((LOOPBACK, port), Handler)
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"--port: cannot listen on {LOOPBACK}:{port}",
                found=str(error),
                expected="a free port from 1024 to 65535",
                hint="give another one, or leave --port out",
            ) from error

    def server_bind(self) -> None:
        """Bind, without the standard library's question to the name service of what this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.port

    def handle_error(self, request, client_address) -> None:
        """A page that was left before its images were there is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """Where the page is, token and all."""
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; any other method is refused by the standard library (501)."""

    server: Server
    server_version, sys_version = "afpbench", ""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        token, _, address = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not self._is_named():
            self._send(403, {"error": "the viewer answers to 127.0.0.1 and localhost only"}, body)
        elif not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._send(403, {"error": "open the address that `afpbench view` printed: it holds the token"}, body)
        else:
            page = self.server.pages.answer(address)
            self._write(200 if page.found else 404, page.content, page.content_type, body)

    def _is_named(self) -> bool:
        name, _, port = self.headers.get("Host", "").partition(":")
        return name.lower() in NAMES and (not port or port.isdigit())

    def _send(self, code: int, content: dict, body: bool) -> None:
        self._write(code, json.dumps(content).encode(), TYPES["json"], body)

    def _write(self, code: int, content: bytes, content_type: str, body: bool) -> None:
        self.send_response(code)
        for name, value in {**HEADERS, "Content-Type": content_type, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """No line for each request, and none that would hold the token."""

    def log_error(self, format: str, *arguments: object) -> None:
        logger.debug("viewer: " + format, *arguments)
