"""What planning finds of a source: missing files, label maps that no case has, sources that say too little."""

import copy
import logging

import pytest
import yaml
from conftest import PROJECT

from afpbench.study.kinds.sources import folder
from afpbench.study.load import StudyError, load_study

FILES = {"kind": "files", "classes": {"bone": 1, "muscle": 2, "fat": 3}}
CASES = [f"p{number:02d}" for number in range(1, 13)]


def study(tmp_path, cases=CASES, columns=("mr", "ct"), **data):
    """The study of own data over a table of cases, whose files are there."""
    made = yaml.safe_load((PROJECT / "config" / "own_data.yaml").read_text())
    task = made["tasks"]["own"]
    task["data"] = {**task["data"], "table": "cases.tsv", **data}
    task["splits"] = {"train": len(cases) - 4, "validation": 1, "test": 3}
    write_table(tmp_path, cases, columns)
    for case in cases:
        for column in columns:
            (tmp_path / f"{case}_{column}.nii").write_bytes(b"x")
    return made


def write_table(tmp_path, cases, columns):
    rows = [[case, *(f"{case}_{column}.nii" for column in columns)] for case in cases]
    (tmp_path / "cases.tsv").write_text("".join("\t".join(row) + "\n" for row in [["case", *columns], *rows]))


def lines_of(made, tmp_path):
    with pytest.raises(StudyError) as error:
        load_study(made, tmp_path)
    return error.value.problems


def test_files_that_are_not_there_are_all_named(tmp_path):
    made = study(tmp_path)
    for name in ("p03_mr.nii", "p11_ct.nii"):
        (tmp_path / name).unlink()
    end = "hint: correct its path, or leave the case out with data.exclude"
    assert lines_of(made, tmp_path) == [
        f"tasks.own.data: case p03: no such file: MR; found: '{tmp_path}/p03_mr.nii'; {end}",
        f"tasks.own.data: case p11: no such file: CT; found: '{tmp_path}/p11_ct.nii'; {end}",
    ]
    made["tasks"]["own"]["data"]["exclude"] = ["p03", "p11"]
    made["tasks"]["own"]["splits"]["train"] = 6
    assert load_study(made, tmp_path)["tasks"]["own"]["data"]["exclude"] == ["p03", "p11"]


def test_twenty_lines_and_how_many_more(tmp_path):
    cases = [f"q{number:02d}" for number in range(40)]
    made = study(tmp_path, cases)
    for case in cases[:23]:
        (tmp_path / f"{case}_mr.nii").unlink()
    *first, last = lines_of(made, tmp_path)
    assert len(first) == 20 and all(": no such file: MR; " in line for line in first)
    assert last == "tasks.own.data: and 3 more of this kind"


def test_a_case_that_no_part_uses_may_lack_its_files(tmp_path):
    made = study(tmp_path)
    made["tasks"]["own"]["splits"] = {"train": ["p01"], "validation": ["p02"], "test": ["p03"]}
    (tmp_path / "p12_ct.nii").unlink()
    assert load_study(made, tmp_path)
    (tmp_path / "p02_ct.nii").unlink()
    assert [line.split(";")[0] for line in lines_of(made, tmp_path)] == [
        "tasks.own.data: case p02: no such file: CT"
    ]  # fmt: skip


def test_a_study_that_leaves_broken_cases_out_is_warned(tmp_path, caplog):
    made = {**study(tmp_path), "failed_cases": "exclude"}
    (tmp_path / "p03_mr.nii").unlink()
    with caplog.at_level(logging.WARNING, "afpbench"):
        load_study(made, tmp_path)
    assert "tasks.own.data: case p03: no such file: MR" in caplog.text


def test_a_table_without_the_column_of_label_maps(tmp_path):
    (line,) = lines_of(study(tmp_path, labels=FILES), tmp_path)
    assert line == (
        "tasks.own.data.labels.kind: 'files', and no case has a label map; allowed: one for each case; "
        "hint: name it in the table's column `labels`, or remove data.labels"
    )
    made = study(tmp_path, columns=("mr", "ct", "labels"), labels=FILES)
    assert load_study(made, tmp_path)
    table = (tmp_path / "cases.tsv").read_text()
    (tmp_path / "cases.tsv").write_text(table.replace("p05_labels.nii", "").replace("p07_labels.nii", ""))
    (line,) = lines_of(made, tmp_path)
    assert "'files', and cases without a label map: p05, p07; allowed: one for each case" in line


def test_what_is_downloaded_may_be_missing(tmp_path):
    made = study(tmp_path)
    task = made["tasks"]["own"]
    labels = task["data"]["labels"]
    task["splits"] = {"train": 20, "validation": 4, "test": 8}
    task["data"] = {"source": "synthrad2023", "region": "pelvis", "labels": labels}
    assert load_study(made, tmp_path)["tasks"]["own"]["registration"]["method"] == "elastix"
    task["data"] = {**task["data"], "root": "in"}
    task["splits"] = {"train": 1, "validation": 1, "test": 1}
    for case in ("1PA001", "1PA004", "1PC098"):
        for role in ("mr", "ct", "mask"):
            (tmp_path / "in" / case).mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / case / f"{role}.nii.gz").write_bytes(b"x")
    assert load_study(made, tmp_path)
    (tmp_path / "in/1PA004/mask.nii.gz").unlink()
    (line,) = lines_of(made, tmp_path)
    assert line.startswith("tasks.own.data: case 1PA004: no such file: mask; found: '")


def test_pairs_of_synthrad2023_are_not_registered_and_those_of_2025_are_unless_the_study_says_so(tmp_path):
    made = study(tmp_path)
    task = made["tasks"]["own"]
    task["data"] = {"source": "synthrad2023", "region": "pelvis", "labels": task["data"]["labels"]}
    del task["registration"]
    assert load_study(copy.deepcopy(made), tmp_path)["tasks"]["own"]["registration"]["method"] == "none"
    for case in ("1THA001", "1THA002", "1THB003"):
        for role in ("mr", "ct", "mask"):
            (tmp_path / "in/Task1/TH" / case).mkdir(parents=True, exist_ok=True)
            (tmp_path / "in/Task1/TH" / case / f"{role}.mha").write_bytes(b"x")
    rigid = copy.deepcopy(made)
    rigid["tasks"]["own"] |= {
        "data": {"source": "synthrad2025", "region": "thorax", "root": "in", "labels": task["data"]["labels"]},
        "splits": {"train": 1, "validation": 1, "test": 1},
    }
    assert load_study(copy.deepcopy(rigid), tmp_path)["tasks"]["own"]["registration"]["method"] == "synthrad2025"
    rigid["tasks"]["own"]["registration"] = {"method": "none"}
    assert load_study(rigid, tmp_path)["tasks"]["own"]["registration"]["method"] == "none"
    task["data"] = {"source": "table", "table": "cases.tsv", "labels": task["data"]["labels"]}
    assert load_study(made, tmp_path)["tasks"]["own"]["registration"]["method"] == "elastix"


def test_a_true_deformation_that_nobody_knows(tmp_path):
    made = study(tmp_path)
    made["tasks"]["own"]["registration"] = {"method": "truth"}
    assert lines_of(made, tmp_path) == [
        "tasks.own.registration.method: no true deformation is known; found: the source table, whose cases come "
        "without one; allowed: elastix, external, none"
    ]


def test_a_source_that_names_no_ct(tmp_path, monkeypatch):
    made = study(tmp_path)
    made["tasks"]["own"]["data"] |= {"source": "folder", "root": ".", "mr": "{case}_mr.nii", "ct": "{case}_ct.nii"}
    del made["tasks"]["own"]["data"]["table"]
    monkeypatch.setattr(folder.Folder, "files", lambda self, case: {"mr": self.base_folder / f"{case}_mr.nii"})
    lines = lines_of(made, tmp_path)
    assert len(lines) == 12 and lines[0] == (
        "tasks.own.data: case p01: the source names no CT; found: mr; hint: correct Folder.files"
    )
