"""Rows by the registration that they learned from, columns by the one that they are compared with."""

import copy

import pandas as pd
import pytest
import yaml
from conftest import PROJECT

from afpbench.metrics.longtable import line, write_long
from afpbench.study.kinds.registry import TABLES
from afpbench.study.load import StudyError, load_study
from afpbench.study.plan import StudyPlan
from afpbench.tables.build import Context
from afpbench.tables.inputs import Inputs

CONTEXT = Context(
    ["l1"], "l1", ["real_ct"], {"l1": "L1", "real_ct": "Real CT"}, {"bones": {"label": "Bones", "segmenter": "ts"}}
)
OPTIONS = {
    "kind": "registration_bias", "tasks": ["a", "b"], "rows": ["l1", "real_ct"], "caption": "", "title": "Bias",
    "columns": [{"metric": "mae", "structure": None, "region": "body"}, {"metric": "dice", "structure": "bones"}],
}  # fmt: skip
MAE = {("a", "a"): 40, ("a", "b"): 80, ("b", "a"): 90, ("b", "b"): 60}  # of l1: (trained on, against)


def write_cell(folder, trained, against, row, seed=""):
    """Three cases, of which the third failed in one cell; the agreement with the MR is 0.5 of a and 0.75 of b."""
    mae = MAE[trained, against] if row == "l1" else 0 if trained == against else 100
    lines = []
    for case, shift in (("p1", -2), ("p2", 2), ("p3", 1000)):
        failed = case == "p3" and (trained, against) == ("b", "a")
        status = "failed: metrics: x" if failed else "ok"
        add = [("", "body", "mae", mae + shift), ("ts", "bones", "dice", 0.5), ("", "volume", "diagonal_mm", 9.0),
               ("", "body", "mr_edges", {"a": 0.5, "b": 0.75}[trained])]  # fmt: skip
        lines += [line(trained, row, case, *place, float("nan") if failed else number, status) | {"seed": seed}
                  for *place, number in add]  # fmt: skip
    path = folder / f"{trained}_{against}_{row}{seed}.csv"
    write_long(pd.DataFrame(lines), path)
    return str(path)


@pytest.fixture
def files(tmp_path):
    cells = [(trained, against, row) for trained in "ab" for against in "ab" for row in ("l1", "real_ct")]
    inputs = Inputs({"against": [write_cell(tmp_path, *cell) for cell in cells]}, OPTIONS["rows"])
    return TABLES.make(OPTIONS, "bias").build(inputs, CONTEXT)


def test_the_matrix_by_hand(files):
    assert set(files) == {"bias.csv", "bias.md", "bias.tex", "bias.html"}
    header, *rows = files["bias.csv"].splitlines()
    assert header.startswith("row,label,MAE (HU) against a ↓,MAE (HU) against b ↓,Bones: Dice against a ↑,")
    assert header.endswith(",MR edges ↑")
    numbers = {row.split('"')[1]: [float(cell) for cell in row.rsplit('",', 1)[1].split(",")] for row in rows}
    assert numbers == {
        "L1, trained on a": [40, 80, 0.5, 0.5, 0.5],
        "L1, trained on b": [90, 60, 0.5, 0.5, 0.75],
        "Real CT, registered a": [0, 100, 0.5, 0.5, 0.5],
        "Real CT, registered b": [100, 0, 0.5, 0.5, 0.75],
    }


def test_the_caption_says_who_is_best_against_whom_and_over_how_many_cases(files):
    text = files["bias.md"]
    assert "Mean over the 2 test cases that every cell has." in text  # the third failed in one cell
    assert "Best by MAE (HU) against a ↓: L1, trained on a." in text
    assert "Best by MAE (HU) against b ↓: L1, trained on b." in text


# --- in a study


def study(change=lambda tasks: None):
    """The shipped study; `change` edits its tasks."""
    made = copy.deepcopy(yaml.safe_load((PROJECT / "config/registration_bias.yaml").read_text()))
    change(made["tasks"])
    return made


def test_the_shipped_study_trains_once_for_each_registration():
    plan = StudyPlan(load_study(study(), PROJECT), PROJECT)
    names = ["as_it_lies", "moved", "bspline", "truth"]
    assert list(plan.tasks) == names
    files = plan.tasks["truth"].results.table_inputs("registration_bias")["against"]
    folder = "results/registration_bias"
    assert files[:4] == [
        f"{folder}/as_it_lies/metrics/against/as_it_lies/nnunet_l1.csv",
        f"{folder}/as_it_lies/metrics/against/as_it_lies/nnunet_afp.csv",
        f"{folder}/as_it_lies/metrics/against/as_it_lies/real_ct.csv",
        f"{folder}/as_it_lies/metrics/against/moved/nnunet_l1.csv",
    ]
    assert len(files) == len(set(files)) == 4 * 4 * 3
    assert plan.extra_metrics == ["mr_edges"]
    bones = plan.tasks["moved"].results
    assert list(bones.lasting_structures) == ["bones"]
    assert bones.lasting_records("ct") == [f"{folder}/moved/segmentations/totalseg/ct/records/0.json"]


def change_training(tasks):
    tasks["moved"]["training"] = {**tasks["moved"]["training"], "iterations": 800}


def change_splits(tasks):
    for task in tasks.values():
        task["splits"] = {"train": 5, "validation": 1, "test": 6}


def change_names(tasks):
    tasks["truth"]["tables"]["registration_bias"]["tasks"] = ["as_it_lies", "splne"]


def change_segmenter(tasks):
    for task in tasks.values():
        task["segmenters"] = {"totalseg": {**task["segmenters"]["totalseg"], "weights": "stand_in"}}


DIFFERS = "differs from 'truth' in more than its registration"
ALLOWED = "allowed: registration, tables, title, figures"
PLACE = "tasks.truth.tables.registration_bias"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_training, [f"{PLACE}.tasks: 'moved' {DIFFERS}; found: training, variants; {ALLOWED}"]),
        (change_splits, [f"{PLACE}.tasks: '{name}' {DIFFERS}; found: splits; {ALLOWED}; hint: numbers are drawn anew "
                         "for each task: list the cases" for name in ("as_it_lies", "moved", "bspline")]),
        (change_names, [f"{PLACE}.tasks: no such task; found: 'splne'; allowed: as_it_lies, moved, bspline, truth; did "
                        "you mean 'bspline'?",
                        f"{PLACE}.tasks: 'truth', the task of the table, is not among them; hint: add it"]),
        (change_segmenter, [f"{PLACE}.columns[1].structure: its segmenter 'totalseg' is trained here, another one in "
                            "each task; hint: give the segmenter's weights, or leave the column out"]),
    ],
)  # fmt: skip
def test_tasks_that_cannot_be_compared(change, expected):
    with pytest.raises(StudyError) as error:
        load_study(study(change), PROJECT)
    assert error.value.problems == expected
