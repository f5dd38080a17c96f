import json

import numpy as np
import pytest
from conftest import GRID, PLANNER, SPLITS

from afpbench.base.errors import DataError
from afpbench.nnunet import environment, planning


def raw_dataset(root, prepared_cases, channel="MR"):
    environment.use_nnunet(raw=root / "raw", preprocessed=root / "preprocessed", augmentation_processes=1)
    planning.write_raw_dataset(
        root / "raw" / "Dataset001_test",
        {case: prepared_cases[case] / "mr.nii.gz" for case in SPLITS["train"]},
        {case: prepared_cases[case] / "mask.nii.gz" for case in SPLITS["train"]},
        channel,
        {"body": 1},
    )
    return root / "raw" / "Dataset001_test"


def test_the_raw_dataset_is_nnunets(tmp_path, prepared_cases):
    folder = raw_dataset(tmp_path, prepared_cases)
    raw_dataset(tmp_path, prepared_cases)  # a second time replaces the links
    assert sorted(path.name for path in (folder / "imagesTr").iterdir()) == [f"p{i}_0000.nii.gz" for i in (1, 2, 3)]
    assert (folder / "labelsTr" / "p2.nii.gz").resolve() == (prepared_cases["p2"] / "mask.nii.gz").resolve()
    assert json.loads((folder / "dataset.json").read_text()) == {
        "channel_names": {"0": "MR"},
        "labels": {"background": 0, "body": 1},
        "numTraining": 3,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
    }


def test_images_without_labels(tmp_path):
    with pytest.raises(DataError, match="training set Dataset001_test: images and labels do not pair up"):
        planning.write_raw_dataset(tmp_path / "Dataset001_test", {"p1": tmp_path}, {}, "MR", {"body": 1})


def test_no_case_at_all(tmp_path):
    with pytest.raises(DataError, match="found: 0 images, 0 label maps"):
        planning.write_raw_dataset(tmp_path / "Dataset001_test", {}, {}, "MR", {"body": 1})


@pytest.fixture
def plan(tmp_path, prepared_cases):
    raw_dataset(tmp_path, prepared_cases)

    def run(patch_size="auto", **changes):
        planning.plan("Dataset001_test", {**PLANNER, **changes}, patch_size, GRID.spacing_mm)
        written = json.loads((tmp_path / "preprocessed" / "Dataset001_test" / "nnUNetPlans.json").read_text())
        return written["configurations"]["3d_fullres"]

    return run


def test_the_studys_patch_features_and_batch_are_taken(plan):
    configuration = plan([8, 16, 24], base_features=6, max_features=10, batch_size=3)
    assert list(configuration["patch_size"]) == [8, 16, 24]
    assert list(configuration["spacing"]) == list(GRID.spacing_mm)
    assert configuration["batch_size"] == 3
    assert np.allclose(configuration["median_image_size_in_voxels"], GRID.shape)
    features = configuration["architecture"]["arch_kwargs"]["features_per_stage"]
    assert features[:2] == [6, 10] and max(features) == 10


def test_the_memory_budget_decides_the_patch(plan):
    small, large = (np.prod(plan(memory_gb=budget)["patch_size"]) for budget in (0.003, 8))
    assert small < large
    assert large >= 0.8 * np.prod(GRID.shape)
