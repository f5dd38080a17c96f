"""One large file with a checksum: resumed, checked, refused."""

import hashlib
import http.server
import logging
import threading

import pytest

from afpbench.base.errors import ConfigError, DataError
from afpbench.data.download_weights import download_weights

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT, whole or from an offset; the first `cut` answers break off in the middle."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges, self.cut, self.status, self.knows_ranges = [], 0, None, True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/weights.pth"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.ranges.append(asked)
        if server.status:
            self.send_error(server.status)
            return
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.knows_ranges else 0
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        body = CONTENT[begin:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.cut:
            server.cut -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *arguments):
        logging.getLogger("test-server").debug(*arguments)


@pytest.fixture
def server():
    instance = Server()
    thread = threading.Thread(target=instance.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield instance
    instance.shutdown()
    thread.join()
    instance.server_close()


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    server.cut = 2
    target = tmp_path / "abc" / "weights.pth"
    download_weights(server.url, SHA256, target, pause_s=0)
    half = len(CONTENT) // 2
    assert server.ranges == [None, f"bytes={half}-", f"bytes={half + (len(CONTENT) - half) // 2}-"]
    assert target.read_bytes() == CONTENT and [path.name for path in target.parent.iterdir()] == ["weights.pth"]
    download_weights(server.url, SHA256, target, pause_s=0)
    assert len(server.ranges) == 3  # what is right is not fetched again


def test_a_server_that_cannot_begin_in_the_middle_sends_it_all(server, tmp_path):
    server.knows_ranges = False
    (tmp_path / "weights.pth.part").write_bytes(b"other bytes")
    download_weights(server.url, SHA256, tmp_path / "weights.pth", pause_s=0)
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT


def test_a_run_that_was_killed_is_gone_on_with(server, tmp_path):
    (tmp_path / "weights.pth.part").write_bytes(CONTENT)  # whole, but not yet renamed
    download_weights(server.url, SHA256, tmp_path / "weights.pth", pause_s=0)
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_not_kept(server, tmp_path):
    with pytest.raises(DataError, match=f"has the wrong checksum\n  found: sha256 {SHA256}\n  expected: sha256 0000"):
        download_weights(server.url, "0" * 64, tmp_path / "weights.pth", pause_s=0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there(server, tmp_path):
    server.status = 404
    with pytest.raises(DataError, match=r"(?s)cannot download .*found: HTTP 404.*hint: .*weights.pth by hand"):
        download_weights(server.url, SHA256, tmp_path / "weights.pth", pause_s=0)
    assert len(server.ranges) == 1
    server.status = 503
    with pytest.raises(DataError, match="found: HTTP 503"):
        download_weights(server.url, SHA256, tmp_path / "weights.pth", pause_s=0)
    assert len(server.ranges) == 4


def test_unsafe_addresses_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="weights.url: not a safe address"):
        download_weights("http://example.org/x.pth", SHA256, tmp_path / "x.pth")
