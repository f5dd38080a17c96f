"""MRs through trained networks: the steps of the workflow on an MR alone, and the way back to the MR's own grid."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..base.hardware import Runtime
from ..base.log import logger
from ..data.mr_alone import import_mr
from ..inference.ensemble import Ensemble
from ..inference.export import on_grid
from ..inference.mirroring import Mirrored
from ..inference.synthesis import synthesize_case
from ..volumes import io, mr_range
from ..volumes.io import Volume
from ..volumes.preprocessing import resample_case
from .models import Model


class Predictor:
    """Trained networks, loaded once: the file of an MR in, synthetic CT in HU on its own grid out.

    models: one, or several whose synthetic CTs are combined; what the MR is brought to, and how patches are joined,
    is on the first one's card. combine: see `Ensemble`. mirror: axes of test-time mirroring, in place of the card's.
    """

    def __init__(
        self,
        models: Sequence[Model],
        device: str = "auto",
        threads: int = 1,
        combine: str = "mean",
        mirror: Sequence[str] | None = None,
    ):
        self.models = models
        self.card = models[0].card
        own = {} if mirror is None else {"mirror": list(mirror)}
        runtimes = [Runtime(device, model.card["precision"], threads) for model in models]
        networks = [
            Mirrored(model.folder, model.card["inference"] | own, runtime)
            for model, runtime in zip(models, runtimes, strict=True)
        ]
        calibrations = [model.card["hu_calibration"] for model in models]
        self.network = Ensemble(list(zip(networks, calibrations, strict=True)), combine)
        self._mr_statistics = [network.mr_statistics for network in networks]

    def __call__(self, path: Path, case: str) -> Volume:
        """The synthetic CT (int16 HU) of one MR, on the MR's own grid and in its frame of reference.

        The MR goes the workflow's way, through its files: a grid that NIfTI has held is not the one before, in the last
        digits. What of it lies outside what the training saw is a warning.
        Raises DataError, with the case, for an MR that cannot be used.
        """
        with tempfile.TemporaryDirectory(prefix="afpbench-predict-") as folder:
            imported, resampled, made = (Path(folder) / case / name for name in ("imported", "resampled", "ct.nii.gz"))
            stored, mr = import_mr(path, case, imported)
            mr_range.check_unit(mr.geometry, self.card["mr_range"], f"case {case}: MR")
            resample_case(imported, resampled, self.card["spacing_mm"], self.card["bias_correction"])
            self._warn(case, mr, io.read(resampled / "mr.nii.gz", f"case {case}: MR"))
            synthesize_case(self.network, resampled, made, case)
            synthetic = io.read(made, f"case {case}: synthetic CT")
        return replace(on_grid(synthetic, stored.geometry), source=stored.source, frame_uid=stored.frame_uid)

    def _warn(self, case: str, stored: Volume, mr: Volume) -> None:
        found: Mapping[str, None] = dict.fromkeys(
            finding
            for model, statistics in zip(self.models, self._mr_statistics, strict=True)
            for finding in mr_range.findings(stored.geometry, mr, statistics, model.card["mr_range"])
        )
        for finding in found:
            logger.warning("case %s: outside what the network was trained on: %s", case, finding)
