from pathlib import Path

import pytest

from afpbench.base.errors import ConfigError, DataError
from afpbench.prediction.cases import by_channel, find_cases
from afpbench.prediction.output import Output


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_files_folders_and_series(tmp_path):
    files = [tmp_path / "one" / name for name in ("a.nii.gz", "b.mha", ".hidden.nii.gz", "notes.txt")]
    series = [tmp_path / "series" / f"IM{number}" for number in range(2)]
    many = [tmp_path / "many" / case / "IM0" for case in ("p1", "p2")]
    touch(*files, *series, *many)
    assert find_cases([tmp_path / "one" / "a.nii.gz"]) == {"a": files[0]}
    assert find_cases([tmp_path / "one", tmp_path / "series"]) == {
        "a": files[0], "b": files[1], "series": tmp_path / "series",
    }  # fmt: skip
    assert find_cases([tmp_path / "many"]) == {case: tmp_path / "many" / case for case in ("p1", "p2")}


def test_nothing_there_and_one_name_twice(tmp_path):
    touch(tmp_path / "x" / "a.nii.gz", tmp_path / "y" / "a.mha")
    with pytest.raises(DataError, match="--mr: two MRs are called 'a'"):
        find_cases([tmp_path / "x", tmp_path / "y"])
    with pytest.raises(DataError, match="--mr: no such file or folder"):
        find_cases([tmp_path / "z"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="--mr: nothing in"):
        find_cases([tmp_path / "empty"])


def test_channels_are_paired_by_the_names_of_the_cases():
    t1, t2 = {"a": Path("t1/a.mha"), "b": Path("t1/b.mha")}, {"b": Path("t2/b.nii"), "a": Path("t2/a.nii")}
    assert by_channel([t1]) == {"a": [t1["a"]], "b": [t1["b"]]}
    assert by_channel([t1, t2]) == {"a": [t1["a"], t2["a"]], "b": [t1["b"], t2["b"]]}
    assert by_channel([{"x_t1": Path("p")}, {"x_t2": Path("q")}]) == {"x_t1": [Path("p"), Path("q")]}
    with pytest.raises(DataError, match="the cases of channel 2 are not those of the first\n  found: .*: b, c"):
        by_channel([t1, {"a": Path("t2/a.nii"), "c": Path("t2/c.nii")}])


def test_where_each_case_goes(tmp_path):
    mr = tmp_path / "a.nii.gz"
    touch(mr)
    assert Output(tmp_path / "out", {"a": [mr]}).places == {"a": tmp_path / "out" / "a.nii.gz"}
    assert Output(tmp_path / "sct.mha", {"a": [mr]}).places == {"a": tmp_path / "sct.mha"}
    assert Output(tmp_path / "out", {"a": [mr]}, dicom=True).places == {"a": tmp_path / "out" / "a"}
    with pytest.raises(ConfigError, match="would take the place of its MR"):
        Output(tmp_path, {"a": [mr]})
    with pytest.raises(ConfigError, match="the name of one image file, for 2 MRs"):
        Output(tmp_path / "sct.mha", {"a": [mr], "b": [mr]})
    with pytest.raises(ConfigError, match="for DICOM series"):
        Output(tmp_path / "sct.mha", {"a": [mr]}, dicom=True)
    with pytest.raises(ConfigError, match="--keep-identity: only DICOM holds an identity"):
        Output(tmp_path / "out", {"a": [mr]}, keep_identity=True)
