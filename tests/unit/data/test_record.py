"""A record and its file, served by a local server that can break off and go on."""

import hashlib
import http.server
import json
import threading

import pytest

from afpbench.base.errors import ConfigError, DataError
from afpbench.data import record

CONTENT = bytes(range(256)) * 20_000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves /record and /file. `server.cut`: bytes of the next answers before the connection ends."""

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        body, status = server.record if self.path == "/record" else server.content, 200
        if self.path not in ("/record", "/file"):
            return self.send_error(404)
        if self.headers.get("Range") and server.resumes:
            status, body = 206, body[int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) :]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/file" and server.cut:
            body = body[: server.cut.pop(0)]
        self.wfile.write(body)
        return None

    def log_message(self, *arguments):
        """Silent."""


@pytest.fixture
def server():
    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    instance.url = f"http://127.0.0.1:{instance.server_port}"
    instance.content, instance.cut, instance.ranges, instance.resumes = CONTENT, [], [], True
    describe(instance)
    thread = threading.Thread(target=instance.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield instance
    instance.shutdown()
    thread.join()
    instance.server_close()


def describe(server, **changes):
    entry = {"key": "Task1.zip", "size": len(CONTENT), "checksum": f"md5:{hashlib.md5(CONTENT).hexdigest()}"}
    entry |= {"links": {"self": f"{server.url}/file"}} | changes
    server.record = json.dumps({"files": [entry]}).encode()


def fetch(server, tmp_path):
    return record.fetch_record_file(f"{server.url}/record", "Task1.zip", tmp_path / "in" / "Task1.zip", pause_s=0)


def names(tmp_path):
    return [path.name for path in (tmp_path / "in").iterdir()]


def test_the_file_arrives_under_its_name(server, tmp_path):
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert names(tmp_path) == ["Task1.zip"]


def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.cut = [2_000_000, 1_000_000]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, None, "bytes=2000000-", "bytes=3000000-"]


def test_the_next_run_goes_on_too(server, tmp_path):
    server.cut = [1_000_000] * record.ATTEMPTS
    describe(server, size=len(CONTENT) * 2)
    with pytest.raises(DataError, match="cannot download Task1.zip from .*/file(?s:.)*the finished part is kept in"):
        fetch(server, tmp_path)
    assert names(tmp_path) == ["Task1.zip.part"]
    describe(server)
    server.ranges.clear()
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=5000000-"]


def test_a_server_that_cannot_go_on_starts_over(server, tmp_path):
    server.cut, server.resumes = [2_000_000], False
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_wrong_file_is_refused_and_not_kept(server, tmp_path):
    server.content = b"x" + CONTENT[1:]
    with pytest.raises(DataError, match="Task1.zip from .* is not what the record says\n  found: 5120000 bytes, md5"):
        fetch(server, tmp_path)
    assert names(tmp_path) == []


def test_a_file_that_is_larger_than_the_record_says(server, tmp_path):
    server.content = CONTENT + b"more"
    with pytest.raises(DataError, match="is not what the record says"):
        fetch(server, tmp_path)


def test_no_room(server, tmp_path):
    describe(server, size=10**18)
    with pytest.raises(DataError, match="no room for Task1.zip in(?s:.)*expected: 1000000000.0 GB(?s:.)*download_dir"):
        fetch(server, tmp_path)


def test_records_that_do_not_describe_the_file(server, tmp_path):
    server.record = b'{"files": []}'
    with pytest.raises(DataError, match="the record .* does not describe Task1.zip\n  found: KeyError: 'Task1.zip'"):
        fetch(server, tmp_path)
    server.record = b"<html>"
    with pytest.raises(DataError, match="does not describe Task1.zip\n  found: JSONDecodeError"):
        fetch(server, tmp_path)
    describe(server, checksum="crc:1")
    with pytest.raises(DataError, match="a checksum of an unknown kind\n  found: crc:1"):
        fetch(server, tmp_path)


def test_addresses_that_are_not_safe(server, tmp_path):
    describe(server, links={"self": "http://example.org/file"})
    with pytest.raises(ConfigError, match="not a safe address\n  found: http://example.org/file"):
        fetch(server, tmp_path)


def test_a_missing_record(server, tmp_path):
    with pytest.raises(
        DataError, match="cannot download the record .*nothing\n  found: HTTP 404 Not Found(?s:.)*data.root"
    ):
        record.fetch_record_file(f"{server.url}/nothing", "Task1.zip", tmp_path / "x.zip", pause_s=0)
