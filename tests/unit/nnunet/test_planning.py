import json

import numpy as np
import pytest
from conftest import GRID, PLANNER, SPLITS

from afpbench.base.errors import DataError
from afpbench.nnunet import environment, planning
from afpbench.volumes import io


def raw_dataset(root, prepared_cases, channel="MR"):
    environment.use_nnunet(raw=root / "raw", preprocessed=root / "preprocessed", augmentation_processes=1)
    planning.write_raw_dataset(
        root / "raw" / "Dataset001_test",
        {case: [prepared_cases[case] / "mr.nii.gz"] for case in SPLITS["train"]},
        {case: prepared_cases[case] / "mask.nii.gz" for case in SPLITS["train"]},
        [channel],
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
        planning.write_raw_dataset(tmp_path / "Dataset001_test", {"p1": [tmp_path]}, {}, ["MR"], {"body": 1})


def test_no_case_at_all(tmp_path):
    with pytest.raises(DataError, match="found: 0 images, 0 label maps"):
        planning.write_raw_dataset(tmp_path / "Dataset001_test", {}, {}, ["MR"], {"body": 1})


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


def test_statistics_are_of_the_foreground_and_of_fewer_values_than_nnunets(plan, tmp_path, prepared_cases, monkeypatch):
    """Of as many of each case."""
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor

    drawn, analyze = [], DatasetFingerprintExtractor.analyze_case

    def counted(images, labels, reader, samples):
        drawn.append(samples)
        return analyze(images, labels, reader, samples)

    monkeypatch.setattr(DatasetFingerprintExtractor, "analyze_case", staticmethod(counted))
    plan()
    assert drawn == [10_000_000 // 3] * 3
    plans = json.loads((tmp_path / "preprocessed" / "Dataset001_test" / "nnUNetPlans.json").read_text())
    found = plans["foreground_intensity_properties_per_channel"]["0"]
    inside = []
    for case in SPLITS["train"]:
        mr, mask = (io.read(prepared_cases[case] / f"{name}.nii.gz").array for name in ("mr", "mask"))
        inside.append(mr[mask > 0])
    mean = np.mean([values.mean() for values in inside])
    sd = np.sqrt(np.mean([((values - mean) ** 2).mean() for values in inside]))
    assert (found["mean"], found["std"]) == pytest.approx((mean, sd), rel=1e-3)
    assert found["max"] == max(values.max() for values in inside)


def test_the_memory_budget_decides_the_patch(plan):
    small, large = (np.prod(plan(memory_gb=budget)["patch_size"]) for budget in (0.003, 8))
    assert small < large
    assert large >= 0.8 * np.prod(GRID.shape)


RESENC = {8: "nnUNetPlannerResEncM", 24: "nnUNetPlannerResEncL", 40: "nnUNetPlannerResEncXL"}


@pytest.mark.parametrize("memory_gb", RESENC)
def test_a_residual_encoder_is_what_nnunets_own_planner_plans(plan, memory_gb):
    """Of the same spacing and features; the memory it wants is the preset's."""
    from nnunetv2.experiment_planning.experiment_planners.residual_unets import residual_encoder_unet_planners

    found = plan(encoder="residual", memory_gb=memory_gb, base_features=4, max_features=8)
    name = RESENC[memory_gb]
    planner = getattr(residual_encoder_unet_planners, name)("Dataset001_test", overwrite_target_spacing=GRID.spacing_mm)
    planner.UNet_base_num_features, planner.UNet_max_features_3d = 4, 8
    expected = planner.plan_experiment()["configurations"]["3d_fullres"]
    assert found["architecture"] == json.loads(json.dumps(expected["architecture"]))
    assert found["patch_size"] == json.loads(json.dumps(expected["patch_size"], default=int))
    assert found["architecture"]["network_class_name"].endswith("ResidualEncoderUNet")
    assert found["architecture"]["arch_kwargs"]["n_blocks_per_stage"] == [1, 3, 4]


def test_presets_differ_in_the_memory_that_they_want():
    classes = {memory: planning._nnunet_planner({"encoder": "residual", "memory_gb": memory}) for memory in (8, 24, 40)}
    assert {memory: cls.__name__ for memory, cls in classes.items()} == RESENC
    assert planning._nnunet_planner({"encoder": "residual", "memory_gb": 11}).__name__ == "ResEncUNetPlanner"


def test_depths_of_ones_own(plan):
    changes = {"encoder": "residual", "base_features": 4, "residual_blocks": [1, 2], "decoder_blocks": [3]}
    arguments = plan([16, 16, 16], **changes)["architecture"]["arch_kwargs"]
    assert arguments["n_blocks_per_stage"] == [1, 2, 2][: arguments["n_stages"]]
    assert arguments["n_conv_per_stage_decoder"] == [3] * (arguments["n_stages"] - 1)
