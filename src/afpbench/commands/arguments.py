"""The arguments that several commands have, declared alike."""

import argparse
from pathlib import Path


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


def _path(text: str) -> Path | str:
    """The path; the mark of an argument that is left out stays itself, which Python 3.11 hands to the type too."""
    return text if text is argparse.SUPPRESS else Path(text)
