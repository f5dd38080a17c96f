"""What the rules share. What they ask of a study is computed in src/afpbench/study/plan, paths in src/afpbench/study."""

from afpbench.base.digest import digest
from afpbench.study.paths import PLANES
from afpbench.study.registration import TRAINING_SIDE
from afpbench.study.rows import CONTROLS
from afpbench.study.seeds import MARK

RUNTIME = STUDY["runtime"]
SEED = STUDY["seed"]
S = PLAN.paths
T = S.task("{task}")
F = T.fold("{fold}")  # what is trained: `folds/0/` and so on in a cross-validation, the task's own folder otherwise
RUN = "{variant}{seed}"  # a variant as one seed trained it: the wildcard is "" for the study's own seed


wildcard_constraints:
    task="|".join(PLAN.names["task"]),
    other="|".join(PLAN.names["task"]),
    fold=r"(?:|folds/\d+/)",
    case=r"[^/]+",
    side=f"(?:|{TRAINING_SIDE})",  # of a case's registration: that of the test cases, and that of the others where it differs
    variant="|".join(PLAN.names["variant"]) or "none",
    file_row="|".join(PLAN.names["file_row"]) or "none",
    seed=rf"(?:|{MARK})",
    control="|".join(CONTROLS),
    segmenter="|".join(PLAN.names["segmenter"]) or "none",
    network="|".join(PLAN.names["network"]) or "none",
    digest="[0-9a-f]{12}",
    file=r"[^/]+",
    row="[A-Za-z0-9_-]+",
    pick="[^/]+",
    chunk=r"\d+",


def task(wildcards):
    """The plan of the wildcards' task."""
    return PLAN.tasks[wildcards.task]


def option(*keys):
    """A parameter of the wildcards' task: option("variants", "{variant}", "loss") reads tasks.<task>.variants...."""
    return lambda w: task(w).option(*(getattr(w, key[1:-1]) if key.startswith("{") else key for key in keys))


def code(script, more=None, without=lambda wildcards: ()):
    """A parameter: the digest of a script and of all that it imports, so that a changed formula reruns what it made.

    more: modules that the job uses beside, such as the kinds that the study names. without: those that it does not use.
    Where there is neither, all jobs of the rule have one digest, and Snakemake need not ask for each.
    """
    path = PROJECT / "scripts" / f"{script}.py"
    if more is None:
        return digest(path)
    return lambda wildcards: digest(path, *more(wildcards), without=without(wildcards))


def growing(amount):
    """A resource of which a job gets `amount` in its first attempt, twice and three times as much in the next ones."""
    return lambda wildcards, attempt: amount * attempt


def soon(priority, *names):
    """A priority, but over that of all cases for what the first row is trained from: a study shows early that it works.

    names: the wildcards, beside the task, in which a job has to agree with that row.
    """
    first = PLAN.first_row
    wanted = {name: first[name] for name in ("task", *names)} if first else {"task": None}
    return lambda w: 35 if all(getattr(w, name) == value for name, value in wanted.items()) else priority


def of_networks(output):
    """What a rule of the training side makes for each of the folds that predict a chunk together."""
    return lambda w: expand(output, **{**dict(w.items()), "fold": task(w).cases.chunk(w.chunk).networks})
