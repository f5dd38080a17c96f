"""Trained networks as one file: a zip archive of model folders without what only a training needs."""

import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ..base.atomic import atomic_path
from ..base.errors import DataError, ModelError
from ..data import archive
from ..features.checkpoints import load_checkpoint
from .card import card_file, model_files, read_card, save_card

ENDING = ".zip"
NETWORK = "networks/{}/{}"
MEMBER = re.compile(r"networks/(0|[1-9]\d?)/([\w./]+)")
APPLIED = ("network_weights", "trainer_name", "inference_allowed_mirroring_axes")  # of nnU-Net's checkpoint
DATE = (1980, 1, 1, 0, 0, 0)
DAMAGED = "copy the package again, or make it anew with `afpbench package`"


def pack(folders: Sequence[Path], out: Path) -> None:
    """Write the model folders, in this order, to a package; the same folders give the same bytes.

    Optimiser and random states stay behind. Raises ModelError for a folder that is no model (see `card.read_card`).
    """
    if out.suffix != ENDING:
        raise ModelError(f"--out: {out}", found=f"the ending {out.suffix or '(none)'}", expected=ENDING)
    with (
        atomic_path(out) as temporary,
        tempfile.TemporaryDirectory(prefix="afpbench-package-") as folder,
        zipfile.ZipFile(temporary, "w") as zipped,
    ):
        for number, source in enumerate(folders):
            light = _without_training(source, Path(folder) / str(number))
            for name, path in _files(light).items():
                _add(zipped, path, NETWORK.format(number, name))


def unpack(package: Path, out: Path) -> list[Path]:
    """Unpack a package into `out`; return its model folders in order.

    Raises DataError for what is no whole zip archive, for a member that could do harm, and for one that no package has.
    """
    with archive.opened(package, DAMAGED) as (zipped, members):
        known = set(_files(Path()))
        folders: dict[int, Path] = {}
        for name, member in members.items():
            found = MEMBER.fullmatch(name)
            if found is None or found[2] not in known:
                raise DataError(
                    f"{package}: no package of afpbench",
                    found=f"a member {name[:80]!r}",
                    expected=f"only {', '.join(NETWORK.format('<number>', one) for one in sorted(known))}",
                    hint=DAMAGED,
                )
            folders[int(found[1])] = out / found[1]
            target = out / found[1] / found[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            archive.extract(zipped, member, target)
    if not folders:
        raise DataError(f"{package}: no package of afpbench", found="an empty archive", hint=DAMAGED)
    return [folders[number] for number in sorted(folders)]


def _files(folder: Path) -> dict[str, Path]:
    card = card_file(folder)
    return {card.relative_to(folder).as_posix(): card, **model_files(folder)}


def _without_training(source: Path, target: Path) -> Path:
    """A copy of a model folder whose checkpoint has only what its application needs; the card has its checksums."""
    import torch

    card = read_card(source)
    files = model_files(target)
    for name, path in model_files(source).items():
        files[name].parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".pth":
            shutil.copyfile(path, files[name])
            continue
        content = load_checkpoint(path)
        light = {key: content.get(key) for key in APPLIED}
        torch.save({**light, "init_args": {"configuration": content["init_args"]["configuration"]}}, files[name])
    save_card(target, card)
    return target


def _add(zipped: zipfile.ZipFile, path: Path, name: str) -> None:
    member = zipfile.ZipInfo(name, DATE)
    member.external_attr = 0o644 << 16
    member.compress_type = (
        zipfile.ZIP_DEFLATED
    )  # a checkpoint is a zip archive too, for which a cut-off one could be taken
    with open(path, "rb") as source, zipped.open(member, "w", force_zip64=True) as target:
        shutil.copyfileobj(source, target, 1 << 20)
