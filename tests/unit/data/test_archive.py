import stat
import zipfile
from pathlib import Path

import pytest

from afpbench.base.errors import DataError
from afpbench.data import archive
from afpbench.study.kinds.sources import open_source

SOURCE = open_source({"source": "synthrad2023", "region": "pelvis"}, Path())


def zipped(tmp_path, *extra):
    path = tmp_path / "Task1.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for case in ("1PA001", "1PA004"):
            for role in ("mr", "ct", "mask"):
                target.writestr(f"Task1/pelvis/{case}/{role}.nii.gz", f"{case} {role}")
        target.writestr("Task1/pelvis/overview/1PA001_train.png", "picture")
        for name, content in extra:
            target.writestr(name, content)
    return path


def unpack(path, tmp_path, case="1PA001"):
    archive.unpack_case(path, SOURCE.members(case), case, tmp_path / "out" / case)
    return {file.name: file.read_text() for file in (tmp_path / "out" / case).iterdir()}


def refusal(tmp_path, *extra):
    with pytest.raises(DataError) as error:
        unpack(zipped(tmp_path, *extra), tmp_path)
    assert not (tmp_path / "out").exists()
    return str(error.value)


def test_one_case_is_unpacked(tmp_path):
    assert unpack(zipped(tmp_path), tmp_path) == {f"{role}.nii.gz": f"1PA001 {role}" for role in ("mr", "ct", "mask")}


def test_a_case_that_is_not_in_it(tmp_path):
    with pytest.raises(
        DataError, match="case 1PC000: Task1.zip has no Task1/pelvis/1PC000/mr.nii.gz\n  found: 7 members"
    ):
        unpack(zipped(tmp_path), tmp_path, "1PC000")


@pytest.mark.parametrize("name", ["../evil", "Task1/../../evil", "/etc/evil", "Task1\\..\\evil", "C:/evil"])
def test_members_that_lead_out(tmp_path, name):
    message = refusal(tmp_path, (name, "x"))
    assert "a member that is not safe to unpack" in message
    assert "its name leads out of the archive's folder" in message


def test_a_link(tmp_path):
    link = zipfile.ZipInfo("Task1/pelvis/1PA001/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "'Task1/pelvis/1PA001/link': it is a symbolic link" in refusal(tmp_path, (link, "/etc/passwd"))


def test_a_bomb(tmp_path, monkeypatch):
    assert "it would unpack to 3000000 bytes from" in refusal(tmp_path, ("Task1/zeros", bytes(3_000_000)))
    monkeypatch.setattr(archive, "LARGEST_MEMBER_BYTES", 2_000_000)
    assert "it would unpack to 0.0 GB" in refusal(tmp_path, ("Task1/zeros", bytes(3_000_000)))


def test_a_file_that_is_no_archive(tmp_path):
    path = zipped(tmp_path)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match="cannot unpack .*Task1.zip\n  found: File is not a zip file"):
        unpack(path, tmp_path)
