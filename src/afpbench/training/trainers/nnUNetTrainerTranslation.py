"""The adapted nnU-Net: MR in, CT out, with any loss of the study. nnU-Net finds this file by `nnUNet_extTrainer`."""

from pathlib import Path

import numpy as np
import torch
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from afpbench.base import hardware
from afpbench.base.log import logger
from afpbench.features.nnunet import load_checkpoint
from afpbench.losses import LossContext, build_loss, check_gradient
from afpbench.study.label_names import label_regions
from afpbench.training import processes
from afpbench.training.augmentation import FillPadding, MRIntensityTransform, SpatialOfKnown, spatial_transforms
from afpbench.training.base import ResumableTrainer
from afpbench.training.judge import Judge, check_found
from afpbench.training.regions import LabelsToRegions
from afpbench.training.sampling import CentredDataset, check_present
from afpbench.training.whole_cases import columns, mean_of_cases, validate_cases
from afpbench.volumes import normalization

AIR_HU = -1024.0


class nnUNetTrainerTranslation(ResumableTrainer):
    """nnU-Net's network with one linear output channel, trained on the study's loss.

    The data loader gives images of C + 1 channels, those of the normalised MR and then the normalised CT, and a target
    of 1 + R channels. The first is the body (1), and -1 where the patch leaves the volume or the CT has no data, also
    in part, in a patch that is turned: there the real CT stands in for the synthetic one, so that no loss sees a
    difference. The others are the regions that loss terms name. With `outside_hu` that goes for everything outside the
    body, and both CTs have that value there.
    """

    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.enable_deep_supervision = False
        self.ct_statistics = self.settings["ct_statistics"]
        outside_hu = self.settings["training"]["outside_hu"]
        self.bounded = outside_hu is not None  # the body is all that a loss sees
        self.outside = self._normalized(AIR_HU if outside_hu is None else outside_hu)
        self.regions = [self._values(names) for names in label_regions(self.settings["loss"])]

    @staticmethod
    def build_network_architecture(
        plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision=True
    ):
        """nnU-Net's architecture from the plans, with one output channel: the normalised CT."""
        return get_network_from_plans(
            configuration_manager.network_arch_class_name,
            configuration_manager.network_arch_init_kwargs,
            configuration_manager.network_arch_init_kwargs_req_import,
            num_input_channels,
            1,
            allow_init=True,
            deep_supervision=False,
        )

    def _build_loss(self):
        context = LossContext(
            ct_stats=self.ct_statistics,
            spacing_mm=tuple(self.configuration_manager.spacing),
            networks=self.settings["networks"],
            device=self.device,
        )
        return build_loss(self.settings["loss"], context)

    def _normalized(self, hu: float) -> float:
        return float(normalization.normalize_ct(np.array(hu), self.ct_statistics))

    def _values(self, names) -> list[int]:
        """The label values that names of the study stand for."""
        return sorted({value for name in names for value in self.settings["label_values"][name]})

    def get_tr_and_val_datasets(self):
        """nnU-Net's; where the study names structures for patches, with those structures as the foreground."""
        train, validation = super().get_tr_and_val_datasets()
        self.validation_cases = validation
        sampling, values = self.settings["training"]["patch_sampling"], self.settings["label_values"]
        check_present(train, values, f"{self.settings['name']}: structures of patch sampling and loss regions")
        if isinstance(sampling, str):
            return train, validation
        structures = {name: values[name] for name in sampling}
        seed = self.settings["seed"]
        return CentredDataset(train, structures, seed), CentredDataset(validation, structures, seed)

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self):
        result = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        rotation, dummy_2d, initial_patch_size, _ = result
        self.inference_allowed_mirroring_axes = None
        if self.settings["training"]["augmentation"] == "none":
            initial_patch_size = self.configuration_manager.patch_size
        return rotation, dummy_2d, initial_patch_size, ()

    def get_training_transforms(
        self, patch_size, rotation_for_DA, deep_supervision_scales, mirror_axes, do_dummy_2d_data_aug, **kwargs
    ):
        """nnU-Net's rotation and scaling on MR and CT together; its intensity changes, if asked, on the MR alone."""
        augmentation = self.settings["training"]["augmentation"]
        transforms = [LabelsToRegions(self.regions), FillPadding()]
        if augmentation != "none":
            spatial = spatial_transforms(patch_size, rotation_for_DA, do_dummy_2d_data_aug)
            transforms.append(SpatialOfKnown(spatial))
        if augmentation == "full":
            transforms.append(MRIntensityTransform())
        return ComposeTransforms(transforms)

    def get_validation_transforms(self, *args, **kwargs):
        return ComposeTransforms([LabelsToRegions(self.regions), FillPadding()])

    def initialize(self):
        """nnU-Net's, then the first weights of another variant where the study says so."""
        super().initialize()
        if learnable := self.loss.learnable():
            plain = {"momentum": 0.0, "nesterov": False} if "momentum" in self.optimizer.defaults else {}
            self.optimizer.add_param_group({"params": learnable, "weight_decay": 0.0, **plain})
        if self.settings["start"]:
            weights = load_checkpoint(self.settings["start"])["network_weights"]
            self.bare_network.load_state_dict(weights, strict=True)

    def set_deep_supervision_enabled(self, enabled: bool):
        """There is one output; nothing to switch."""

    def on_train_start(self):
        super().on_train_start()
        self.term_sums: dict[str, float] = {}
        self.unchecked = set(self.loss.terms)
        self.judge = self._open_judge()

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        if self.is_ddp:  # what terms remember of their first patches: those of rank 0, in every process
            self.loss.load_learned_state(processes.gather(self.loss.learned_state())[0])

    # --- steps

    def _sent(self, batch: dict) -> dict:
        """The batch with its tensors on the trainer's device: each copied once, whole and as the loader pinned it."""
        return batch | {key: batch[key].to(self.device, non_blocking=True) for key in ("data", "target")}

    def _unpack(self, batch: dict) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """MR (B, C, z, y, x), real CT (air or `outside_hu` where it is not valid) and the valid region, both
        (B, 1, z, y, x).

        Valid is where the CT has data, and with `outside_hu` the body alone.
        """
        body = batch["target"][:, :1]
        valid = body > 0 if self.bounded else body >= 0
        mr, ct = batch["data"][:, :-1], batch["data"][:, -1:]
        ct = torch.where(valid, ct, torch.full_like(ct, self.outside))
        if self.device.type == "cpu":
            mr = mr.contiguous(memory_format=torch.channels_last_3d)
        return mr, ct, valid

    def _losses(self, batch: dict):
        mr, real, valid = self._unpack(batch)
        with hardware.autocast(self.device.type, self.precision):
            synthetic = self.network(mr)
            synthetic = torch.where(valid, synthetic.float(), real)
            mask = batch["target"]
            if self.unchecked and torch.is_grad_enabled() and valid.any():
                self.unchecked -= set(check_gradient(self.loss, synthetic.detach(), real, mask, self.unchecked))
            total, terms = self.loss(synthetic, real, mask)
        return total, terms, synthetic, real, valid

    def train_step(self, batch: dict) -> dict:
        self.optimizer.zero_grad(set_to_none=True)
        total, terms, *_ = self._losses(self._sent(batch))
        self.step(total, batch["keys"])
        self.iteration += 1
        for name, value in terms.items():
            self.term_sums[name] = self.term_sums.get(name, 0.0) + float(value)
        return {"loss": total.detach().float().cpu().numpy()}

    def validation_step(self, batch: dict) -> dict:
        batch = self._sent(batch)
        total, _, synthetic, real, valid = self._losses(batch)
        body = batch["target"][:, :1] > 0
        count = body.sum().clamp(min=1)
        difference = (synthetic - real) * self.ct_statistics["std_hu"] * body
        return {
            "loss": total.float().cpu().numpy(),
            "mae": (difference.abs().sum() / count).cpu().numpy(),
            "me": (difference.sum() / count).cpu().numpy(),
        }

    @property
    def own_cases(self) -> list[str]:
        """The validation cases that this process takes."""
        return list(self.validation_cases.identifiers[processes.rank() :: processes.count()])

    def _open_judge(self) -> Judge | None:
        """The segmenters that judge whole validation cases, where the study asks for structures.

        They see the real CT first: what cannot be judged by stops the training before its first iteration.
        """
        if "judge" not in self.settings:
            return None
        folder = Path(self.output_folder) / "real_segmentations"
        judge = Judge(self.settings["judge"], folder, self.device.type, torch.get_num_threads())
        found = processes.gather(judge.in_real(self.own_cases))
        check_found((name for part in found for name in part), judge.structures, self.settings["name"])
        return judge

    def _whole_cases(self) -> dict[str, float | None]:
        """What whole validation cases say, in the epochs that the study asks for; without values in others."""
        every = self.settings["training"]["validate_cases_every_epochs"]
        done = self.current_epoch + 1
        if not every:
            return {}
        if done % every and done != self.num_epochs:
            return dict.fromkeys(columns(self.judge))
        found = validate_cases(
            self.bare_network.eval(),
            self.validation_cases,
            self.own_cases,
            tuple(self.configuration_manager.patch_size),
            self.ct_statistics,
            self.device,
            self.precision,
            self.judge,
        )
        return mean_of_cases([metrics for part in processes.gather(found) for metrics in part], self.judge)

    def on_validation_epoch_end(self, val_outputs: list[dict]):
        for key in ("mae", "me"):
            setattr(self, f"validation_{key}_hu", float(np.mean([output[key] for output in val_outputs])))
        loss = float(np.mean([output["loss"] for output in val_outputs]))
        self.logger.log("val_losses", loss, self.current_epoch)

    def perform_actual_validation(self, save_probabilities: bool = False):
        """Nothing: `nnUNetv2_train` asks for label maps of the validation cases, and this network makes none."""

    def extra_state(self) -> dict:
        return {**super().extra_state(), "loss": self.loss.learned_state()}

    def load_extra_state(self, state: dict) -> None:
        super().load_extra_state(state)
        self.loss.load_learned_state(state["loss"])

    def epoch_values(self) -> dict[str, float | None]:
        values = super().epoch_values()
        for name, total in self.term_sums.items():
            values[f"train_{name}"] = total / self.num_iterations_per_epoch
        self.term_sums = {}
        if self.unchecked:
            logger.warning("%s: no patch has shown the region of %s", self.settings["name"], ", ".join(self.unchecked))
        values |= {f"weight_{name}": weight for name, weight in self.loss.layer_weights().items()}
        values["validation_mae_hu"] = self.validation_mae_hu
        values["validation_me_hu"] = self.validation_me_hu
        values |= self._whole_cases()
        return values
