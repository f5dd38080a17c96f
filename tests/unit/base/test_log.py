import subprocess
import sys

from afpbench.base import log

SCRIPT = """
import os, subprocess, sys
from afpbench.base import log
from afpbench.base.errors import DataError
log.start(sys.argv[1])
print("from print")
print("from stderr", file=sys.stderr)
os.write(1, b"from native code\\n")
subprocess.run([sys.executable, "-c", "print('from a child')"])
log.logger.info("from the logger")
{end}
"""


def run(path, end):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(end=end), str(path)], capture_output=True, text=True, timeout=60
    )


def test_everything_goes_into_the_file(tmp_path):
    path = tmp_path / "logs" / "a.log"
    result = run(path, "")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    text = path.read_text()
    for part in ("from print", "from stderr", "from native code", "from a child", "INFO from the logger"):
        assert part in text, part


def test_an_unexpected_error_leaves_its_traceback_in_the_file(tmp_path):
    result = run(tmp_path / "a.log", "{}['missing']")
    assert result.returncode == 1
    assert "Traceback" in (tmp_path / "a.log").read_text() and "KeyError: 'missing'" in (tmp_path / "a.log").read_text()
    assert result.stderr == ""


def test_an_error_of_ours_is_also_on_the_terminal(tmp_path):
    result = run(tmp_path / "a.log", "raise DataError('case p1: empty mask', found='0 voxels', hint='look at it')")
    assert result.returncode == 1
    assert "ERROR case p1: empty mask\n  found: 0 voxels\n  hint: look at it" in result.stderr
    assert f"log: {tmp_path}/a.log" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in (tmp_path / "a.log").read_text()


def test_progress_says_how_far_and_how_long(capsys):
    log.configure()
    assert list(log.progress("abc", 3, "cases")) == ["a", "b", "c"]
    with log.timed("a step"):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert "cases 1/3, 0 s, about 0 s left" in lines[0] and "cases 3/3" in lines[2]
    assert "a step: 0.0 s" in lines[3]
