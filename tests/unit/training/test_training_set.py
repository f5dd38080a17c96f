import hashlib
import json
import shutil

import numpy as np
import pytest
from conftest import GRID, PATCH, SPLITS

from afpbench.base.atomic import read_json
from afpbench.base.errors import DataError
from afpbench.nnunet import environment
from afpbench.training.training_set import DATASET, _labels, _save_case
from afpbench.volumes import io


@pytest.fixture
def dataset(training_set):
    return training_set[0] / DATASET


def stored(folder, case):
    environment.use_nnunet(preprocessed=folder.parent)
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    data, labels, _, properties = nnUNetDatasetBlosc2(str(folder / "nnUNetPlans_3d_fullres")).load_case(case)
    return np.asarray(data), np.asarray(labels), properties


def test_the_channels_are_the_normalised_mr_and_ct(dataset, training_set, prepared_cases):
    statistics = read_json(training_set[1])
    data, *_ = stored(dataset, "p2")
    mr, ct = (io.read(prepared_cases["p2"] / f"{name}.nii.gz").array for name in ("mr", "ct"))
    assert data.shape == (2, *GRID.shape) and data.dtype == np.float32
    assert np.allclose(data[0], (mr - mr.mean()) / mr.std(), atol=1e-4)
    clipped = np.clip(ct, statistics["ct"]["lower_hu"], statistics["ct"]["upper_hu"])
    assert np.allclose(data[1], (clipped - statistics["ct"]["mean_hu"]) / statistics["ct"]["std_hu"], atol=1e-5)


def test_labels_are_the_body_and_minus_one_without_ct(dataset, prepared_cases):
    _, labels, properties = stored(dataset, "p2")
    mask = io.read(prepared_cases["p2"] / "mask.nii.gz").array > 0
    assert labels.shape == (2, *GRID.shape)
    assert (labels[0, -1] == -1).all()
    assert np.array_equal(labels[0, :-1] == 1, mask[:-1]) and set(np.unique(labels[0])) == {-1, 0, 1}
    places = np.asarray(properties["class_locations"][1])
    assert len(places) and all(labels[0][tuple(place[1:])] == 1 for place in places[::50])


def test_the_second_channel_holds_the_labels_of_the_real_ct(dataset, prepared_cases):
    _, labels, properties = stored(dataset, "p2")
    assert np.array_equal(labels[1], io.read(prepared_cases["p2"] / "labels.nii.gz").array)
    assert properties["label_values"] == [0, 1, 2]


def test_a_case_without_labels(training_set, prepared_cases, tmp_path):
    folder = tmp_path / "p4" / "prepared"
    shutil.copytree(prepared_cases["p4"], folder)
    (folder / "labels.nii.gz").unlink()
    assert _labels("p4", folder, GRID.shape).tolist() == np.zeros(GRID.shape).tolist()
    with_labels = save("p4", prepared_cases["p4"], read_json(training_set[1]), tmp_path / "with")
    assert save("p4", folder, read_json(training_set[1]), tmp_path / "without") != with_labels


def test_validation_cases_are_stored_and_split_off(dataset):
    assert json.loads((dataset / "splits_final.json").read_text()) == [{"train": ["p1", "p2", "p3"], "val": ["p4"]}]
    assert stored(dataset, "p4")[0].shape == (2, *GRID.shape)


def test_nothing_of_the_validation_case_reaches_the_plan(dataset):
    fingerprint = json.loads((dataset / "dataset_fingerprint.json").read_text())
    assert len(fingerprint["shapes_after_crop"]) == len(SPLITS["train"])
    assert (
        list(json.loads((dataset / "nnUNetPlans.json").read_text())["configurations"]["3d_fullres"]["patch_size"])
        == PATCH
    )


def save(case, prepared, statistics, out):
    out.mkdir()
    return _save_case(case, prepared, statistics, PATCH, out, seed=1)


def test_the_digest_follows_the_content(training_set, prepared_cases, tmp_path):
    statistics, folder = read_json(training_set[1]), tmp_path / "p4" / "prepared"
    shutil.copytree(prepared_cases["p4"], folder)
    first, again = (save("p4", folder, statistics, tmp_path / name) for name in ("first", "again"))
    assert first == again
    ct = io.read(folder / "ct.nii.gz")
    ct.array[5, 12, 14] += 50
    io.write(ct, folder / "ct.nii.gz")
    assert save("p4", folder, statistics, tmp_path / "changed") != first
    other = {**statistics, "ct": {**statistics["ct"], "mean_hu": 0.0}}
    assert save("p4", prepared_cases["p4"], other, tmp_path / "other") != first


def test_the_sets_digest_is_that_of_its_cases(training_set, prepared_cases, tmp_path):
    statistics, digest = read_json(training_set[1]), hashlib.sha256()
    for case in [*SPLITS["train"], *SPLITS["validation"]]:
        digest.update(save(case, prepared_cases[case], statistics, tmp_path / case))
    assert read_json(training_set[0] / DATASET / "digest.json") == {"sha256": digest.hexdigest()}


def test_an_mr_without_contrast(training_set, prepared_cases, tmp_path):
    shutil.copytree(prepared_cases["p4"], tmp_path / "p4" / "prepared")
    mr = io.read(tmp_path / "p4" / "prepared" / "mr.nii.gz")
    io.write(mr.with_array(np.zeros_like(mr.array)), tmp_path / "p4" / "prepared" / "mr.nii.gz")
    with pytest.raises(DataError, match="an MR without contrast"):
        save("p4", tmp_path / "p4" / "prepared", read_json(training_set[1]), tmp_path / "out")
