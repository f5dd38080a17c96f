import pytest

from afpbench.base.atomic import read_json, write_json
from afpbench.base.errors import DataError
from afpbench.data.failures import RECORD
from afpbench.inference.chunks import failures, run_chunk


def make(case, prepared, out):
    if case == "p2":
        raise DataError("case p2: the synthetic CT has values that are not finite", found="3 voxels")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f"{case} from {prepared.name}")
    return {"case": case, "status": "ok", "seconds": 1.5}


@pytest.fixture
def cases(tmp_path):
    folders = {case: tmp_path / case / "prepared" for case in ("p1", "p2", "p3")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    return folders


def test_images_lie_beside_the_records(tmp_path, cases, monkeypatch):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "exclude")
    record = tmp_path / "synthetic" / "l1" / "records" / "0.json"
    run_chunk({"p1": cases["p1"], "p3": cases["p3"]}, record, make)
    assert (tmp_path / "synthetic" / "l1" / "p1.nii.gz").read_text() == "p1 from prepared"
    assert read_json(record) == {
        "cases": [{"case": "p1", "status": "ok", "seconds": 1.5}, {"case": "p3", "status": "ok", "seconds": 1.5}]
    }


def test_a_failing_case_fails_the_job_after_the_others(tmp_path, cases, monkeypatch):
    monkeypatch.delenv("AFPBENCH_FAILED_CASES", raising=False)
    record = tmp_path / "out" / "records" / "0.json"
    with pytest.raises(DataError, match=r"1 of 3 cases failed\n  p2: case p2: the synthetic CT has values"):
        run_chunk(cases, record, make)
    assert not record.exists()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p1.nii.gz", "p3.nii.gz"]


def test_a_failing_case_is_recorded_where_failed_cases_are_excluded(tmp_path, cases, monkeypatch):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", "exclude")
    record = tmp_path / "out" / "records" / "0.json"
    run_chunk(cases, record, make)
    assert [entry["status"].split(":")[0] for entry in read_json(record)["cases"]] == ["ok", "failed", "ok"]
    assert failures([record]) == {"p2": "case p2: the synthetic CT has values that are not finite\n  found: 3 voxels"}
    assert not (tmp_path / "out" / "p2.nii.gz").exists()


@pytest.mark.parametrize("policy", ["stop", "exclude"])
def test_a_case_that_failed_before_is_not_tried(tmp_path, cases, monkeypatch, policy):
    monkeypatch.setenv("AFPBENCH_FAILED_CASES", policy)
    write_json(cases["p1"] / RECORD, {"case": "p1", "stage": "import", "error": "case p1: cannot read ct.nii.gz"})
    record = tmp_path / "out" / "records" / "0.json"
    run_chunk({case: cases[case] for case in ("p1", "p3")}, record, make)
    assert failures([record]) == {"p1": "import: case p1: cannot read ct.nii.gz"}
    assert not (tmp_path / "out" / "p1.nii.gz").exists() and (tmp_path / "out" / "p3.nii.gz").exists()


def test_the_first_reason_of_several_records_counts(tmp_path):
    write_json(tmp_path / "0.json", {"cases": [{"case": "p1", "status": "ok"}, {"case": "p2", "status": "failed: a"}]})
    write_json(tmp_path / "1.json", {"cases": [{"case": "p1", "status": "failed: b"}]})
    write_json(tmp_path / "2.json", {"cases": [{"case": "p2", "status": "failed: c"}]})
    assert failures([tmp_path / name for name in ("0.json", "1.json", "2.json")]) == {"p2": "a", "p1": "b"}
