"""TorchScript modules as feature networks: any network, exported with torch.jit, without its code."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ..base.errors import ModelError
from .base import FeatureNetwork, choose_layers
from .mapping import InputMapping

PROBE_SIZE = 32


class TorchScriptFeatures(FeatureNetwork):
    """The outputs of a TorchScript module as features: a tensor, or a list or tuple of tensors (B, C, z, y, x).

    path: the exported module. Its input is a CT patch (B, 1, z, y, x); layers are named `output.0`, `output.1`, ...
    mean_hu, std_hu: the input is (clipped HU - mean) / SD; clip_hu: the limits, or None for none.
    network_spacing_mm: the spacing (z, y, x) that the module wants, or None for the training grid's.
    divisor: what each axis of its input must be divisible by; the features of padding are not cropped where it pads.
    TorchScript files run in PyTorch's own interpreter and hold no Python code; use only files whose origin you trust
    all the same, as with any program.
    """

    one_by_one = False  # PyTorch's own convolutions take several times as long for a single patch on a CPU

    def __init__(
        self,
        path: str | Path,
        spacing_mm: Sequence[float],
        layers: str | int | Sequence[str] | None = None,
        mean_hu: float = 0.0,
        std_hu: float = 1.0,
        clip_hu: Sequence[float] | None = None,
        network_spacing_mm: Sequence[float] | None = None,
        divisor: Sequence[int] = (1, 1, 1),
    ):
        super().__init__()
        lower, upper = clip_hu or (-float("inf"), float("inf"))
        self.mapping = InputMapping(
            spacing_mm,
            network_spacing_mm,
            normalization="CTNormalization",
            properties={"mean": mean_hu, "std": std_hu, "percentile_00_5": lower, "percentile_99_5": upper},
            divisor=divisor,
        )
        self.path = str(path)
        self.network = _read(Path(path))
        self.freeze()
        with torch.no_grad():
            count = len(self._run(torch.zeros(1, 1, PROBE_SIZE, PROBE_SIZE, PROBE_SIZE)))
        known = [f"output.{index}" for index in range(count)]
        self.layer_names = choose_layers(layers, {"all": known}, known, f"TorchScript module {path}")
        self._chosen = [known.index(name) for name in self.layer_names]

    def extract(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The chosen outputs of the module for `x` (B, 1, z, y, x), already normalised."""
        outputs = self._run(x)
        return [outputs[index] for index in self._chosen]

    def _run(self, x: torch.Tensor) -> list[torch.Tensor]:
        try:
            output = self.network(x)
        except RuntimeError as error:
            raise ModelError(
                f"TorchScript module {self.path}: it fails on an input of shape {tuple(x.shape)}",
                found=str(error).strip().splitlines()[-1],
                expected="a module that takes (batch, 1, z, y, x)",
                hint="if it needs sizes divisible by something, set divisor",
            ) from error
        outputs = [output] if isinstance(output, torch.Tensor) else output
        if not isinstance(outputs, list | tuple) or not all(
            isinstance(item, torch.Tensor) and item.ndim == 5 for item in outputs
        ):
            raise ModelError(
                f"TorchScript module {self.path}: its output is not features",
                found=type(output).__name__,
                expected="a tensor (batch, channels, z, y, x), or a list or tuple of such",
            )
        return list(outputs)


def _read(path: Path) -> torch.jit.ScriptModule:
    if not path.is_file():
        raise ModelError(f"TorchScript module: no such file: {path}", hint="check the path in the study file")
    try:
        return torch.jit.load(str(path), map_location="cpu")
    except RuntimeError as error:
        raise ModelError(
            f"not a TorchScript module: {path}",
            found=str(error).strip().splitlines()[0],
            expected="a file written by torch.jit.save",
            hint="a state dict (.pth) is not enough: export the module with torch.jit.script or torch.jit.trace",
        ) from error
