"""The viewer's server: who is answered, with what, and nobody else."""

import hashlib
import http.client
import json
import re
from importlib import resources

import pytest
from viewed_results import make_results, serving

from afpbench.base.errors import ConfigError
from afpbench.viewer.pages import Pages
from afpbench.viewer.server import POLICY, Server


@pytest.fixture
def folder(tmp_path):
    return make_results(tmp_path / "results")


@pytest.fixture
def server(folder):
    with serving(folder) as server:
        yield server


def ask(server, address, host=None, method="GET", token=None):
    """(status, headers, body) of a request below the token."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    path = f"/{server.token if token is None else token}/{address}"
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.port}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_it_listens_on_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.port}/{server.token}/"


def test_every_start_has_a_token_of_its_own(folder):
    with Server(Pages(folder)) as one, Server(Pages(folder)) as two:
        assert one.token != two.token
        assert len(one.token) == 32


@pytest.mark.parametrize("address", ["", "main.js", "study.json", "image/hip/p1/ct.nii.gz", "nothing"])
def test_nothing_is_answered_without_the_token(server, address):
    for token in ("", "x", server.token[:-1], server.token + "x", "%" + server.token, "%C3%A9"):
        status, _, body = ask(server, address, token=token)
        assert status == 403
        assert json.loads(body) == {"error": "open the address that `afpbench view` printed: it holds the token"}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1:x", "0.0.0.0"]
)
def test_a_foreign_name_for_this_machine_is_refused(server, host):
    status, _, body = ask(server, "study.json", host=host)
    assert status == 403
    assert b"127.0.0.1 and localhost only" in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9999", "127.0.0.1"])
def test_a_tunnel_may_end_at_another_port(server, host):
    assert ask(server, "", host=host)[0] == 200


@pytest.mark.parametrize(
    ("address", "content_type"),
    [
        ("", "text/html; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("main.js", "text/javascript; charset=utf-8"),
        ("view.css", "text/css; charset=utf-8"),
        ("study.json", "application/json; charset=utf-8"),
        ("case/hip/p1.json", "application/json; charset=utf-8"),
        ("image/hip/p1/mr.nii.gz", "application/gzip"),
        ("image/hip/p1/row/l1.nii.gz", "application/gzip"),
        ("image/hip/p1/error/l1.nii.gz", "application/gzip"),
        ("image/hip/p1/labels/total/ct.nii.gz", "application/gzip"),
    ],
)
def test_what_is_answered_has_its_type_and_is_held_together(server, address, content_type):
    status, headers, body = ask(server, address)
    assert (status, headers["Content-Type"]) == (200, content_type)
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert ask(server, address, method="HEAD")[1]["Content-Length"] == str(len(body))


def test_an_image_is_the_file_itself(server, folder):
    _, _, body = ask(server, "image/hip/p1/row/l1.nii.gz")
    assert body == (folder.path / "hip" / "synthetic" / "l1" / "p1.nii.gz").read_bytes()


@pytest.mark.parametrize(
    "address",
    [
        "nothing",
        "../pages.py",
        "..%2fpages.py",
        "%2e%2e/server.py",
        "NIIVUE_LICENCE.txt",
        "static/main.js",
        "case/hip/..%2f..%2fp1.json",
        "case/none/p1.json",
        "image/hip/p1/..%2fmask.nii.gz",
        "image/hip/p1/%2fetc%2fpasswd.nii.gz",
        "image/hip/../hip/p1/ct.nii.gz",
        "image/hip/p1/row/afp.nii.gz",
        "image/hip/p1/error/none.nii.gz",
        "image/hip/p2/ct.nii.gz",
        "image/hip/p1/ct.nii.gz%00",
    ],
)
def test_what_is_not_there_is_said_and_nothing_else_is_read(server, address):
    status, headers, body = ask(server, address)
    assert status == 404
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert set(json.loads(body)) == {"error"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_reads(server, method):
    assert ask(server, "study.json", method=method)[0] == 501


def test_the_study_as_the_page_takes_it(server, folder):
    study = json.loads(ask(server, "study.json")[2])
    assert study["folder"] == str(folder.path)
    assert list(study["tasks"]) == ["hip"]
    assert study["progress"]["hip"]["p1"] == {"there": 1, "failed": 1, "missing": 0}


def test_a_page_that_is_left_early_is_no_error(server, capsys):
    for error, said in ((BrokenPipeError(), False), (ValueError("a fault"), True)):
        try:
            raise error
        except Exception:
            server.handle_error(None, ("127.0.0.1", 1))
        assert ("a fault" in capsys.readouterr().err) == said


def test_a_port_that_is_taken_is_told(server, folder):
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{server.port}"):
        Server(Pages(folder), server.port)
    with pytest.raises(ConfigError, match="a free port"):
        Server(Pages(folder), 70000)


# --- the page


def test_the_page_runs_no_code_of_its_own_text_and_asks_nobody_else():
    assert "unsafe" not in POLICY and "http" not in POLICY and "*" not in POLICY
    static = resources.files("afpbench.viewer").joinpath("static")
    html = static.joinpath("index.html").read_text()
    assert not re.search(r"<script>|\son\w+=|style=|//", html)
    for name in re.findall(r'(?:src|href)="([^":]+)"', html):
        assert static.joinpath(name).is_file()


def test_the_viewers_code_from_elsewhere_is_what_its_licence_file_says():
    static = resources.files("afpbench.viewer").joinpath("static")
    words = static.joinpath("NIIVUE_LICENCE.txt").read_text()
    assert hashlib.sha256(static.joinpath("niivue.umd.js").read_bytes()).hexdigest() in words
    assert "BSD 2-Clause License" in words and "The MIT License" in words
