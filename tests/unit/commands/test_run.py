"""`afpbench run`: its parts on made-up events, and the child process on a script in Snakemake's place."""

import io
import os
import re
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from afpbench.base.package import PROJECT
from afpbench.commands import main as cli
from afpbench.commands import run as run_command
from afpbench.commands.running import child
from afpbench.commands.running.display import Lines, LivePage, choose, page, time_left
from afpbench.commands.running.durations import duration, mean_seconds, read_costs, record_kinds
from afpbench.commands.running.job_log import Step, last_step, parse
from afpbench.commands.running.state import Estimate, RunState


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def job_info(number, rule, words, log=None):
    event = {"event": "job_info", "jobid": number, "rule_name": rule, "rule_msg": words, "wildcards": {}}
    return event | {"log": [log] if log else [], "threads": 1}


def state_of(stats, known=None, root=Path()):
    clock = Clock()
    state = RunState(clock, known or {}, root)
    state.hear({"event": "run_info", "stats": {**stats, "total": sum(stats.values())}})
    return state, clock


# --- logs


def test_lines_of_progress():
    epoch = "12:00:01 INFO epoch 3/20: loss 0.51234, validation_loss 0.6, 12 s, about 68 s left"
    assert parse(epoch) == Step("epoch 3/20, loss 0.51234", 68)
    assert parse("12:00:01 INFO synthesis 4/10, 8 s, about 12 s left") == Step("synthesis 4/10", 12)
    assert parse("12:00:01 INFO epoch") is None


def test_the_newest_line_of_a_long_log(tmp_path):
    log = tmp_path / "a.log"
    lines = [f"12:00:00 INFO cases {n}/3000, {n} s, about {3000 - n} s left" for n in range(1, 3000)]
    log.write_text("\n".join([*lines, "12:00:01 WARNING something", "12:00:01 INF"]))
    assert last_step(log) == Step("cases 2999/3000", 1)
    assert last_step(tmp_path / "none.log") is None


# --- durations


def test_every_rule_with_a_record_is_found():
    """Against the rules' text, read in another way."""
    kinds = record_kinds(PROJECT / "workflow/rules")
    text = "".join(file.read_text() for file in (PROJECT / "workflow/rules").glob("*.smk"))
    assert len(kinds) == text.count("    benchmark:\n")
    assert (kinds["train_variant"], kinds["segment"], kinds["segment_real"]) == ("train", "segment", "segment")
    assert (kinds["metrics"], kinds["row_metrics"], kinds["figure_slices"]) == ("metrics", "metrics", "figures/slices")
    assert (kinds["normalization"], kinds["report"]) == ("normalization", "report")


def test_durations_of_finished_jobs(tmp_path):
    head = "s\th:m:s\tmax_rss\tcpu_time\n"
    texts = {
        "t/benchmarks/train/l1.tsv": head + "10\t0:00:10\t100\t9.5\n",
        "t/benchmarks/folds/0/train/l1.tsv": head + "20\t0:00:20\t-\tNA\n",
        "t/benchmarks/normalization.tsv": head,
        "benchmarks/report.tsv": head + "3\t0:00:03\t1\t2\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    costs = read_costs(tmp_path)
    assert sorted((cost.seconds, cost.cpu_s) for cost in costs["train"]) == [(10, 9.5), (20, 20)]
    assert costs["train"][1].memory_mb in (0, 100 * 2**20 / 1e6)
    rules = {"train_variant": "train", "normalization": "normalization", "report": "report"}
    assert mean_seconds(costs, rules) == {"train_variant": 15, "report": 3}


# --- the state


def test_nothing_is_known_before_the_first_job_ends():
    state, clock = state_of({"a": 3})
    state.hear(job_info(1, "a", "first"))
    clock.now = 5
    assert state.estimate(state.steps()) is None


def test_the_time_left_follows_finished_jobs_of_the_same_rule():
    """Two of a (10 s each) one after another, then 2 more of a and one of b: 20 s, and b is not known."""
    state, clock = state_of({"a": 4, "b": 1, "all": 1})
    for number in (1, 2):
        state.hear(job_info(number, "a", "x"))
        clock.now += 10
        state.hear({"event": "job_finished", "job_id": number})
    assert state.estimate({}) == Estimate(20, 1)
    assert (state.done, state.total) == (2, 6)


def test_two_jobs_at_a_time_take_half():
    """After 10 s two jobs ran all the time: 4 jobs of 10 s are 20 s of two, and the running ones are about to end."""
    state, clock = state_of({"a": 6}, known={"a": 10})
    for number in (1, 2):
        state.hear(job_info(number, "a", "x"))
    clock.now = 10
    assert state.estimate(state.steps()) == Estimate(20, 0)


def test_a_training_estimates_itself_and_its_like(tmp_path):
    """It ran 10 s and has 30 s left, so that another one takes 40 s: one core, 70 s."""
    (tmp_path / "a.log").write_text("12:00:00 INFO epoch 1/4: loss 1, 10 s, about 30 s left\n")
    state, clock = state_of({"train": 2}, root=tmp_path)
    state.hear(job_info(1, "train", "first", "a.log"))
    clock.now = 10
    assert state.estimate(state.steps()) == Estimate(70, 0)


def test_a_failed_job_may_be_tried_again():
    state, _ = state_of({"a": 1})
    state.hear(job_info(1, "a", "x"))
    assert state.hear({"event": "job_error", "jobid": 1, "rule_name": "a"}).words == "x"
    assert state.running == {} and state.to_come == Counter(a=1)


# --- what is shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (3900, "65 min"), (11100, "3 h 05 min"), (187200, "2 d 4 h")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_the_time_left_in_words():
    assert time_left(None) == "time left: not known yet"
    assert time_left(Estimate(30, 0)) == "about 30 s left"
    assert time_left(Estimate(30, 2)) == "more than 30 s left (2 jobs of kinds not measured yet)"
    assert time_left(Estimate(0.4, 2)) == "time left: not known yet (2 jobs of kinds not measured yet)"


def test_lines_where_there_is_no_terminal():
    state, clock = state_of({"a": 2})
    stream = io.StringIO()
    display = choose(state, stream)
    assert isinstance(display, Lines)
    with display:
        run_command.hear(job_info(1, "a", "thorax: import of p1", "logs/p1.log"), state, display)
        clock.now = 4
        run_command.hear({"event": "job_finished", "job_id": 1}, state, display)
        run_command.hear(job_info(2, "a", "thorax: import of p2", "logs/p2.log"), state, display)
        run_command.hear({"event": "job_error", "jobid": 2, "rule_name": "a"}, state, display)
        run_command.hear({"event": "text", "text": "Error in rule a"}, state, display)
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in stream.getvalue().splitlines()] == [
        "begun:    thorax: import of p1",
        "finished: thorax: import of p1, 4 s; 1 of 2 jobs, about 4 s left",
        "begun:    thorax: import of p2",
        "failed:   thorax: import of p2, after 0 s, log: logs/p2.log",
        "Error in rule a",
    ]


def test_a_live_page_has_a_line_for_each_job(tmp_path):
    (tmp_path / "a.log").write_text("12:00:00 INFO epoch 1/4: loss 1, 10 s, about 30 s left\n")
    state, _ = state_of({"train": 2}, root=tmp_path)
    stream = io.StringIO()
    display = LivePage(state, stream)
    display.console = type(display.console)(file=stream, force_terminal=True, width=120)
    with display:
        run_command.hear(job_info(1, "train", "thorax: training l1", "a.log"), state, display)
    assert re.search(r"thorax: training l1.*epoch 1/4, loss 1.*about 30 s left", stream.getvalue())
    assert "0 of 2 jobs, about" in stream.getvalue()


@pytest.mark.parametrize("width", [40, 80])
def test_on_a_narrow_terminal_nothing_of_the_last_line_is_lost(width):
    """The bar has a line of its own."""
    state, clock = state_of({"a": 30, "b": 12}, known={"a": 10})
    clock.now = 10
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    console.print(page(state, {}))
    words = " ".join(re.sub(r"\x1b\[[\d;]*m", "", console.file.getvalue()).split())
    assert words.endswith("0 of 42 jobs, more than 5 min left (12 jobs of kinds not measured yet)")


# --- the command


def test_what_follows_two_dashes_is_snakemakes(monkeypatch):
    seen = []
    monkeypatch.setattr(run_command, "run", lambda options: seen.append(options) or 0)
    assert cli.main(["run", "--cores", "2", "--", "--keep-going", "-n"]) == 0
    assert (seen[0].study, seen[0].cores, seen[0].more) == (None, "2", ["--keep-going", "-n"])
    cli.main(["run", "a.yaml"])
    assert (seen[1].study, seen[1].more) == (Path("a.yaml"), [])


def test_all_cores_unless_something_else_is_said():
    assert run_command.cores(None, ["--keep-going"]) == ["--cores", "all"]
    assert run_command.cores(None, ["--profile=profiles/slurm"]) == []
    assert run_command.cores("2", ["-j", "4"]) == ["--cores", "2"]


SCRIPT = """
import json, os, signal, sys, time
pipe = os.fdopen(int(os.environ["AFPBENCH_EVENTS"]), "w", buffering=1)
def stop(number, frame):
    print("stopped by", number, flush=True)
    sys.exit(7)
signal.signal(signal.SIGINT, stop)
print("printed", flush=True)
pipe.write(json.dumps({"event": "progress", "done": 1, "total": 2}) + "\\n")
"""


def test_events_output_and_exit_code_of_the_child(tmp_path):
    heard = []
    command = [sys.executable, "-c", SCRIPT + "sys.exit(3)"]
    assert child.run(command, tmp_path, heard.append) == 3
    assert {"event": "progress", "done": 1, "total": 2} in heard and {"event": "text", "text": "printed"} in heard


def test_ctrl_c_is_passed_on_and_is_the_exit_code(tmp_path):
    heard = []

    def hear(event):
        heard.append(event)
        if event["event"] == "progress":
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    before = signal.getsignal(signal.SIGINT)
    assert child.run([sys.executable, "-c", SCRIPT + "time.sleep(60)"], tmp_path, hear) == 130
    assert {"event": "stopping"} in heard and {"event": "text", "text": "stopped by 2"} in heard
    assert signal.getsignal(signal.SIGINT) is before


def test_a_child_that_a_signal_ended(tmp_path):
    command = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    assert child.run(command, tmp_path, lambda event: None) == 128 + 9


def test_an_unseen_run_is_stopped(tmp_path):
    def hear(event):
        if event["event"] == "progress":
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        child.run([sys.executable, "-c", SCRIPT + "time.sleep(60)"], tmp_path, hear)
