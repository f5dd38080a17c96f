"""Small nnU-Net v2 model folders for tests, laid out and saved as nnU-Net itself does."""

import json
from pathlib import Path

import numpy as np
import torch

from afpbench.nnunet.compat import ensure_torchvision_operators

UNET = "dynamic_network_architectures.architectures.unet."
CT_PROPERTIES = {
    "max": 1500.0, "mean": -250.0, "median": -100.0, "min": -1024.0,
    "percentile_00_5": -1000.0, "percentile_99_5": 900.0, "std": 420.0,
}  # fmt: skip


def make_plans(
    features=(4, 8),
    strides=None,
    kernels=None,
    spacing_mm=(3.0, 3.0, 3.0),
    residual=False,
    transpose=(0, 1, 2),
    normalization="CTNormalization",
    properties=None,
    patch_size=(16, 16, 16),
    configuration="3d_fullres",
    reader="SimpleITKIO",
):
    """plans.json of nnU-Net 2.3 and later. spacing_mm, strides and kernels are in the network's axes."""
    stages = len(features)
    blocks = {"n_blocks_per_stage": [1] * stages} if residual else {"n_conv_per_stage": [2] * stages}
    arguments = {
        "n_stages": stages,
        "features_per_stage": list(features),
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [list(k) for k in kernels] if kernels else [[3, 3, 3]] * stages,
        "strides": [list(s) for s in strides] if strides else [[1, 1, 1]] + [[2, 2, 2]] * (stages - 1),
        **blocks,
        "n_conv_per_stage_decoder": [1 if residual else 2] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    resampling = {}
    for what, order, is_seg in (("data", 3, False), ("seg", 1, True), ("probabilities", 1, False)):
        resampling[f"resampling_fn_{what}"] = "resample_data_or_seg_to_shape"
        resampling[f"resampling_fn_{what}_kwargs"] = {
            "is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None,
        }  # fmt: skip
    return {
        "dataset_name": "Dataset900_Test",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(spacing_mm),
        "original_median_shape_after_transp": [40, 40, 40],
        "image_reader_writer": reader,
        "transpose_forward": list(transpose),
        "transpose_backward": [list(transpose).index(axis) for axis in range(3)],
        "configurations": {
            configuration: {
                "data_identifier": f"nnUNetPlans_{configuration}",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": list(patch_size),
                "median_image_size_in_voxels": [40.0, 40.0, 40.0],
                "spacing": list(spacing_mm),
                "normalization_schemes": [normalization],
                "use_mask_for_norm": [False],
                **resampling,
                "architecture": {
                    "network_class_name": UNET + ("ResidualEncoderUNet" if residual else "PlainConvUNet"),
                    "arch_kwargs": arguments,
                    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                },
                "batch_dice": False,
            }
        },
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": properties or CT_PROPERTIES},
    }


def make_dataset(classes=3):
    """dataset.json with `classes` labels, the background included."""
    labels = {"background": 0} | {f"structure_{k}": k for k in range(1, classes)}
    return {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 5, "file_ending": ".nii.gz"}


def make_network(plans, dataset, configuration="3d_fullres", seed=0):
    """The plans' network with random weights, through nnU-Net's own functions."""
    ensure_torchvision_operators()
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(json.loads(json.dumps(plans)))
    resolved = manager.get_configuration(configuration)
    torch.manual_seed(seed)
    network = get_network_from_plans(
        resolved.network_arch_class_name,
        resolved.network_arch_init_kwargs,
        resolved.network_arch_init_kwargs_req_import,
        len(dataset["channel_names"]),
        manager.get_label_manager(dataset).num_segmentation_heads,
        deep_supervision=False,
    )
    return network.eval()


def make_checkpoint(network, plans, dataset, configuration="3d_fullres", trainer="nnUNetTrainer"):
    """The content of checkpoint_final.pth, with the keys and the kinds of values of nnUNetTrainer.save_checkpoint."""
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.99, nesterov=True)
    return {
        "network_weights": network.state_dict(),
        "optimizer_state": optimizer.state_dict(),
        "grad_scaler_state": None,
        "logging": {
            "mean_fg_dice": [np.float64(0.5)],
            "dice_per_class_or_region": [[np.float64(0.5), np.float32(0.4)]],
            "train_losses": [np.float32(0.1)],
            "lrs": [0.01],
            "epoch_start_timestamps": [1.0],
        },
        "_best_ema": np.float64(0.5),
        "current_epoch": 1,
        "init_args": {
            "plans": plans,
            "configuration": configuration,
            "fold": 0,
            "dataset_json": dataset,
            "device": torch.device("cpu"),
        },
        "trainer_name": trainer,
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }


def make_folder(root, classes=3, configuration="3d_fullres", folds=(0,), seed=0, **options) -> Path:
    """Write a model folder with random weights under `root`; options: those of make_plans. Returns its path."""
    plans = make_plans(configuration=configuration, **options)
    dataset = make_dataset(classes)
    return write_folder(root, plans, dataset, configuration, folds, seed)


def write_folder(root, plans, dataset, configuration="3d_fullres", folds=(0,), seed=0) -> Path:
    """Write a model folder with random weights for given plans."""
    folder = Path(root) / f"nnUNetTrainer__nnUNetPlans__{configuration}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    for number, fold in enumerate(folds):
        network = make_network(plans, dataset, configuration, seed + number)
        (folder / f"fold_{fold}").mkdir(exist_ok=True)
        checkpoint = make_checkpoint(network, plans, dataset, configuration)
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder
