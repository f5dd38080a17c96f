"""nnU-Net's segmentation training of a MedicalNet. nnU-Net finds this file by `nnUNet_extTrainer`."""

import torch

# As a module: nnU-Net looks for trainers by the names that a file holds.
import afpbench.training.trainers.nnUNetTrainerStudy as study
from afpbench.training.medicalnet import MedicalNetSegmenter


class nnUNetTrainerMedicalNet(study.nnUNetTrainerStudy):
    """The study's segmentation training with MedicalNet's ResNet in place of a U-Net: one output, in the whole size."""

    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.enable_deep_supervision = False

    @staticmethod
    def build_network_architecture(
        plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision=True
    ):
        """MedicalNet's ResNet of the depth that the settings say, with its segmentation head."""
        return MedicalNetSegmenter(plans_manager.plans["afpbench"]["depth"], num_output_channels)

    def set_deep_supervision_enabled(self, enabled: bool):
        """There is one output; nothing to switch."""
