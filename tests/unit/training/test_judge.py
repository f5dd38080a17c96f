"""Structures in validation: what the judge sees and counts, and a training whose epochs it ranks."""

import logging
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import write_prepared
from nnunet_folder import make_folder

from afpbench.base.errors import TrainingError
from afpbench.training import best, judge
from afpbench.training.judge import Judge, check_found, dice, judge_files, mean_dice, undisturbed
from afpbench.volumes import io

STRUCTURES = {
    "bones": {"segmenter": "thresholds", "labels": [1]},
    "air": {"segmenter": "thresholds", "labels": [2]},
    "dense": {"segmenter": "other", "labels": [1, 3]},
}


class Thresholds:
    """Segments by HU: 1 above 300, 2 below -500. Remembers the images that it saw."""

    def __init__(self):
        self.seen = []

    def open(self, folder, device, threads):
        random.random(), np.random.rand(), torch.rand(1)
        torch.set_num_threads(threads)
        return self

    def __call__(self, ct):
        torch.rand(1)
        self.seen.append(ct.array)
        return np.select([ct.array > 300, ct.array < -500], [1, 2], 0).astype(np.uint8)


@pytest.fixture
def case(tmp_path):
    """A prepared case: in the body soft tissue but for eight voxels of bone; no air inside the mask."""
    folder = write_prepared(tmp_path / "p9", seed=9)
    ct = io.read(folder / "ct.nii.gz")
    hu = np.where(ct.array > -500, 40, ct.array)
    mask = io.read(folder / "mask.nii.gz").array
    hu[(mask != 0) & (hu < -500)] = 40
    hu[hu > 300] = 40
    hu[10, 12, 10:18] = 700
    io.write(ct.with_array(hu.astype(np.int16)), folder / "ct.nii.gz")
    return folder


@pytest.fixture
def segmenters(monkeypatch):
    made = {"thresholds": Thresholds(), "other": Thresholds()}
    monkeypatch.setattr(judge, "SEGMENTERS", SimpleNamespace(make=lambda options: made[options["name"]]))
    return made


def opened(case, tmp_path, structures=STRUCTURES):
    specs = {name: {"options": {"name": name}, "folder": "weights", "weights": []} for name in ("thresholds", "other")}
    options = {"structures": structures, "segmenters": specs, "cases": {"p9": str(case)}}
    return Judge(options, tmp_path / "real", "cpu", 1)


def test_the_dice_of_structures_inside_the_mask(case, segmenters, tmp_path):
    """Of eight voxels of bone four are found, with two others: 2 * 4 / (8 + 6). Bone beyond the mask is not counted."""
    hu = np.full((20, 24, 28), 40.4, np.float32)
    hu[10, 12, 14:20] = 700
    hu[10, 0] = 700  # outside the body
    opinion = opened(case, tmp_path)("p9", hu)
    assert opinion == {"bones": pytest.approx(8 / 14), "air": None, "dense": pytest.approx(8 / 14)}
    (image,) = {seen.tobytes(): seen for seen in segmenters["thresholds"].seen[:1]}.values()
    assert image.dtype == np.int16 and image[10, 12, 12] == 40 and image[10, 12, 14] == 700
    assert image[10, 0, 0] == -1024  # air, as in the synthesis


def test_the_real_ct_is_segmented_once(case, segmenters, tmp_path):
    first = opened(case, tmp_path)
    assert first.in_real(["p9"]) == ["bones", "dense"] and first.in_real([]) == []
    hu = np.zeros((20, 24, 28), np.float32)
    for _ in range(2):
        first("p9", hu)
    assert len(segmenters["thresholds"].seen) == 3  # the real one, and two synthetic ones
    opened(case, tmp_path)("p9", hu)  # of a resumed training
    assert len(segmenters["thresholds"].seen) == 4
    assert sorted(path.name for path in (tmp_path / "real").rglob("*.nii.gz")) == ["p9.nii.gz"] * 2


def test_no_random_number_is_drawn(case, segmenters, tmp_path):
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    opened(case, tmp_path)("p9", np.zeros((20, 24, 28), np.float32))
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_threads_are_put_back():
    threads = torch.get_num_threads()
    with undisturbed():
        torch.set_num_threads(threads + 1)
    assert torch.get_num_threads() == threads


def test_dice():
    one, other = np.array([1, 1, 1, 0], bool), np.array([0, 1, 1, 1], bool)
    assert dice(one, other) == pytest.approx(4 / 6)
    assert dice(one, np.zeros(4, bool)) == 0.0
    assert dice(np.zeros(4, bool), other) is None


def test_means_are_over_the_cases_that_show_a_structure_and_then_over_structures():
    found = [{"a": 0.5, "b": None, "c": None}, {"a": 1.0, "b": 0.25, "c": None}]
    assert mean_dice(found, ["a", "b", "c"]) == {
        "case_dice": 0.5, "case_dice_a": 0.75, "case_dice_b": 0.25, "case_dice_c": None,
    }  # fmt: skip


def test_structures_that_no_case_shows(caplog):
    with caplog.at_level(logging.WARNING, logger="afpbench"):
        check_found(["a"], ["a", "b"], "thorax/l1")
    assert caplog.messages == ["thorax/l1: the real CT of no validation case shows b"]
    with pytest.raises(TrainingError, match=r"(?s)thorax/l1: nothing to judge.*no voxel of a, b in"):
        check_found([], ["a", "b"], "thorax/l1")


def test_the_files_that_a_judge_depends_on(case, tmp_path):
    folder = make_folder(tmp_path / "model")
    options = {
        "segmenters": {"a": {"weights": [str(folder)]}, "b": {"weights": [str(case / "ct.nii.gz")]}},
        "cases": {"p9": str(case), "failed": str(tmp_path)},
    }
    name = folder.name
    assert {key: path.name for key, path in judge_files(options).items()} == {
        f"judge a: {name}/dataset.json": "dataset.json",
        f"judge a: {name}/fold_0/checkpoint_final.pth": "checkpoint_final.pth",
        f"judge a: {name}/plans.json": "plans.json",
        "judge b: ct.nii.gz": "ct.nii.gz",
        "judged p9: mr.nii.gz": "mr.nii.gz",
        "judged p9: ct.nii.gz": "ct.nii.gz",
        "judged p9: mask.nii.gz": "mask.nii.gz",
    }


def test_epochs_are_ranked_by_dice_then_by_mae_then_by_the_loss():
    assert best.measure_of({"validation_loss": 1, "case_mae_hu": None, "case_dice": None}) == "case_dice"
    assert best.measure_of({"validation_loss": 1, "case_mae_hu": None}) == "case_mae_hu"
    assert best.measure_of({"validation_loss": 1}) == "validation_loss"
    assert best.is_better("case_dice", 0.6, 0.5) and not best.is_better("case_dice", 0.5, 0.5)
    assert best.is_better("case_mae_hu", 70, 80) and not best.is_better("case_mae_hu", 80, 80)
