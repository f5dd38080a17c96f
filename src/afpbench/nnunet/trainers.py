"""nnU-Net's trainers by name, each without those that its own search imports on the way."""

import contextlib
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unittest import mock

PACKAGE = "nnunetv2.training.nnUNetTrainer"


@contextlib.contextmanager
def short_search() -> Iterator[None]:
    """Let nnU-Net's predictor find a trainer of nnU-Net itself by its source; others it looks for as it does.

    Its search imports one trainer after the other until one has the name, and with them timm and torchvision.
    """
    from nnunetv2.inference import predict_from_raw_data

    search = predict_from_raw_data.recursive_find_trainer_class_by_name
    with mock.patch.object(
        predict_from_raw_data,
        "recursive_find_trainer_class_by_name",
        lambda name: find_trainer(name) or search(name),
    ):
        yield


def find_trainer(name: str) -> type | None:
    """The trainer of nnU-Net with that name; None where it has none."""
    folder = Path(import_module(PACKAGE).__path__[0])
    definition = re.compile(rf"^class {re.escape(name)}\(", re.MULTILINE)
    for path in sorted(folder.rglob("*.py")):
        if definition.search(path.read_text(encoding="utf-8")):
            parts = path.relative_to(folder).with_suffix("").parts
            return getattr(import_module(".".join((PACKAGE, *parts))), name)
    return None
