"""What Ctrl-C, Ctrl-Z and others do to `afpbench run`, in a real terminal; a script stands in Snakemake's place."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from terminal import CTRL_C, CTRL_Z, Terminal

from afpbench.base.package import PROJECT
from afpbench.commands.run import STOPPED

DRIVER = """
import sys
from pathlib import Path
from afpbench.commands.run import follow
sys.exit(follow([sys.executable, "fake.py", *sys.argv[1:]], Path(), Path("results")))
"""
FAKE = """
import json, os, signal, subprocess, sys, threading, time
from pathlib import Path

JOB = '''
import signal, sys, time
from pathlib import Path
if "stubborn" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
Path("job.ready").touch()
time.sleep(100)
'''
pipe = os.fdopen(int(os.environ["AFPBENCH_EVENTS"]), "w", buffering=1)
def tell(**event):
    pipe.write(json.dumps(event) + "\\n")
def chatter():
    while True:
        print("chatter", flush=True)
        time.sleep(0.2)
job = subprocess.Popen([sys.executable, "-c", JOB, *sys.argv[1:]])
Path("fake.pid").write_text(str(os.getpid()))
Path("job.pid").write_text(str(job.pid))
if "hanging" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.kill(job.pid, signal.SIGKILL)
    Path("job.ready").touch()
try:
    while not Path("job.ready").exists():
        time.sleep(0.05)
    tell(event="run_info", stats={"train": 1, "total": 1})
    words = "thorax: training l1"
    tell(event="job_info", jobid=1, rule_name="train", rule_msg=words, wildcards={}, log=[], threads=1)
    if "chatty" in sys.argv:
        threading.Thread(target=chatter, daemon=True).start()
    Path("running").touch()
    time.sleep(100)
except KeyboardInterrupt:
    job.wait()
    print("Error in rule train: Traceback (most recent call last)", flush=True)
    tell(event="job_error", jobid=1, rule_name="train")
    Path("neatly").touch()
    sys.exit(1)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "fake.py").write_text(FAKE)
    return tmp_path


def environment():
    return {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "TERM": "xterm", "COLUMNS": "100"}


def started(folder, *modes):
    """A terminal in which a job runs and is shown."""
    terminal = Terminal([sys.executable, "driver.py", *modes], folder, environment())
    terminal.read_until("thorax: training l1")
    return terminal


def state(folder, name):
    """The state of a process as /proc has it, such as `S` or `T` (stopped); None where it has ended."""
    try:
        number = (folder / f"{name}.pid").read_text()
        letter = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None
    return None if letter == "Z" else letter


def waited_for(condition, seconds=120):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def all_ended(folder):
    waited_for(lambda: state(folder, "job") is None and state(folder, "fake") is None)


def test_ctrl_c_ends_a_run_gently(folder):
    terminal = started(folder)
    terminal.type(CTRL_C)
    assert terminal.wait() == 130
    end = terminal.printed.partition("^C")[2]
    assert "stopping" in end and end.rstrip().endswith(STOPPED)
    assert "Traceback" not in end and "failed" not in end
    assert (folder / "neatly").exists()
    all_ended(folder)


def test_a_second_ctrl_c_kills_jobs_that_go_on(folder):
    terminal = started(folder, "stubborn")
    terminal.type(CTRL_C)
    terminal.read_until("Ctrl-C again kills them")
    time.sleep(0.3)
    assert state(folder, "job") == "S"
    terminal.type(CTRL_C)
    assert terminal.wait() == 130
    assert (folder / "neatly").exists()
    all_ended(folder)


def test_a_third_ctrl_c_kills_snakemake(folder):
    terminal = started(folder, "hanging")
    for words in ("Ctrl-C again", "Ctrl-C once more", "--unlock"):
        terminal.type(CTRL_C)
        terminal.read_until(words)
    assert terminal.wait() == 130
    all_ended(folder)


def test_a_closed_terminal_ends_everything(folder):
    terminal = started(folder)
    terminal.close()
    os.waitpid(terminal.pid, 0)
    assert (folder / "neatly").exists()
    all_ended(folder)


def test_ctrl_z_stops_everything_and_fg_draws_anew(folder):
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], folder, environment())
    terminal.type(f"{sys.executable} driver.py\n")
    terminal.read_until("thorax: training l1")
    terminal.type(CTRL_Z)
    assert "\x1b[?25h" in terminal.read_until("Stopped")  # the cursor is shown again
    assert (state(folder, "fake"), state(folder, "job")) == ("T", "T")
    terminal.type("bg\n")
    waited_for(lambda: (state(folder, "fake"), state(folder, "job")) == ("S", "S"))
    assert "training" not in terminal.read_for(1.5)
    terminal.type("fg\n")
    terminal.read_until("thorax: training l1")
    terminal.type(CTRL_C)
    terminal.read_until(STOPPED)
    terminal.type("echo code=$?\n")
    terminal.read_until("code=130")
    all_ended(folder)
    terminal.type("exit\n")
    terminal.wait()


def in_bash(folder, script):
    """A script of bash with DRIVER for the command; stdout and stderr as they come, and the process."""
    script = script.replace("DRIVER", f"{sys.executable} driver.py")
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(["bash", "-c", script], cwd=folder, env=environment(), **options)


@pytest.mark.parametrize("before", ["", "nohup "])
def test_sigterm_is_as_ctrl_c_to_a_run_behind_an_ampersand_too(folder, before):
    """Bash lets what it starts so ignore SIGINT, and nohup SIGHUP."""
    script = in_bash(folder, f"{before}DRIVER & echo $!; wait $!; echo code=$?")
    number = int(script.stdout.readline())
    waited_for((folder / "running").exists)
    if before:
        os.kill(number, signal.SIGHUP)
        time.sleep(0.3)
        assert state(folder, "job") == "S"
    os.kill(number, signal.SIGTERM)
    printed, _ = script.communicate(timeout=120)
    assert printed.endswith("code=143\n") and STOPPED in printed and (folder / "neatly").exists()
    all_ended(folder)


def test_a_run_that_nobody_reads_is_stopped(folder):
    script = in_bash(folder, "set -o pipefail; DRIVER chatty | head -n 1; echo code=$?")
    printed, _ = script.communicate(timeout=120)
    assert "Traceback" not in printed and STOPPED in printed and printed.endswith("code=141\n")
    all_ended(folder)


def test_what_snakemake_leaves_behind_is_ended(folder):
    """Where it is killed from outside, nobody waits for its jobs."""
    terminal = started(folder)
    os.kill(int((folder / "fake.pid").read_text()), signal.SIGKILL)
    assert terminal.wait() == 128 + signal.SIGKILL
    all_ended(folder)


# --- Snakemake itself

SNAKEFILE = """
rule a:
    output: "a.txt"
    shell: "trap 'exit 1' INT; touch begun; sleep 100; touch {output}"
"""
PARSING = """
from time import sleep
open("begun", "w").close()
sleep(100)
"""


@pytest.mark.slow
@pytest.mark.workflow
@pytest.mark.parametrize(
    ("snakefile", "plainly"),
    [(SNAKEFILE, False), (PARSING + SNAKEFILE, False), (SNAKEFILE, True)],
    ids=["in a job", "while it plans", "with its own output"],
)
def test_ctrl_c_and_snakemake(tmp_path, snakefile, plainly):
    (tmp_path / "Snakefile").write_text(textwrap.dedent(snakefile))
    call = "child.run_plainly(words, Path())" if plainly else 'follow(words, Path(), Path("results"))'
    (tmp_path / "driver.py").write_text(f"""
import sys
from pathlib import Path
from afpbench.commands.run import follow
from afpbench.commands.running import child
words = [sys.executable, "-m", "snakemake", *{"()" if plainly else "child.LOGGER_OPTION"}, "--cores", "1"]
sys.exit({call})
""")
    terminal = Terminal([sys.executable, "driver.py"], tmp_path, environment())
    waited_for((tmp_path / "begun").exists)
    terminal.type(CTRL_C)
    assert terminal.wait() == 130
    end = terminal.printed.partition("^C")[2]
    assert not (tmp_path / "a.txt").exists() and not list(tmp_path.glob(".snakemake/locks/*"))
    if not plainly:
        assert "Traceback" not in end and end.rstrip().endswith(STOPPED)
