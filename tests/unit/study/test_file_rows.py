"""Rows of synthetic CTs that lie in files: what planning says of them, without and beside rows that are trained."""

import logging
import re
from functools import partial

import pytest
import yaml
from changed_study import load_changed, problems_of

from afpbench.study.load import StudyError, load_study
from afpbench.study.plan import StudyPlan

CASES = ["p1", "p2", "p3"]
ALONE = """
tasks:
  heads:
    data: {source: folder, root: pairs, mr: "{case}/mr.nii.gz", ct: "{case}/ct.nii.gz"}
    spacing_mm: [2.0, 1.0, 1.0]
    variants:
      ours: {synthetic: "ours/{case}.nii.gz", label: Ours}
      theirs: {synthetic: "theirs/*_{case}.nii.gz", resample: true}
    reference: ours
    tables: {images: {columns: [{metric: mae}]}}
"""


@pytest.fixture
def root(tmp_path):
    for case in CASES:
        for name in (f"pairs/{case}/mr", f"pairs/{case}/ct", f"ours/{case}", f"theirs/site_{case}"):
            path = tmp_path / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tmp_path


load, problems = partial(load_changed, ALONE), partial(problems_of, ALONE)


def test_a_study_of_files_alone_needs_no_training_no_segmenter_and_no_splits(root):
    task = load(root)["tasks"]["heads"]
    assert task["splits"]["test"] == CASES and task["splits"]["train"] is None
    assert task["controls"] == ["real_ct"]
    assert task["variants"]["ours"] == {"synthetic": "ours/{case}.nii.gz", "label": "Ours", "resample": False}
    assert (task["segmenters"], task["structures"], task["figures"]["zoom"]["structure"]) == ({}, {}, None)


def test_its_plan_trains_nothing_and_draws_no_curves_and_no_surfaces(root):
    plan = StudyPlan(load(root, seeds=3), root)
    task = plan.tasks["heads"]
    assert plan.first_row == {}
    assert plan.names == {"task": ["heads"], "variant": [], "file_row": ["ours", "theirs"], "segmenter": [],
                          "network": []}  # fmt: skip
    assert task.results.runs == ["ours", "theirs", "real_ct"]  # no seed trains a file
    assert task.results.seed_of("ours", "") == ""
    assert [(part, task.cases.splits[""][part]) for part in ("train", "validation", "test")] == [
        ("train", []), ("validation", []), ("test", CASES),
    ]  # fmt: skip
    assert task.models.trained("cost") == []
    assert task.models.control_limits("", "real_ct") == []
    assert task.results.table_context["losses"] == {}
    names = {path.rsplit("/", 1)[1] for path in task.results.all_files}
    assert "distributions.png" in names and not {"curves.png", "surfaces.png"} & names
    assert task.models.files("theirs", ["p1"]) == [str(root / "theirs/site_p1.nii.gz")]
    assert task.models.file_options("theirs") == {"synthetic": "theirs/*_{case}.nii.gz", "resample": True}


def trained_beside(task):
    task["variants"]["l1"] = {"generator": "nnunet", "loss": [{"term": "l1"}]}
    task["splits"] = {"train": ["p1"], "validation": ["p2"], "test": ["p3"]}


def test_beside_a_trained_row_the_cost_table_has_a_row_without_files(root):
    def change(task):
        trained_beside(task)
        task["tables"]["cost"] = {"kind": "cost"}

    task = StudyPlan(load(root, change, seeds=2), root).tasks["heads"]
    assert task.results.runs[:4] == ["ours", "theirs", "l1", "l1.seed_2027"]
    inputs = task.results.table_inputs("cost")
    assert [path.rsplit("variants/", 1)[1] for path in inputs["costs"]] == ["l1/cost.json", "l1.seed_2027/cost.json"]
    assert len(inputs["syntheses"]) == 4
    assert list(task.results.table_context["losses"]) == ["l1"]
    assert task.task.options["controls"] == ["real_ct", "real_ct_clipped", "mr_linear", "mean_ct"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda task: task["variants"]["ours"].update(synthetic="ours/p1.nii.gz"),
         r"variants\.ours\.synthetic: not allowed; found: 'ours/p1.nii.gz'; allowed: a path with \{case\} in it"),
        (lambda task: task["variants"]["ours"].update(loss=[{"term": "l1"}]),
         r"variants\.ours\.loss: unknown key; allowed: label, synthetic, resample"),
        (lambda task: task["variants"].update(ours={"label": "Ours"}), r"variants\.ours\.generator: missing"),
        (lambda task: task["variants"]["ours"].update(synthetic="our/{case}.nii.gz"),
         r"variants\.ours\.synthetic: no such folder; found: '.*/our'; hint: correct the path before \{case\}"),
        (lambda task: task["variants"]["ours"].update(synthetic="ours/{case}_{site}.nii.gz"),
         r"variants\.ours\.synthetic: a word in braces"),
        (lambda task: task["variants"].update(l1={"generator": "nnunet", "loss": [{"term": "l1"}]}),
         r"heads\.splits\.train: missing; allowed: a whole number at least 1"),
        (lambda task: task.update(controls=["mr_linear"]), r"heads\.splits\.train: missing"),
        (lambda task: task["tables"].update(cost={"kind": "cost"}), r"tables\.cost: none of its rows is trained"),
        (lambda task: task["variants"].update(real_ct=task["variants"].pop("ours")), r"real_ct: a reserved name"),
    ],
)  # fmt: skip
def test_what_can_be_wrong(root, change, line):
    found = problems(root, change)
    assert any(re.search(line, each) for each in found), found


def test_a_missing_file_is_named_with_what_lies_beside_it(root):
    (root / "ours/p2.nii.gz").rename(root / "ours/p2.mha")
    (root / "ours/p3.nii.gz").unlink()
    place = "tasks.heads.variants.ours.synthetic"
    assert problems(root) == [
        f"{place}: case p2: no such file; found: p2.mha, of another ending; expected: '{root}/ours/p2.nii.gz'",
        f"{place}: case p3: no such file; found: 'p1.nii.gz', of another name; expected: '{root}/ours/p3.nii.gz'",
    ]


def test_a_missing_file_is_a_warning_where_failed_cases_are_excluded(root, caplog):
    (root / "ours/p3.nii.gz").unlink()
    with caplog.at_level(logging.WARNING, logger="afpbench"):
        study = load(root, failed_cases="exclude")
    assert "ours.synthetic: case p3: no such file" in caplog.text
    models = StudyPlan(study, root).tasks["heads"].models
    assert models.files("ours", CASES) == [str(root / f"ours/{case}.nii.gz") for case in ("p1", "p2")]


def test_two_files_of_one_case(root):
    (root / "theirs/other_p1.nii.gz").touch()
    (line,) = problems(root)
    assert "theirs.synthetic: several files of case p1 fit; found: other_p1.nii.gz, site_p1.nii.gz" in line


def test_a_row_from_files_has_no_name_that_is_trained_in_another_task(root):
    study = yaml.safe_load(ALONE)
    other = yaml.safe_load(ALONE)["tasks"]["heads"]
    trained_beside(other)
    other["variants"]["ours"] = other["variants"].pop("l1")
    study["tasks"]["trained"] = other
    with pytest.raises(StudyError, match=r"heads\.variants\.ours: from files, and trained in tasks\.trained"):
        load_study(study, root)


def test_a_preset_may_change_either_form(root):
    presets = {"p": {"variants": {"ours": {"resample": True}}}}
    assert load(root, presets=presets, preset="p")["tasks"]["heads"]["variants"]["ours"]["resample"] is True


def test_too_few_cases_for_significance_are_warned_of(root, caplog):
    with caplog.at_level(logging.WARNING, logger="afpbench"):
        load(root)
    assert "with 3 test cases the smallest p of a two-sided Wilcoxon test is 0.25" in caplog.text
