"""afpbench: from raw paired MR and CT volumes to the tables of a paper."""

import sys
from functools import cache
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")

PROJECT = Path(workflow.basedir)
ROOT = Path.cwd()  # relative paths of a study start where it runs: here, or where --directory says
sys.path.insert(0, str(PROJECT / "src"))

from afpbench.base import digest as code_digests
from afpbench.base.atomic import write_json
from afpbench.base.errors import AfpbenchError
from afpbench.base.package import export_package
from afpbench.data.failures import set_policy
from afpbench.study.load import load_study
from afpbench.study.plan import StudyPlan, contents, failure_hint
from afpbench.study.seeds import from_command_line

code_digests.keep_in(Path(".snakemake") / "afpbench" / "digests.json")
# Before it runs anything, Snakemake looks three times a job for the copy of its script, and parses the path each time.
if hasattr(workflow.sourcecache, "_cache_entry"):
    workflow.sourcecache._cache_entry = cache(workflow.sourcecache._cache_entry)
export_package()  # scripts import the package from here, in whatever environment they run

# `configfile:` would merge the phantom study into the user's own: the default is read only where none is given.
if "tasks" not in config:
    config = yaml.safe_load((PROJECT / "config" / "config.yaml").read_text()) | config
if "seeds" in config:
    config["seeds"] = from_command_line(config["seeds"])
try:
    STUDY = load_study(config, ROOT)
    PLAN = StudyPlan(STUDY, ROOT)
except AfpbenchError as error:
    raise WorkflowError(str(error)) from None


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/registration.smk"
include: "workflow/rules/preparation.smk"
include: "workflow/rules/segmenters.smk"
include: "workflow/rules/networks.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/inference.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/resources.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        PLAN.all_files,


onstart:
    write_json(PLAN.paths.contents, contents(PLAN))
    # Known only now, from the command line or a profile; jobs inherit the policy.
    set_policy("exclude" if workflow.execution_settings.keep_going else STUDY["failed_cases"])
    # The limit of submissions makes a timer for each job that ends, and each of them looks at the whole queue again every
    # second until nothing waits: after 170 jobs that took a third of a core. On one machine there is nothing to limit.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


onsuccess:
    print(PLAN.summary())


onerror:
    print(failure_hint(Path(log[0] if isinstance(log, list) else log)))
