"""pix2pixHD and SPADE: a generator trained against a discriminator. nnU-Net finds this file by `nnUNet_extTrainer`."""

import torch

from afpbench.base import hardware
from afpbench.features.nnunet import load_checkpoint
from afpbench.generators import adversarial
from afpbench.training.trainers import nnUNetTrainerTranslation as translation


class ConstantThenLinear:
    """pix2pixHD's and SPADE's learning rate: constant in the first half of the epochs, then linearly towards 0."""

    def __init__(self, optimizers: list[torch.optim.Optimizer], rate: float, epochs: int):
        self.optimizers, self.rate, self.epochs = optimizers, rate, epochs

    def step(self, epoch: int) -> None:
        """Set the rate of an epoch, counted from 0."""
        constant = self.epochs // 2
        share = min(1.0, (self.epochs - epoch) / (self.epochs - constant))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate * share


class nnUNetTrainerAdversarial(translation.nnUNetTrainerTranslation):
    """The study's loss, plus the adversarial hinge and feature matching; one step of each network per batch.

    `train_loss` in the curves is the study's loss alone, as for other generators; the parts of the game have columns
    of their own. The checkpoint holds both networks and both optimisers.
    """

    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.options = plans["generator"]

    @property
    def game_precision(self) -> torch.dtype | None:
        return adversarial.game_dtype(self.precision)

    def initialize(self):
        """Both networks; with `init_from` both start from the other variant's weights."""
        # Here and not above: nnU-Net reads this file in every training, and MONAI takes its time.
        from afpbench.generators.discriminator import MultiScaleDiscriminator

        super().initialize()
        sizes = self.options["discriminator"]
        seen = self.num_input_channels + 1
        self.discriminator = MultiScaleDiscriminator(sizes["scales"], sizes["layers"], sizes["base_features"], seen)
        if self.settings["start"]:
            start = load_checkpoint(self.settings["start"])["afpbench"]["extra"]
            self.discriminator.load_state_dict(start["discriminator"], strict=True)
        self.discriminator.to(self.device)
        self.discriminator_optimizer = self._adam(self.discriminator)
        self.lr_scheduler = ConstantThenLinear(
            [self.optimizer, self.discriminator_optimizer], self.initial_lr, self.num_epochs
        )

    def configure_optimizers(self):
        return self._adam(self.network), None  # the scheduler serves both networks: see initialize

    def _adam(self, network) -> torch.optim.Adam:
        betas = tuple(self.settings["training"]["adam_betas"])
        return torch.optim.Adam(network.parameters(), self.initial_lr, betas, weight_decay=self.weight_decay)

    def on_train_start(self):
        super().on_train_start()
        if self.device.type == "cpu":
            self.discriminator.to(memory_format=torch.channels_last_3d)

    # --- steps

    def train_step(self, batch: dict) -> dict:
        batch = self._sent(batch)
        self.optimizer.zero_grad(set_to_none=True)
        total, terms, synthetic, real, _ = self._losses(batch)
        mr = self._unpack(batch)[0]
        game = self._generator_game(mr, synthetic, real)
        weights = {
            "adversarial": self.options["adversarial_weight"],
            "feature_matching": self.options["feature_matching_weight"],
        }
        self.step(total + sum(weight * game[name] for name, weight in weights.items()), batch["keys"])
        judged = self._discriminator_step(mr, synthetic.detach(), real, batch["keys"])
        self.iteration += 1
        for name, value in {**terms, **game, **judged}.items():
            self.term_sums[name] = self.term_sums.get(name, 0.0) + float(value.detach())
        return {"loss": total.detach().float().cpu().numpy()}

    def _generator_game(self, mr, synthetic, real) -> dict[str, torch.Tensor]:
        """What the discriminator makes of the synthetic CT; the gradient flows into the generator alone."""
        self.discriminator.requires_grad_(False)
        with hardware.autocast(self.device.type, self.game_precision):
            with torch.no_grad():
                _, real_features = self.discriminator(mr, real)
            scores, features = self.discriminator(mr, synthetic)
        self.discriminator.requires_grad_(True)
        return {
            "adversarial": adversarial.adversarial(scores),
            "feature_matching": adversarial.feature_matching(features, real_features),
        }

    def _discriminator_step(self, mr, synthetic, real, keys) -> dict[str, torch.Tensor]:
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        with hardware.autocast(self.device.type, self.game_precision):
            real_scores, _ = self.discriminator(mr, real)
            synthetic_scores, _ = self.discriminator(mr, synthetic)
        losses = {
            "discriminator_real": adversarial.hinge_real(real_scores),
            "discriminator_synthetic": adversarial.hinge_synthetic(synthetic_scores),
        }
        self.step(
            losses["discriminator_real"] + losses["discriminator_synthetic"],
            keys,
            self.discriminator,
            self.discriminator_optimizer,
        )
        return losses

    # --- checkpoints

    def extra_state(self) -> dict:
        state = {key: value.contiguous() for key, value in self.discriminator.state_dict().items()}
        optimizer = self.discriminator_optimizer.state_dict()
        return {**super().extra_state(), "discriminator": state, "discriminator_optimizer": optimizer}

    def load_extra_state(self, state: dict) -> None:
        super().load_extra_state(state)
        self.discriminator.load_state_dict(state["discriminator"], strict=True)
        self.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])
