"""nnU-Net's settings live in environment variables; this is the one place that sets them."""

import contextlib
import multiprocessing
import multiprocessing.dummy
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from ..base.package import PACKAGE

TRAINERS = PACKAGE / "training" / "trainers"


def use_nnunet(
    raw: Path | None = None,
    preprocessed: Path | None = None,
    results: Path | None = None,
    augmentation_processes: int | None = None,
) -> None:
    """Point nnU-Net at its folders and at our trainers, and make it importable beside a CPU build of PyTorch.

    augmentation_processes: 0 augments in the training process itself, which is what makes a resumed training
    bit-identical to an undisturbed one on a CPU; None leaves what was chosen before. Planning needs at least 1.
    Call it before anything of nnunetv2 is imported.
    """
    from .compat import ensure_torchvision_operators

    ensure_torchvision_operators()
    folders = {"nnUNet_raw": raw, "nnUNet_preprocessed": preprocessed, "nnUNet_results": results}
    for name, folder in folders.items():
        if folder is not None:
            os.environ[name] = str(Path(folder).resolve())
    os.environ["nnUNet_extTrainer"] = str(TRAINERS)
    if augmentation_processes is not None:
        os.environ["nnUNet_n_proc_DA"] = str(augmentation_processes)
    os.environ.setdefault("nnUNet_def_n_proc", "2")
    os.environ.setdefault("nnUNet_compile", "f")
    os.environ.setdefault("MPLBACKEND", "agg")  # nnU-Net's choice: to change to it, it would have to import pyplot


@contextlib.contextmanager
def one_worker() -> Iterator[None]:
    """Let nnU-Net's planning and preprocessing, asked for one worker, use a thread of this process for it.

    nnU-Net always starts worker processes, each of which imports PyTorch again: on a small dataset that costs more
    than the work.
    """
    with mock.patch.object(multiprocessing, "get_context", lambda method=None: multiprocessing.dummy):
        yield
