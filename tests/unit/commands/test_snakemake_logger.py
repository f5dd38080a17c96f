"""workflow/logger: what Snakemake logs, as lines of JSON."""

import json
import logging
import os
import select
import sys

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from afpbench.commands.running.child import LOGGER


@pytest.fixture
def written(monkeypatch):
    """A function that logs a record through the handler and returns the lines that it wrote."""
    pipe, end = os.pipe()
    monkeypatch.setenv("AFPBENCH_EVENTS", str(end))
    monkeypatch.syspath_prepend(LOGGER)
    monkeypatch.delitem(sys.modules, "snakemake_logger_plugin_afpbench", raising=False)
    import snakemake_logger_plugin_afpbench as plugin

    handler = plugin.LogHandler(None, None)

    def write(message, **more):
        record = logging.makeLogRecord({"msg": message, "levelno": logging.INFO, **more})
        handler.emit(record)
        handler.pipe.flush()
        there, _, _ = select.select([pipe], [], [], 0)
        return [json.loads(line) for line in os.read(pipe, 65536).decode().splitlines()] if there else []

    yield write
    os.close(pipe)
    handler.emit(logging.makeLogRecord({"msg": "nobody reads"}))  # no error


def test_an_event_has_the_keys_that_are_shown(written):
    more = {"done": 3, "total": 10, "other": object()}
    assert written(None, event=LogEvent.PROGRESS, **more) == [{"event": "progress", "done": 3, "total": 10}]


def test_a_failed_job_is_told_in_words_too(written):
    lines = written("Error in rule a", event=LogEvent.JOB_ERROR, jobid=1, rule_name="a")
    assert lines == [
        {"event": "job_error", "jobid": 1, "rule_name": "a"},
        {"event": "text", "text": "Error in rule a"},
    ]


def test_what_is_no_event_is_text(written):
    assert written("Building DAG of jobs...") == [{"event": "text", "text": "Building DAG of jobs..."}]


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (None, LogEvent.WORKFLOW_STARTED),
        ("Provided cores: 2", LogEvent.RESOURCES_INFO),
        ("Using shell: /usr/bin/bash", None),
        ("Select jobs to execute...", None),
    ],
)
def test_what_snakemake_says_of_itself_is_not_shown(written, message, event):
    assert written(message, event=event) + written("end") == [{"event": "text", "text": "end"}]
