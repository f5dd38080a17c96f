"""What both of our nnU-Net trainers share: settings from the plans, seeds, exact resume, cost, curves.

nnU-Net's own `run_training` drives them: epochs, learning-rate schedule, optimiser, data loaders and checkpoint
times are nnU-Net's. The settings travel in `plans["afpbench"]`, so that a model folder says how it was trained.
"""

import contextlib
import copy
import math
import os
import time
from pathlib import Path
from unittest import mock

import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as nnunet
from torch.nn.parallel import DistributedDataParallel

from ..base import hardware
from ..base.errors import TrainingError
from ..base.log import logger
from ..study import validation
from . import best, checkpoints, loading, processes


class ResumableTrainer(nnunet.nnUNetTrainer):
    """nnUNetTrainer with a study's settings, and checkpoints from which training goes on as if undisturbed."""

    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device):
        super().__init__(plans, configuration, fold, dataset_json, device)
        if device.type == "cpu":
            self.device = device  # nnU-Net takes several processes for several GPUs
        self.settings = plans["afpbench"]
        training = self.settings["training"]
        self.initial_lr = training["learning_rate"]
        self.weight_decay = training["weight_decay"]
        uniform = training["patch_sampling"] == "uniform"
        self.oversample_foreground_percent = 0.0 if uniform else training["foreground_oversampling"]
        self.num_iterations_per_epoch = min(training["iterations_per_epoch"], training["iterations"])
        self.num_epochs = validation.epochs(training)
        self.num_val_iterations_per_epoch = training["validation_iterations"]
        self.save_every = training["checkpoint_every_epochs"]
        self.precision = hardware.autocast_dtype(self.settings["precision"], self.device.type)
        if self.precision != torch.float16:
            self.grad_scaler = None
        self.curves: list[dict] = []
        self.best: dict | None = None  # epoch, value and weights of the best epoch, with `checkpoint: best`
        self.seconds_before = 0.0
        self.loop_seconds = 0.0
        self.peak_before_mb = 0.0
        self.iteration = 0
        self.began = time.monotonic()
        # init_args go into the checkpoint: only plain types, so that weights_only loading takes them.
        self.my_init_kwargs = {
            "plans": plans,
            "configuration": configuration,
            "fold": fold,
            "dataset_json": dataset_json,
        }

    def initialize(self):
        """nnU-Net's, whose distributed training takes networks on a CPU and with unused outputs too."""
        with contextlib.ExitStack() as changes:
            changes.enter_context(mock.patch.object(nnunet, "DDP", self._distributed))
            if self.device.type == "cpu":  # for which torch has no batch normalisation over processes
                batch_norm = torch.nn.SyncBatchNorm
                changes.enter_context(mock.patch.object(batch_norm, "convert_sync_batchnorm", lambda network: network))
            super().initialize()

    def _distributed(self, network: torch.nn.Module, device_ids: list[int]) -> DistributedDataParallel:
        devices = None if self.device.type == "cpu" else device_ids
        return DistributedDataParallel(network, device_ids=devices, find_unused_parameters=True)

    @property
    def bare_network(self) -> torch.nn.Module:
        """The network without nnU-Net's wrapper for several processes."""
        return self.network.module if self.is_ddp else self.network

    # --- the schedule

    def configure_optimizers(self):
        """nnU-Net's SGD with Nesterov momentum, or AdamW for short trainings; polynomial decay, the study's rates."""
        training, parameters = self.settings["training"], self.network.parameters()
        if training["optimizer"] == "adamw":
            optimizer = torch.optim.AdamW(parameters, self.initial_lr, weight_decay=self.weight_decay)
        else:
            optimizer = torch.optim.SGD(
                parameters,
                self.initial_lr,
                weight_decay=self.weight_decay,
                momentum=training["momentum"],
                nesterov=training["momentum"] > 0,
            )
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

    def on_train_start(self):
        state = checkpoints.random_state()
        loading.find_thread_pools_once()
        super().on_train_start()
        # Building the loaders drew a first batch: forget it, so that a start and a resume draw the same data.
        checkpoints.set_random_state(self.resumed_random_state or state)
        if processes.rank() and self.resumed_random_state is None:
            checkpoints.seed_everything(self.settings["seed"] + processes.rank())  # patches of its own
        if self.device.type == "cpu":
            self.network.to(memory_format=torch.channels_last_3d)

    resumed_random_state: dict | None = None

    def step(self, loss: torch.Tensor, keys, network=None, optimizer=None) -> None:
        """Back-propagate, clip where the study says so, and step; refuse a loss that is not finite.

        network, optimizer: another pair than the trainer's own, such as a discriminator's.
        """
        network, optimizer = network or self.network, optimizer or self.optimizer
        self._refuse_unless_finite("loss", loss.detach(), keys)
        clip = self.settings["training"]["gradient_clip"] or math.inf
        if self.grad_scaler is None:
            loss.backward()
            self._average_other_gradients(optimizer)
            norm = torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
            self._refuse_unless_finite("gradient", norm, keys)  # before it reaches the weights
            optimizer.step()
        else:
            self.grad_scaler.scale(loss).backward()
            self._average_other_gradients(optimizer)
            self.grad_scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
            self.grad_scaler.step(optimizer)
            self.grad_scaler.update()

    def _average_other_gradients(self, optimizer) -> None:
        """Of what is trained besides the network, whose gradients nnU-Net's wrapper averages over the processes."""
        if self.is_ddp:
            wrapped = set(self.network.parameters())
            trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            processes.average_gradients(parameter for parameter in trained if parameter not in wrapped)

    def _refuse_unless_finite(self, what: str, value: torch.Tensor, keys) -> None:
        if torch.isfinite(value):
            return
        last = checkpoints.newest_intact(Path(self.output_folder) / "checkpoint_latest.pth")
        raise TrainingError(
            f"{self.settings['name']}: the {what} is not finite in epoch {self.current_epoch}, iteration "
            f"{self.current_epoch * self.num_iterations_per_epoch + self.iteration}",
            found=f"{value.item()} on cases {sorted(set(map(str, keys)))}",
            expected=f"a finite {what}",
            hint="lower training.learning_rate or the term's weight; "
            + (f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"),
        )

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        self.iteration, self.loop_began = 0, time.monotonic()

    def on_train_epoch_end(self, train_outputs: list[dict]):
        super().on_train_epoch_end(train_outputs)
        self.loop_seconds += time.monotonic() - self.loop_began

    def on_epoch_end(self):
        """Log one line with the time that remains, keep the curves, write the rolling checkpoint."""
        self.logger.log("epoch_end_timestamps", time.time(), self.current_epoch)
        done, total = self.current_epoch + 1, self.num_epochs
        elapsed = self.seconds()
        values = processes.average(self.epoch_values())
        values = {key: None if value is None else round(float(value), 5) for key, value in values.items()}
        self._keep_best(values)
        row = {
            "epoch": self.current_epoch,
            "iteration": done * self.num_iterations_per_epoch,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "seconds": round(elapsed, 3),
            **values,
        }
        self.curves.append(row)
        text = ", ".join(f"{key} {value:g}" for key, value in values.items() if value is not None)
        left = elapsed / done * (total - done)
        self.print_to_log_file(f"epoch {done}/{total}: {text}, {elapsed:.0f} s, about {left:.0f} s left")
        if done % self.save_every == 0 and done != total:
            self.save_checkpoint(os.path.join(self.output_folder, "checkpoint_latest.pth"))
        self.current_epoch += 1

    def _keep_best(self, values: dict) -> None:
        """Keep the epoch's weights, a discriminator's too, if it is the best so far (see `best`)."""
        if self.settings["training"]["checkpoint"] != "best":
            return
        measure = best.measure_of(values)
        value = values[measure]
        if value is None or not math.isfinite(value):
            return
        if self.best is None or best.is_better(measure, value, self.best["value"]):
            weights = {key: tensor.detach().cpu().clone() for key, tensor in self.network_weights().items()}
            extra = copy.deepcopy(self.extra_state())
            self.best = {"epoch": self.current_epoch, "value": value, "weights": weights, "extra": extra}

    def network_weights(self) -> dict[str, torch.Tensor]:
        """The weights as a checkpoint holds them."""
        return {key: value.contiguous() for key, value in self.bare_network.state_dict().items()}

    def epoch_values(self) -> dict[str, float | None]:
        """What the curves show of an epoch."""
        return {
            "train_loss": self.logger.get_value("train_losses", step=-1),
            "validation_loss": self.logger.get_value("val_losses", step=-1),
        }

    def plot_network_architecture(self):
        """nnU-Net's needs a package that is not there; the plans say it all."""

    def seconds(self) -> float:
        """Training time so far, over all resumes."""
        return self.seconds_before + time.monotonic() - self.began

    # --- checkpoints

    def on_train_end(self):
        super().on_train_end()
        if processes.rank() == 0:
            checkpoints.remove(Path(self.output_folder) / "checkpoint_latest.pth")

    def save_checkpoint(self, filename: str) -> None:
        """nnU-Net's checkpoint with the generators' states and the curves, written atomically."""
        random_states = processes.gather(checkpoints.random_state())
        if processes.rank() != 0:
            return
        content = {
            "network_weights": self.network_weights(),
            "optimizer_state": self.optimizer.state_dict(),
            "grad_scaler_state": self.grad_scaler.state_dict() if self.grad_scaler is not None else None,
            "logging": checkpoints.plain(self.logger.get_checkpoint()),
            "_best_ema": checkpoints.plain(self._best_ema),
            "current_epoch": self.current_epoch + 1,
            "init_args": self.my_init_kwargs,
            "trainer_name": self.checkpoint_trainer_name(),
            "inference_allowed_mirroring_axes": self.inference_allowed_mirroring_axes,
            "afpbench": {
                "random_states": random_states,
                "curves": self.curves,
                "seconds": self.seconds(),
                "loop_seconds": self.loop_seconds,
                "peak_memory_mb": max(self.peak_before_mb, hardware.peak_training_memory_mb()),
                "best": self.best,
                "number_format": hardware.format_name(self.precision),
                "extra": self.extra_state(),
            },
        }
        checkpoints.save(content, Path(filename))

    def extra_state(self) -> dict:
        """What a subclass has to keep besides: tensors and plain types only."""
        return {}

    def load_extra_state(self, state: dict) -> None:
        """Take back what `extra_state` gave."""

    def checkpoint_trainer_name(self) -> str:
        """The trainer that nnU-Net's tools look up when they open the model folder."""
        return type(self).__name__

    def load_checkpoint(self, filename_or_checkpoint) -> None:
        """Go on from a checkpoint: weights, optimiser, epoch, curves and the generators' states.

        nnU-Net's own method would unpickle the file without `weights_only`, and fails on a loaded dictionary.
        """
        if not self.was_initialized:
            self.initialize()
        content = checkpoints.load(Path(filename_or_checkpoint))
        self.bare_network.load_state_dict(content["network_weights"], strict=True)
        self.optimizer.load_state_dict(content["optimizer_state"])
        if self.grad_scaler is not None and content["grad_scaler_state"] is not None:
            self.grad_scaler.load_state_dict(content["grad_scaler_state"])
        self.logger.load_checkpoint(content["logging"])
        self._best_ema = content["_best_ema"]
        self.current_epoch = content["current_epoch"]
        self.my_init_kwargs = content["init_args"]
        own = content["afpbench"]
        self.curves = own["curves"]
        self.seconds_before, self.began = own["seconds"], time.monotonic()
        self.loop_seconds, self.peak_before_mb = own["loop_seconds"], own["peak_memory_mb"]
        self.best = own["best"]
        self._go_on_in(own["number_format"])
        self.load_extra_state(own["extra"])
        self.resumed_random_state = own["random_states"][processes.rank()]

    def _go_on_in(self, number_format: str) -> None:
        """Keep the number format that the training began in, also on another processor, whose choice may be another."""
        if number_format == hardware.format_name(self.precision):
            return
        if "float16" in (number_format, hardware.format_name(self.precision)):
            raise TrainingError(
                f"{self.settings['name']}: a training begun on another kind of device",
                found=f"a checkpoint in {number_format}, {self.device.type} here",
                expected="a GPU for float16, a CPU for others",
                hint="go on where it began, or remove the training's folder under unfinished",
            )
        logger.warning("going on in %s, as the training began", number_format)
        self.precision = hardware.autocast_dtype(number_format, self.device.type)
