"""The card of a trained generator: all that whoever applies it to an MR must know beside nnU-Net's files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

from .. import __version__
from ..base.atomic import read_json, sha256_of, write_json
from ..base.errors import ModelError
from ..base.log import versions
from ..study.paths import ModelPaths

FORMAT = 1
SCHEMA = Path(__file__).with_name("card_schema.json")
TOOLS = ("nnunetv2", "torch", "SimpleITK", "numpy")


def model_files(folder: Path) -> dict[str, Path]:
    """What a model folder consists of beside its card: name in the folder -> file."""
    paths = ModelPaths(folder.as_posix())
    files = (Path(path) for path in (paths.plans, paths.dataset, paths.checkpoint))
    return {path.relative_to(folder).as_posix(): path for path in files}


def card_file(folder: Path) -> Path:
    """Where the card of a model folder lies."""
    return Path(ModelPaths(folder.as_posix()).card)


def write_card(folder: Path, about: Mapping[str, Any], mr_range: dict, calibration: dict | None) -> None:
    """Write the card of a model folder.

    about: what planning knows (study.plan.models.ModelPlan.card), and the precision of its training. mr_range: what its
    training saw (volumes.mr_range.fit). calibration: {"slope", "offset_hu"} of its HU, None without.
    """
    line = None if calibration is None else {key: calibration[key] for key in ("slope", "offset_hu")}
    tools = dict(part.rsplit(" ", 1) for part in versions(*TOOLS).split(", "))
    save_card(
        folder,
        {
            "format": FORMAT,
            **about,
            "hu_calibration": line,
            "mr_range": mr_range,
            "versions": {"afpbench": __version__, **tools},
        },
    )


def save_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write a card with the checksums of the files beside it."""
    write_json(
        card_file(folder), {**card, "sha256": {name: sha256_of(path) for name, path in model_files(folder).items()}}
    )


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model folder whose files are those of the card. Raises ModelError."""
    path = card_file(folder)
    if not path.is_file():
        raise ModelError(
            f"no model that can be applied: {folder}",
            found=f"no {path.name} in it" if folder.is_dir() else "no such folder",
            expected="results/<task>/models/variants/<row> of a finished study, or a package of `afpbench package`",
            hint="for a study that was run before there were cards, run it again: it trains nothing anew",
        )
    card = read_json(path)
    _check_form(path, card)
    _check_files(folder, card["sha256"])
    return card


def _check_form(path: Path, card: Any) -> None:
    wrong = jsonschema.Draft202012Validator(read_json(SCHEMA)).iter_errors(card)
    error = min(wrong, key=lambda item: list(map(str, item.absolute_path)), default=None)
    if error is not None:
        place = ".".join(map(str, error.absolute_path)) or "its top"
        raise ModelError(
            f"{path}: not a model card of format {FORMAT}",
            found=f"{place}: {error.message[:200]}",
            hint="it was edited, or made by another version of afpbench: use that version",
        )


def _check_files(folder: Path, sha256: Mapping[str, str]) -> None:
    for name, path in model_files(folder).items():
        if not path.is_file():
            raise ModelError(f"{folder}: {name} is missing", expected="all files of the model", hint="copy it again")
        if sha256_of(path) != sha256[name]:
            raise ModelError(
                f"{path}: not the file that the model card tells of",
                found=f"sha256 {sha256_of(path)}",
                expected=sha256[name],
                hint="copy the model again; after a training that was made anew, run the study to its end",
            )
