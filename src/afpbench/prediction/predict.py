"""MRs through trained networks: the steps of the workflow on an MR alone, and the way back to the MR's own grid."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ..base.errors import ConfigError
from ..base.hardware import Runtime
from ..base.log import logger
from ..data.mr_alone import import_mr
from ..inference.ensemble import Ensemble
from ..inference.export import on_grid
from ..inference.synthesis import Generator, synthesize_case
from ..study.paths import Images
from ..volumes import channels, io, mr_range
from ..volumes.io import Geometry, Volume
from ..volumes.preprocessing import resample, resample_case
from .models import Model, channels_of


class Prediction(NamedTuple):
    """What is made of an MR, on its own grid. ct: int16, HU. sd: the uncertainty map, float32, HU, where asked for."""

    ct: Volume
    sd: Volume | None


class Predictor:
    """Trained networks, loaded once: the files of an MR in, one for each channel; synthetic CT in HU on the first
    one's grid out.

    models: one, or several whose synthetic CTs are combined; what the MR is brought to, and how patches are joined,
    is on the first one's card. combine, uncertainty: see `Ensemble`. mirror: axes of test-time mirroring, in place of
    the card's. Raises ConfigError for an uncertainty over a single network without mirror images.
    """

    def __init__(
        self,
        models: Sequence[Model],
        device: str = "auto",
        threads: int = 1,
        combine: str = "mean",
        mirror: Sequence[str] | None = None,
        uncertainty: bool = False,
    ):
        self.models = models
        self.card = models[0].card
        self.channels = channels_of(models[0])
        mirror = self.card["inference"]["mirror"] if mirror is None else mirror
        if uncertainty and len(models) == 1 and not mirror:
            raise ConfigError(
                "--uncertainty: a single look at each MR has no spread",
                found=f"one network, {self.card['name']}, without mirror images",
                expected="several networks, such as the folds of a cross-validation or the seeds of a row, or --mirror",
                hint="name more of them behind --model, or add --mirror x",
            )
        networks = [
            Generator(model.folder, model.card["inference"], Runtime(device, model.card["precision"], threads))
            for model in models
        ]
        calibrations = [model.card["hu_calibration"] for model in models]
        self.network = Ensemble(list(zip(networks, calibrations, strict=True)), mirror, combine, uncertainty)
        self._mr_statistics = [network.mr_statistics for network in networks]

    def __call__(self, paths: Sequence[Path], case: str) -> Prediction:
        """The synthetic CT of one MR, on its (first channel's) own grid and in its frame of reference.

        paths: a file, or a folder of DICOM files, for each channel, in the order of the model card.

        The MR goes the workflow's way, through its files: a grid that NIfTI has held is not the one before, in the last
        digits. What of it lies outside what the training saw is a warning.
        Raises DataError, with the case, for an MR that cannot be used.
        """
        with tempfile.TemporaryDirectory(prefix="afpbench-predict-") as folder:
            imported, resampled, made = (Path(folder) / case / name for name in ("imported", "resampled", "synthetic"))
            images = Images(made.as_posix())
            stored, mr = import_mr(paths, case, imported, self.channels)
            mr_range.check_unit(mr[0].geometry, self.card["mr_range"], f"case {case}: MR")
            resample_case(imported, resampled, self.card["spacing_mm"], self.card["bias_correction"])
            self._warn(case, [volume.geometry for volume in mr], list(channels.read(resampled, case).values()))
            synthesize_case(self.network, resampled, Path(images.image(case)), case, with_uncalibrated=False)
            synthetic = io.read(images.image(case), f"case {case}: synthetic CT")
            found = self.network.uncertainty
            sd = io.read(images.uncertainty(case), f"case {case}: uncertainty map") if found else None
        first = stored[0]
        ct = replace(on_grid(synthetic, first.geometry), source=first.source, frame_uid=first.frame_uid)
        return Prediction(ct, None if sd is None else resample(sd, first.geometry))

    def _warn(self, case: str, stored: Sequence[Geometry], mr: Sequence[Volume]) -> None:
        found: Mapping[str, None] = dict.fromkeys(
            finding
            for model, statistics in zip(self.models, self._mr_statistics, strict=True)
            for finding in mr_range.findings(stored, mr, statistics, model.card["mr_range"], self.channels)
        )
        for finding in found:
            logger.warning("case %s: outside what the network was trained on: %s", case, finding)
