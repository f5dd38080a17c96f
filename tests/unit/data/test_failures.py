import json

import pytest

from afpbench.base.errors import ConfigError, DataError
from afpbench.data.failures import failure_of, run_stage


def work(folder):
    (folder / "mr.txt").write_text("made")


def fail(folder):
    (folder / "half.txt").write_text("half")
    (folder / "deep").mkdir()
    raise DataError("case p1: broken", found="1", expected="2")


def test_a_good_stage_is_renamed_into_place(tmp_path):
    assert run_stage("p1", "imported", tmp_path / "p1" / "imported", None, "exclude", work)
    assert [path.name for path in (tmp_path / "p1").iterdir()] == ["imported"]
    assert (tmp_path / "p1" / "imported" / "mr.txt").read_text() == "made"


def test_an_old_folder_is_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("old")
    run_stage("p1", "imported", tmp_path / "out", None, "stop", work)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mr.txt"]


def test_what_a_killed_attempt_left_is_removed(tmp_path):
    (tmp_path / ".tmp-registered-abc").mkdir()
    (tmp_path / ".tmp-registered-abc" / "half.nii.gz").write_text("half")
    (tmp_path / ".tmp-prepared-abc").mkdir()
    run_stage("p1", "register", tmp_path / "registered", None, "stop", lambda out: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tmp-prepared-abc", "registered"]


def test_stop_raises_and_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="case p1: broken"):
        run_stage("p1", "imported", tmp_path / "out", None, "stop", fail)
    assert list(tmp_path.iterdir()) == []


def test_exclude_leaves_only_the_record(tmp_path):
    assert not run_stage("p1", "imported", tmp_path / "out", None, "exclude", fail)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["failed.json"]
    record = json.loads((tmp_path / "out" / "failed.json").read_text())
    assert (record["case"], record["stage"]) == ("p1", "imported")
    assert "case p1: broken\n  found: 1" in record["error"]


def test_a_failed_case_is_carried_on_without_work(tmp_path):
    run_stage("p1", "imported", tmp_path / "imported", None, "exclude", fail)
    assert not run_stage("p1", "resampled", tmp_path / "resampled", tmp_path / "imported", "exclude", work)
    assert failure_of(tmp_path / "resampled")["stage"] == "imported"
    assert failure_of(tmp_path / "resampled") == failure_of(tmp_path / "imported")


def test_a_living_case_goes_on(tmp_path):
    run_stage("p1", "imported", tmp_path / "imported", None, "exclude", work)
    assert run_stage("p1", "resampled", tmp_path / "resampled", tmp_path / "imported", "exclude", work)
    assert failure_of(tmp_path / "resampled") is None


def test_stop_after_an_excluded_case_says_which_folder_to_remove(tmp_path):
    run_stage("p1", "imported", tmp_path / "imported", None, "exclude", fail)
    with pytest.raises(DataError, match=r"case p1: it failed in an earlier stage \(imported\)"):
        run_stage("p1", "resampled", tmp_path / "resampled", tmp_path / "imported", "stop", work)


def test_an_unknown_policy(tmp_path):
    with pytest.raises(ConfigError, match="failed_cases: no such policy\n  found: ignore"):
        run_stage("p1", "imported", tmp_path / "out", None, "ignore", work)
