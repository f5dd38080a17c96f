"""Cases and rows that are label maps alone: what planning says of them."""

import re
from functools import partial

import pytest
from changed_study import load_changed, problems_of

from afpbench.study.plan import StudyPlan, contents

CASES = ["p1", "p2", "p3", "p4", "p5", "p6"]
STUDY = """
tasks:
  hips:
    data: {source: folder, root: real, ct: null, label_map: "{case}.nii.gz"}
    spacing_mm: null
    tolerance_mm: 2
    segmenters:
      given:
        kind: files
        real: "real/{case}.nii.gz"
        synthetic: {a: "a/{case}.mha", b: "b/{case}.mha"}
        classes: {hip: 7}
    structures:
      hip: {segmenter: given, classes: [hip]}
    variants:
      a: {synthetic: null, label: Method A}
      b: {synthetic: null}
    reference: a
    tables:
      overlap: {columns: [{metric: dice, structure: hip}, {metric: hd95, structure: hip}]}
"""


@pytest.fixture
def root(tmp_path):
    for name in [f"real/{case}.nii.gz" for case in CASES] + [f"{row}/{case}.mha" for row in "ab" for case in CASES]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


load, problems = partial(load_changed, STUDY), partial(problems_of, STUDY)


def test_every_case_is_tested_and_nothing_is_a_control(root):
    task = load(root)["tasks"]["hips"]
    assert task["splits"]["test"] == CASES and task["controls"] == []
    assert task["variants"]["a"] == {"synthetic": None, "label": "Method A", "resample": False}
    assert task["registration"]["method"] == "none"


def test_nothing_that_needs_a_ct_is_planned(root):
    plan = StudyPlan(load(root, seeds=2), root)
    task = plan.tasks["hips"]
    assert task.results.runs == ["a", "b"] and plan.names["file_row"] == plan.names["variant"] == []
    assert task.results.synthetic_records("a", "b") == task.results.segmented_record("a", "0") == []
    assert task.cases.registered_of("p1") == plan.report_inputs["registered"] == []
    files = {path.removeprefix("results/hips/") for path in task.results.all_files}
    assert {path for path in files if not path.startswith("tables/")} == {
        "metrics/metrics.csv", "statistics/statistics.csv",
        *(f"segmentations/given/{image}/records/0.json" for image in ("ct", "a", "b")),
        *(f"figures/{name}.{ending}" for name in ("typical/surfaces", "distributions") for ending in ("png", "pdf")),
    }  # fmt: skip
    assert task.models.label_files("given", "b", ["p1"]) == [str(root / "b/p1.mha")]
    assert (contents(plan)["tasks"]["hips"]["has_mr"], contents(plan)["tasks"]["hips"]["has_ct"]) == (False, False)


def test_missing_label_maps_are_named(root):
    (root / "b/p2.mha").unlink()
    place = "tasks.hips.segmenters.given.synthetic.b"
    (line,) = problems(root)
    assert line.startswith(f"{place}: case p2: no such file; found: 'p6.mha', of another name")
    assert load(root, failed_cases="exclude")["tasks"]["hips"]["splits"]["test"] == CASES


def segmented(task):
    task["segmenters"]["navi"] = {"kind": "nnunet", "folder": "pretrained:thorax_airways"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda task: task["data"].update(label_map=None), r"data: data.ct: null, and no label map in its place"),
        (lambda task: task["data"].pop("ct"), r"data.ct: missing"),
        (lambda task: task["data"].update(mr="{case}.nii.gz"), r"data.mr: a case of label maps alone has none"),
        (lambda task: task["data"].update(labels={"kind": "files", "classes": {"hip": 7}}),
         r"data.labels: a case of label maps alone has none"),
        (lambda task: task["variants"].update(a={"synthetic": "a/{case}.mha"}),
         r"variants.a.synthetic: the cases have no CT to compare with; found: 'a/\{case\}.mha'; allowed: null"),
        (lambda task: task["variants"].update(l1={"generator": "nnunet", "loss": [{"term": "l1"}]}),
         r"variants.l1.synthetic: .*found: a row that is trained"),
        (lambda task: task["variants"]["b"].update(resample=True), r"b.resample: label maps are not resampled"),
        (lambda task: task["data"].update(ct="{case}.nii.gz"), r"variants.a.synthetic: null, and the cases have CTs"),
        (lambda task: task.update(controls=["real_ct"]), r"controls: the cases have no CT to make them of"),
        (lambda task: task.update(spacing_mm=[1, 1, 1]), r"spacing_mm: label maps keep their grids"),
        (segmented, r"segmenters.navi.kind: the cases have no CT to segment; found: nnunet; allowed: files"),
        (lambda task: task["tables"].update(images={"columns": [{"metric": "mae"}]}),
         r"tables.images.columns\[0\].metric: 'mae' compares CTs, and the cases have none; hint: remove it"),
        (lambda task: task["tables"].update(bias={"columns": [{"metric": "me", "structure": "hip"}]}),
         r"tables.bias.columns\[0\].metric: 'me' compares CTs"),
        (lambda task: task["segmenters"]["given"]["synthetic"].pop("b"), r"synthetic: no label maps of the row 'b'"),
    ],
)  # fmt: skip
def test_what_can_be_wrong(root, change, line):
    found = problems(root, change)
    assert any(re.search(line, each) for each in found), found
