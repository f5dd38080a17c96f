"""Every record is read by one reader, which names the file, what is wrong, and what has to run again."""

import pytest

from afpbench.base.atomic import write_json
from afpbench.base.errors import UnusableFile
from afpbench.study.records import SYNTHESIS, read_entries, read_record

WHOLE = {
    "prepared/case.json": {"case": "p1"},
    "prepared/failed.json": {"case": "p1", "stage": "import", "error": "cut off"},
    "registered/registration.json": {"case": "p1", "method": "rigid", "attempts": []},
    "splits/splits.json": {"train": ["p1"], "validation": [], "test": ["p2"]},
    "normalization/normalization.json": {"mr": {"scheme": "zscore"}, "ct": {"scheme": "range"}},
    "normalization/mr_range.json": {
        "cases": 2,
        "percentiles": [1, 50, 99],
        "spacing_mm": {"low": [1, 1, 1], "high": [3, 1, 1]},
        "extent_mm": {"low": [90, 200, 200], "high": [120, 240, 240]},
        "tilt_degrees": {"low": 0.0, "high": 12.5},
        "normalised": {"low": [-1, 0, 2], "high": [-1, 0.5, 3]},
    },
    "l1/calibration.json": {"slope": 1.0, "offset_hu": -3},
    "l1/records/0.json": {"cases": [{"case": "p1", "status": "ok"}]},
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_records(tmp_path, name):
    write_json(tmp_path / name, WHOLE[name] | {"more": None})
    assert read_record(tmp_path / name) == WHOLE[name] | {"more": None}


@pytest.mark.parametrize("name", WHOLE)
def test_without_one_key(tmp_path, name):
    for key in WHOLE[name]:
        write_json(tmp_path / name, {other: value for other, value in WHOLE[name].items() if other != key})
        with pytest.raises(UnusableFile, match=f"{key} is missing") as error:
            read_record(tmp_path / name)
        assert str(tmp_path / name) in str(error.value) and error.value.readable


def test_what_has_to_go_is_the_folder_where_one_job_makes_it_as_a_whole(tmp_path):
    for name, gone in (("prepared/case.json", "prepared"), ("l1/cost.json", "l1/cost.json")):
        write_json(tmp_path / name, {})
        with pytest.raises(UnusableFile) as error:
            read_record(tmp_path / name)
        assert f"or remove {tmp_path / gone} and run the study again" in str(error.value)


def test_a_record_that_is_not_there_is_not_to_blame(tmp_path):
    with pytest.raises(UnusableFile, match="No such file") as error:
        read_record(tmp_path / "splits.json")
    assert not error.value.readable


def test_entries_of_a_synthesis(tmp_path):
    path = tmp_path / "records" / "0.json"
    made = {"case": "p1", "status": "ok", "seconds": 1.5, "peak_memory_mb": 20, "shape": [1, 2, 3]}
    failed = {"case": "p2", "status": "failed: import: cut off"}
    write_json(path, {"cases": [failed, made]})
    assert read_entries(path, SYNTHESIS) == [failed, made]
    write_json(path, {"cases": [failed, made | {"shape": [1, 2, "3"]}]})
    with pytest.raises(UnusableFile, match=r"cases\[1\]\.shape\[2\] is text instead of a whole number"):
        read_entries(path, SYNTHESIS)
    assert len(read_entries(path)) == 2
