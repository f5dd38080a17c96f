import logging
import os
import random

import numpy as np
import pytest
import torch

from afpbench.training import checkpoints


def content(value):
    return {"network_weights": {"w": torch.full((3,), float(value))}, "current_epoch": value, "curves": [{"loss": 0.5}]}


def value_at(path):
    return checkpoints.load(path)["current_epoch"]


@pytest.fixture
def warnings(caplog):
    """The warnings of afpbench's logger."""
    with caplog.at_level(logging.WARNING, logger="afpbench"):
        yield caplog


def test_a_checkpoint_has_its_checksum_and_keeps_the_one_before(tmp_path):
    path = tmp_path / "fold_0" / "checkpoint_latest.pth"
    for value in (1, 2, 3):
        checkpoints.save(content(value), path)
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "checkpoint_latest.pth",
        "checkpoint_latest.pth.previous",
        "checkpoint_latest.pth.previous.sha256",
        "checkpoint_latest.pth.sha256",
    ]
    assert checkpoints.newest_intact(path) == path
    assert value_at(path) == 3
    assert value_at(path.with_name(path.name + ".previous")) == 2
    assert checkpoints.load(path)["network_weights"]["w"].tolist() == [3, 3, 3]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "without checksum"])
def test_a_corrupt_checkpoint_is_passed_over_with_a_warning(tmp_path, warnings, damage):
    path = tmp_path / "checkpoint_latest.pth"
    checkpoints.save(content(1), path)
    checkpoints.save(content(2), path)
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.with_name(path.name + ".sha256").unlink()
    found = checkpoints.newest_intact(path)
    assert found.name == "checkpoint_latest.pth.previous" and value_at(found) == 1
    assert f"checkpoint {path} is corrupt (its checksum does not hold)" in warnings.text


def test_no_intact_checkpoint(tmp_path, warnings):
    path = tmp_path / "checkpoint_latest.pth"
    assert checkpoints.newest_intact(path) is None
    assert warnings.text == ""
    checkpoints.save(content(1), path)
    path.write_bytes(b"half")
    assert checkpoints.newest_intact(path) is None
    assert "is corrupt" in warnings.text


def test_a_failed_write_leaves_the_last_checkpoint(tmp_path):
    path = tmp_path / "checkpoint_latest.pth"
    checkpoints.save(content(1), path)
    with pytest.raises(Exception, match="pickle|Can't get local"):
        checkpoints.save({"function": lambda: None}, path)
    assert checkpoints.newest_intact(path) == path and value_at(path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, path.name + ".sha256"]


@pytest.mark.parametrize("moment", range(5))
def test_a_kill_between_any_two_renames_loses_one_checkpoint_at_most(tmp_path, monkeypatch, moment):
    """The third save dies before its rename number `moment`; then training goes on from the second or the third."""
    path = tmp_path / "checkpoint_latest.pth"
    checkpoints.save(content(1), path)
    checkpoints.save(content(2), path)
    calls, replace = [], os.replace

    def dying(source, target):
        if len(calls) == moment:
            raise KeyboardInterrupt
        calls.append(target)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying)
        if moment < 4:
            with pytest.raises(KeyboardInterrupt):
                checkpoints.save(content(3), path)
        else:
            checkpoints.save(content(3), path)
    found = checkpoints.newest_intact(path)
    assert found is not None and value_at(found) == (3 if moment == 4 else 2)
    checkpoints.save(content(4), path)
    assert value_at(checkpoints.newest_intact(path)) == 4


def test_removing_takes_all_four_files(tmp_path):
    path = tmp_path / "checkpoint_latest.pth"
    checkpoints.remove(path)
    for value in (1, 2):
        checkpoints.save(content(value), path)
    (tmp_path / "checkpoint_final.pth").write_text("stays")
    checkpoints.remove(path)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint_final.pth"]


def draw():
    return random.random(), random.gauss(0, 1), np.random.normal(), np.random.rand(), torch.randn(2).tolist()


def test_the_generators_go_on_as_if_nothing_had_been(tmp_path):
    checkpoints.seed_everything(5)
    draw()  # leaves a second Gaussian value waiting in NumPy's and Python's generators
    checkpoints.save({"state": checkpoints.random_state()}, tmp_path / "a.pth")
    expected = [draw() for _ in range(3)]
    checkpoints.seed_everything(99)
    draw()
    checkpoints.set_random_state(checkpoints.load(tmp_path / "a.pth")["state"])
    assert [draw() for _ in range(3)] == expected


def test_a_seed_seeds_all_three():
    checkpoints.seed_everything(2**32 + 5)
    first = draw()
    checkpoints.seed_everything(2**32 + 5)
    assert draw() == first
    checkpoints.seed_everything(6)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    torch.save({"network_weights": Trap()}, tmp_path / "a.pth")
    with pytest.raises(Exception, match="weights_only|Weights only|Unsupported"):
        checkpoints.load(tmp_path / "a.pth")
    assert not (tmp_path / "trapped").exists()
