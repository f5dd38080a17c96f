import hashlib
import json
import os
import stat
import subprocess

import pytest

from afpbench.base import atomic
from afpbench.base.errors import DataError


def test_a_file_appears_whole_under_its_name(tmp_path):
    with atomic.atomic_path(tmp_path / "deep" / "a.nii.gz") as temporary:
        assert temporary.parent == tmp_path / "deep"
        assert temporary.name.endswith("a.nii.gz")  # writers choose the format by the extension
        temporary.write_text("whole")
        assert not (tmp_path / "deep" / "a.nii.gz").exists()
    assert (tmp_path / "deep" / "a.nii.gz").read_text() == "whole"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.nii.gz"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="full"), atomic.atomic_path(target) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError("the disk is full")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_on_a_new_file_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic.atomic_path(tmp_path / "a.txt"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_files_get_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        atomic.write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_json_round_trip_keeps_order_and_umlauts(tmp_path):
    content = {"z": [1, 2.5, None], "a": {"Größe": "µm"}}
    atomic.write_json(tmp_path / "a.json", content)
    assert atomic.read_json(tmp_path / "a.json") == content
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.index('"z"') < text.index('"a"') and "Größe" in text and text.endswith("\n")
    assert json.loads(text) == content


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_is_not_json_and_keeps_the_old_file(tmp_path, value):
    atomic.write_json(tmp_path / "a.json", {"dice": 1.0})
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(tmp_path / "a.json", {"dice": value})
    assert atomic.read_json(tmp_path / "a.json") == {"dice": 1.0}


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"afpbench" * 100_000)
    assert atomic.sha256_of(tmp_path / "a") == hashlib.sha256(b"afpbench" * 100_000).hexdigest()


def test_a_full_disk(full_disk):
    atomic.write_json(full_disk / "before.json", {"a": 1})
    with pytest.raises(DataError, match="cannot write .*big.txt\n  found: No space left on device(?s:.)*make room"):
        atomic.write_text(full_disk / "big.txt", "x" * 400_000)
    assert [path.name for path in full_disk.iterdir()] == ["before.json"]


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot write .*a.txt\n  found: Not a directory(?s:.)*`results` names another"):
        atomic.write_text(tmp_path / "file" / "sub" / "a.txt", "x")


def test_a_folder_that_is_not_writable(full_disk):
    assert subprocess.run(["mount", "-o", "remount,ro", str(full_disk)]).returncode == 0
    with pytest.raises(DataError, match="cannot write .*a.txt\n  found: Read-only file system"):
        atomic.write_text(full_disk / "a.txt", "x")
