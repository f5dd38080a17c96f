"""The whole page: what was asked, what came out, and where it comes from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from ..base import html
from ..base.atomic import write_text
from . import provenance
from .answer import answers
from .glance import all_claims
from .task import Task, sections

QUESTION = (
    "A network can learn to make a CT volume of an MR volume. With an L1 loss it gets the grey values about right and "
    "blurs what is thin. The anatomical feature-prioritized (AFP) loss compares synthetic and real CT in the features "
    "of a frozen segmentation network instead. Does that keep the anatomy better? The judge is segmentation: the same "
    "segmenters run on the real and on the synthetic CT of test patients, and their results are compared."
)
FILES_QUESTION = (
    "How close are synthetic CTs to the real ones, voxel by voxel, and do they keep the anatomy? Where there are "
    "structures, the judge is segmentation: the same segmenters run on the real and on the synthetic CT of each case."
)
FILES_READING = (
    "Rows are synthetic CTs that lie in files; nothing was trained here. The real CT itself stands below them and must "
    "score perfectly. One row is the reference, and every other row is tested against it over the same cases."
)
LABELS_QUESTION = (
    "Do synthetic CTs keep the anatomy of the real ones? The judge is segmentation, made elsewhere: label maps of the "
    "real and of the synthetic CT of each case are compared. There are no images here, and nothing is said of HU."
)
LABELS_READING = (
    "Rows are methods whose label maps lie in files; nothing was trained here. One row is the reference, and every "
    "other row is tested against it over the same cases."
)
READING = (
    "Rows are variants (a generator with a loss); controls stand below them: the real CT itself must score perfectly, "
    "the mean training CT shows what is reached without looking at the patient. One row is the reference, and every "
    "other row is tested against it over the same cases."
)


class _WrittenOut(yaml.SafeDumper):
    """YAML in which what stands in two places is written twice, without anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def write_report(target: str | Path, study: Mapping, tasks: Sequence[Task]) -> None:
    """Write the page, atomically.

    study: the completed study file. tasks: its tasks in order.
    The page holds its images and its style; it asks for nothing from anywhere.
    """
    said = [(task, all_claims(task)) for task in tasks]
    answer = answers(said)
    links = [("answer", "Answer")] if answer else []
    links += [("question", "Question"), *((f"task-{task.name}", task.spec["title"]) for task in tasks)]
    links.append(("provenance", "Provenance"))
    parts = [
        answer,
        html.section("The question", "question", *map(html.paragraph, _question(tasks))),
        *(sections(task, claims) for task, claims in said),
        _provenance(study, tasks),
    ]
    title = "afpbench: " + ", ".join(task.spec["title"] for task in tasks)
    write_text(target, html.page(title, filter(None, parts), links))


def _question(tasks: Sequence[Task]) -> tuple[str, str]:
    if any(task.has_trained_rows for task in tasks):
        return QUESTION, READING
    images = any(task.source.has_ct for task in tasks)
    return (FILES_QUESTION, FILES_READING) if images else (LABELS_QUESTION, LABELS_READING)


def facts(study: Mapping, tasks: Sequence[Task]) -> list[tuple[str, object]]:
    """Where the numbers come from: (name, what there is to say)."""
    costs = [cost for task in tasks for _, cost in task.costs()]
    seeds = list(dict.fromkeys(seed for task in tasks for seed in task.seeds.values()))
    return [
        ("Code", provenance.git_revision()),
        ("Seed", study["seed"]),
        *([("Seeds of the variants", ", ".join(map(str, seeds)))] if len(seeds) > 1 else []),
        ("Preset", study.get("preset") or "none"),
        ("Failed cases", f"{study['failed_cases']} (policy)"),
        *(("Trained on", words) for words in provenance.machines(costs)),
    ]


def _provenance(study: Mapping, tasks: Sequence[Task]) -> str:
    config = yaml.dump(dict(study), Dumper=_WrittenOut, sort_keys=False, allow_unicode=True, width=100)
    inputs = [_inputs(task) for task in tasks]
    return html.section(
        "Provenance",
        "provenance",
        html.facts(facts(study, tasks)),
        html.folded("Versions of packages", html.table(["Package", "version"], provenance.package_versions())),
        html.folded("The study file, every default filled in", f"<pre>{html.text(config)}</pre>"),
        html.folded("Checksums of the inputs", *inputs),
    )


def _inputs(task: Task) -> str:
    """The checksums of a task's cases, a column for each image."""
    if task.source.has_ct:
        heads, lines = ["Case", "MR, sha256", "CT, sha256"], provenance.input_checksums(task.root, task.used_cases())
        return html.table(heads, lines, task.spec["title"])
    maps = provenance.label_checksums(task.root, task.used_cases())
    return html.table(["Case", "Label map, sha256"], maps, task.spec["title"])
