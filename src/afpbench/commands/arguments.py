"""The arguments that several commands have, declared alike."""

import argparse
from pathlib import Path
from typing import Any

from ..study.load import load_study, read_study


def add_study(
    parser: argparse.ArgumentParser, *, required: bool = True, position: bool = True, words: str = "the study file"
) -> None:
    """Declare the study file, `options.study`, and the folder that its paths start from, `options.root`.

    Every command takes it as `--config STUDY.yaml`, as Snakemake's `--configfile`, or by its position, unless that is
    another argument's. Both at once are wrong usage. words: what the help says of it.
    """
    study = parser.add_mutually_exclusive_group(required=required)
    study.add_argument(
        "--config", dest="study", type=Path, metavar="STUDY.yaml", help="the same" if position else words
    )
    if position:
        study.add_argument("study", nargs="?", type=_path, metavar="STUDY.yaml", default=argparse.SUPPRESS, help=words)
    parser.add_argument(
        "--root", type=Path, default=Path(), help="folder that relative paths start from (default: the current one)"
    )


def add_choice(parser: argparse.ArgumentParser, seeds: bool = True) -> None:
    """Declare what a run may choose beside the study file: `options.preset` and, where they matter, `options.seeds`."""
    parser.add_argument(
        "--preset", metavar="P", help="the entry of `presets` to use (default: the study file's choice)"
    )
    if seeds:
        words = "in place of the study file's `seeds`: how many (3), or which ([1,2])"
        parser.add_argument("--seeds", type=_seeds, metavar="S", help=words)


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The keys of the study that the command line has, in the place of the file's."""
    found = {key: getattr(options, key, None) for key in ("preset", "seeds")}
    return {key: value for key, value in found.items() if value is not None}


def load_chosen(options: argparse.Namespace, default: Path | None = None) -> dict[str, Any]:
    """The completed study of `add_study` and `add_choice`. default: the file where none is named.

    Raises ConfigError for what is no study file, with every problem.
    """
    path = options.study or default
    assert path is not None  # argparse asks for a study where there is no default
    study = read_study(path)
    return load_study({**study, **chosen(options)} if isinstance(study, dict) else study, options.root)


def _path(text: str) -> Path | str:
    """The path; the mark of an argument that is left out stays itself, which Python 3.11 hands to the type too."""
    return text if text is argparse.SUPPRESS else Path(text)


def _seeds(text: str) -> int | list[int]:
    """A number of seeds, or a list of them."""
    try:
        numbers = [int(number) for number in text.strip("[]").split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: a number (3) or a list ([1,2]) is expected") from None
    return numbers if text.startswith("[") else numbers[0]
