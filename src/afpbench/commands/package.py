"""`afpbench package`: trained networks as one file."""

import argparse
from pathlib import Path

from ..prediction.package import pack

DESCRIPTION = """\
Writes a trained row to one file for `afpbench predict --model`, without what only a training needs. Several folders
(the folds of a cross-validation, the seeds of a row) become one model whose synthetic CTs are averaged."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench package`."""
    parser.description = DESCRIPTION
    parser.add_argument("model", type=Path, nargs="+", metavar="MODEL", help="results/<task>/models/variants/<row>")
    parser.add_argument("--out", type=Path, required=True, metavar="model.zip", help="the file to write")


def run(options: argparse.Namespace) -> int:
    """Write the package. Returns 0; raises AfpbenchError for what is no finished model."""
    pack(options.model, options.out)
    print(f"{options.out}: {len(options.model)} network{'s' * (len(options.model) > 1)}, "
          f"{options.out.stat().st_size / 1e6:.1f} MB")  # fmt: skip
    return 0
