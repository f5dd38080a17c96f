"""nnU-Net's segmentation trainer with a study's short schedule. nnU-Net finds this file by `nnUNet_extTrainer`."""

import torch
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import DownsampleSegForDSTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform

from afpbench.base import hardware
from afpbench.training.augmentation import spatial_transforms
from afpbench.training.base import ResumableTrainer


class nnUNetTrainerStudy(ResumableTrainer):
    """nnU-Net's Dice + cross-entropy training, without mirroring: left and right are different structures."""

    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.enable_deep_supervision = True

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self):
        rotation, dummy_2d, initial_patch_size, _ = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        self.inference_allowed_mirroring_axes = None
        if self.settings["training"]["augmentation"] == "none":
            initial_patch_size = self.configuration_manager.patch_size
        return rotation, dummy_2d, initial_patch_size, None

    def get_training_transforms(
        self, patch_size, rotation_for_DA, deep_supervision_scales, mirror_axes, do_dummy_2d_data_aug, **kwargs
    ):
        """nnU-Net's own augmentation, or its spatial part alone, which costs a fraction of the time."""
        augmentation = self.settings["training"]["augmentation"]
        if augmentation == "full":
            return super().get_training_transforms(
                patch_size, rotation_for_DA, deep_supervision_scales, None, do_dummy_2d_data_aug, **kwargs
            )
        spatial = spatial_transforms(patch_size, rotation_for_DA, do_dummy_2d_data_aug)
        transforms = [*(spatial if augmentation == "spatial" else []), RemoveLabelTansform(-1, 0)]
        if self.enable_deep_supervision:
            transforms.append(DownsampleSegForDSTransform(ds_scales=deep_supervision_scales))
        return ComposeTransforms(transforms)

    def train_step(self, batch: dict) -> dict:
        data = batch["data"].to(self.device, non_blocking=True)
        target = batch["target"]
        if self.enable_deep_supervision:
            target = [part.to(self.device, non_blocking=True) for part in target]
        else:
            target = target.to(self.device, non_blocking=True)
        self.optimizer.zero_grad(set_to_none=True)
        with hardware.autocast(self.device.type, self.precision):
            loss = self.loss(self.network(data), target)
        self.step(loss, batch["keys"])
        self.iteration += 1
        return {"loss": loss.detach().float().cpu().numpy()}

    def epoch_values(self) -> dict[str, float | None]:
        values = super().epoch_values()
        values["validation_dice"] = self.logger.get_value("mean_fg_dice", step=-1)
        return values

    def checkpoint_trainer_name(self) -> str:
        """Network and inference are nnUNetTrainer's own: a folder that says so opens everywhere, without afpbench."""
        return "nnUNetTrainer"
