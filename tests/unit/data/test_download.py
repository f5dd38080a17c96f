import hashlib
import http.server
import logging
import threading

import pytest

from afpbench.base.errors import ConfigError, DataError
from afpbench.data import download
from afpbench.study.kinds.sources.sts import RemoteFile, sts_files

CONTENT = {name: (name * 5000).encode() for name in ("CT_image.nii.gz", "MR_T1_image.nii.gz")}


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (path -> bytes), counts requests; paths in `broken` answer 503 that many times first."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests, self.broken, self.redirects = {}, [], {}, {}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.end_headers()
        elif self.server.broken.get(self.path, 0) > 0:
            self.server.broken[self.path] -= 1
            self.send_error(503)
        elif self.path in self.server.files:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.files[self.path])))
            self.end_headers()
            self.wfile.write(self.server.files[self.path])
        else:
            self.send_error(404)

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


@pytest.fixture
def data(server, monkeypatch):
    files = [RemoteFile(f"n/P1/{n}", len(c), hashlib.sha256(c).hexdigest()) for n, c in CONTENT.items()]
    monkeypatch.setattr(download, "sts_files", lambda: tuple(files))
    server.files.update({f"/n/P1/{name}": content for name, content in CONTENT.items()})
    return {"source": "sts", "url": server.url, "download_dir": "cache"}


def fetch(data, tmp_path, case="P1"):
    return download.download_case(data, case, tmp_path, pause_s=0)


def left_over(tmp_path):
    folder = tmp_path / "cache" / "P1"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_good_files_arrive_and_are_not_fetched_twice(data, server, tmp_path):
    folder = fetch(data, tmp_path)
    assert folder == tmp_path / "cache" / "P1"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    fetch(data, tmp_path)
    assert len(server.requests) == 2


def test_a_file_that_is_wrong_on_disk_is_fetched_again_alone(data, server, tmp_path):
    folder = fetch(data, tmp_path)
    (folder / "CT_image.nii.gz").write_bytes(b"half")
    fetch(data, tmp_path)
    assert server.requests[2:] == ["/n/P1/CT_image.nii.gz"]
    assert (folder / "CT_image.nii.gz").read_bytes() == CONTENT["CT_image.nii.gz"]


def test_a_corrupt_file_is_refused_and_not_kept(data, server, tmp_path):
    server.files["/n/P1/MR_T1_image.nii.gz"] = b"X" + CONTENT["MR_T1_image.nii.gz"][1:]
    with pytest.raises(DataError, match="case P1: MR_T1_image.nii.gz from .* has the wrong checksum"):
        fetch(data, tmp_path)
    assert left_over(tmp_path) == ["CT_image.nii.gz"]


def test_a_truncated_file_is_refused(data, server, tmp_path):
    server.files["/n/P1/CT_image.nii.gz"] = CONTENT["CT_image.nii.gz"][:100]
    with pytest.raises(DataError, match="wrong size\n  found: 100 bytes\n  expected: 75000 bytes"):
        fetch(data, tmp_path)
    assert left_over(tmp_path) == []


def test_a_longer_file_is_refused_without_reading_it_all(data, server, tmp_path):
    server.files["/n/P1/CT_image.nii.gz"] = CONTENT["CT_image.nii.gz"] * 3
    with pytest.raises(DataError, match="found: more than 75000 bytes"):
        fetch(data, tmp_path)


def test_a_missing_file_names_the_address_and_where_to_put_it(data, server, tmp_path):
    del server.files["/n/P1/MR_T1_image.nii.gz"]
    with pytest.raises(DataError) as error:
        fetch(data, tmp_path)
    message = str(error.value)
    assert f"cannot download MR_T1_image.nii.gz from {server.url}/n/P1/MR_T1_image.nii.gz" in message
    assert "found: HTTP 404" in message
    assert str(tmp_path / "cache" / "P1" / "MR_T1_image.nii.gz") in message
    assert server.requests.count("/n/P1/MR_T1_image.nii.gz") == 1


def test_a_server_error_is_tried_again(data, server, tmp_path):
    server.broken["/n/P1/CT_image.nii.gz"] = 2
    fetch(data, tmp_path)
    assert server.requests.count("/n/P1/CT_image.nii.gz") == 3
    server.broken["/n/P1/CT_image.nii.gz"] = 9
    (tmp_path / "cache" / "P1" / "CT_image.nii.gz").unlink()
    with pytest.raises(DataError, match="found: HTTP 503"):
        fetch(data, tmp_path)


def test_an_unreachable_server(data, server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="cannot download .*\n  found: .*[Rr]efused"):
        fetch(data, tmp_path)


def test_an_unknown_case(data, tmp_path):
    with pytest.raises(DataError, match="case P7: not in the list of files to download"):
        fetch(data, tmp_path, "P7")


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://localhost/x", "file:///etc", "https://"])
def test_unsafe_addresses_are_refused(data, tmp_path, url):
    with pytest.raises(ConfigError, match="data.url: not a safe address"):
        fetch({**data, "url": url}, tmp_path)


def test_a_redirect_to_an_unsafe_address_is_refused(data, server, tmp_path):
    server.redirects["/n/P1/CT_image.nii.gz"] = "http://example.org/x"
    with pytest.raises(ConfigError, match="redirect of .*: not a safe address\n  found: http://example.org/x"):
        fetch(data, tmp_path)


def test_the_default_address_is_https_and_pinned():
    assert download.REPOSITORY_URL.startswith("https://")
    assert download.REPOSITORY_URL.endswith("/6da96021bc91faf4c0cb7fd7fa56a4225d2064a8")
    assert sts_files()[0].path == "ibsi_validation/nifti/STS_001/CT_image.nii.gz"
