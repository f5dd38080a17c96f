"""What Snakemake logs, as lines of JSON: `afpbench run` reads them through a pipe and shows them.

Snakemake finds a logger by the name of its package: `--logger afpbench`. The variable AFPBENCH_EVENTS holds the pipe's
number. A line is {"event": ..., and what belongs to it}; what is no event is {"event": "text", "text": ...}, as
Snakemake itself would print it. What it says of itself when it starts is in its own log alone (.snakemake/log/).
"""

import json
import os

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

KEYS = {  # event -> what is told of it
    LogEvent.RUN_INFO: ("stats",),
    LogEvent.JOB_INFO: ("jobid", "rule_name", "rule_msg", "wildcards", "log", "threads"),
    LogEvent.JOB_STARTED: ("jobs",),
    LogEvent.JOB_FINISHED: ("job_id",),
    LogEvent.JOB_ERROR: ("jobid", "rule_name"),
    LogEvent.PROGRESS: ("done", "total"),
}
OF_ITSELF = (LogEvent.WORKFLOW_STARTED, LogEvent.RESOURCES_INFO)  # versions, host, folders; cores
CHATTER = (  # how these lines begin
    "Select jobs to execute...",  # once for each job that ends
    "Assuming unrestricted shared filesystem usage.",
    "Using shell: ",
    "Conda environments: ignored",
    "Singularity containers: ignored",
)
WITH_TEXT = (LogEvent.JOB_ERROR,)  # and all that is no event of KEYS


class LogHandler(LogHandlerBase):
    """Writes each record to the pipe."""

    writes_to_stream = True  # in the place of Snakemake's own output
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.pipe = os.fdopen(int(os.environ["AFPBENCH_EVENTS"]), "w", buffering=1, encoding="utf-8")

    def emit(self, record) -> None:
        event = getattr(record, "event", None)
        found = {key: getattr(record, key, None) for key in KEYS.get(event, ())}
        try:
            if found:
                self._write({"event": event.value, **found})
            if event in WITH_TEXT or not (found or event in OF_ITSELF or str(record.msg).startswith(CHATTER)):
                self._write({"event": "text", "text": self.format(record)})
        except OSError:  # whoever showed it is gone; the run goes on
            pass
        except Exception:
            self.handleError(record)

    def _write(self, line: dict) -> None:
        self.pipe.write(json.dumps(line, default=str) + "\n")
