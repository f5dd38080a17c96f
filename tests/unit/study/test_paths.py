"""Where everything lies, spelled by hand once; and that docs/reference/files.md tells of all of it."""

import inspect
import re
from pathlib import Path

import pytest

from afpbench.study import paths
from afpbench.study.paths import FoldPaths, Images, ModelPaths, StudyPaths, TaskPaths

TASK = StudyPaths("out").task("thorax", ["folds/0/", "folds/1/"])


def test_cases_and_numbers():
    assert TASK.prepared("p1") == "out/thorax/cases/p1/prepared"
    assert TASK.prepared_image("p1", "ct") == "out/thorax/cases/p1/prepared/ct.nii.gz"
    assert TASK.metrics == "out/thorax/metrics/metrics.csv"
    assert TASK.row_metrics("l1") == "out/thorax/metrics/rows/l1.csv"
    assert TASK.check_table == "out/thorax/check/check.csv"
    assert TASK.tables(["t1"], ["csv", "md"]) == ["out/thorax/tables/t1.csv", "out/thorax/tables/t1.md"]
    assert TASK.slices("best", "axial", "pdf") == "out/thorax/figures/best/slices_axial.pdf"
    assert TASK.slice_panel("best") == "out/thorax/figures/best/slices.json"
    assert StudyPaths("out").report == "out/report.html"
    assert TASK.log("{fold}train/{variant}") == "out/thorax/logs/{fold}train/{variant}.log"


def test_images_and_their_records():
    images = TASK.segmentations("navi", "ct")
    assert images.image("p1") == "out/thorax/segmentations/navi/ct/p1.nii.gz"
    assert images.records(2) == [f"out/thorax/segmentations/navi/ct/records/{chunk}.json" for chunk in (0, 1)]
    assert Images.of_record(Path(images.record(1))) == images
    assert TASK.synthesis_records("l1", 1) == ["out/thorax/synthetic/l1/records/0.json"]
    assert TASK.synthetic("l1").uncalibrated("p1") == "out/thorax/synthetic/l1/uncalibrated/p1.nii.gz"


def test_what_is_trained_lies_in_its_fold():
    fold = TASK.fold("folds/1/")
    assert fold.folder == "out/thorax/folds/1"
    assert fold.variant("l1").checkpoint == "out/thorax/folds/1/models/variants/l1/fold_0/checkpoint_final.pth"
    assert FoldPaths.of(fold.folder) == fold
    assert TASK.costs("l1") == [f"out/thorax/folds/{k}/models/variants/l1/cost.json" for k in (0, 1)]
    plain = StudyPaths("out").task("thorax")
    assert plain.fold("").splits == "out/thorax/splits/splits.json"
    assert plain.fold("").unfinished("variants", "l1") == "out/thorax/unfinished/variants/l1"
    assert plain.costs("l1") == ["out/thorax/models/variants/l1/cost.json"]


def test_what_a_seed_trained_lies_beside_what_the_studys_own_trained():
    task = StudyPaths("out").task("thorax", ["folds/0/", "folds/1/"], ["", ".seed_8"])
    assert task.runs("l1") == ["l1", "l1.seed_8"]
    assert task.costs("l1") == [
        f"out/thorax/folds/{k}/models/variants/{run}/cost.json" for run in ("l1", "l1.seed_8") for k in (0, 1)
    ]
    assert task.fold("").unfinished("variants", "l1.seed_8") == "out/thorax/unfinished/variants/l1.seed_8"
    assert task.synthesis_records("l1.seed_8", 1) == ["out/thorax/synthetic/l1.seed_8/records/0.json"]


def test_wildcards_stand_in_the_place_of_names():
    pattern = StudyPaths("results").task("{task}").fold("{fold}").variant("{variant}").cost
    assert pattern == "results/{task}/{fold}models/variants/{variant}/cost.json"


# --- docs/reference/files.md

OWN = {
    "folder",
    "fold",
    "of",
    "of_record",
    "task",
    "records",
    "tables",
    "costs",
    "runs",
    "synthesis_records",
    "log",
    "benchmark",
}
FIRST = {
    StudyPaths: StudyPaths("results"),
    TaskPaths: TaskPaths("results/<task>"),
    FoldPaths: FoldPaths("results/<task>/"),
    ModelPaths: ModelPaths("..."),
}


def spelled(place):
    """Every path of a class, with `<name>` for its arguments."""
    for name, member in inspect.getmembers(type(place)):
        if name.startswith("_") or name in OWN:
            continue
        if isinstance(member, property):
            yield name, getattr(place, name)
        elif inspect.isfunction(member):
            arguments = [f"<{key}>" for key in list(inspect.signature(member).parameters)[1:]]
            found = getattr(place, name)(*arguments)
            if isinstance(found, str):
                yield name, found


@pytest.mark.parametrize("cls", FIRST, ids=lambda cls: cls.__name__)
def test_the_reference_tells_of_every_path(project, cls):
    """A row of the tables names it, below the heading of its folder or in full."""
    page = (project / "docs" / "reference" / "files.md").read_text()
    named = re.sub(r"[<>]\w*[<>]?", "*", page)
    missing = []
    for name, path in spelled(FIRST[cls]):
        short = path.removeprefix("results/<task>/cases/<case>/").removeprefix("results/<task>/")
        short = re.sub(r"<\w+>", "*", short).removesuffix(".*")
        if short not in named and short.rpartition("/")[2] not in named:
            missing.append(f"{cls.__name__}.{name}: {path}")
    assert not missing


def test_no_other_module_spells_the_layout(project):
    """Folders of results/ as parts of a path, in the package and in scripts."""
    folders = "cases|synthetic|segmentations|models|metrics|statistics|tables|records|normalization|splits"
    stages = "imported|resampled|registered|prepared"
    part = re.compile(rf'(?<!work) / "({folders}|{stages})"|"({folders})/|\{{\w+\}}/({folders})/|parents\[')
    allowed = {Path(paths.__file__), project / "src/afpbench/base/package.py"}
    allowed |= {project / "src/afpbench/report/paper/files.py"}  # of a paper's folder, which has the same names
    found = [
        f"{path.relative_to(project)}:{number}: {line.strip()}"
        for folder in ("src", "scripts")
        for path in sorted((project / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if path not in allowed and part.search(line)
    ]
    assert not found
