"""`afpbench predict`: synthetic CT of MRs that have no CT."""

import argparse
import os
from pathlib import Path

from ..base.batch import Batch
from ..base.log import progress
from ..inference.ensemble import AXES, COMBINED
from ..prediction.cases import by_channel, find_cases
from ..prediction.models import check_channels, opened
from ..prediction.output import Output
from ..prediction.predict import Predictor
from ..study.kinds.registry import use_extensions

DESCRIPTION = """\
Applies a trained row to MRs alone: no CT, no study. Each synthetic CT lies on its MR's own grid (int16, HU). The MR is
brought to the network's spacing and intensities as the study's were; a warning says where it lies outside what the
training saw. Not a medical device."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench predict`."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "--model", type=Path, nargs="+", required=True, metavar="MODEL",
        help="results/<task>/models/variants/<row>, or a package; of several the synthetic CTs are combined",
    )  # fmt: skip
    parser.add_argument(
        "--mr", type=Path, nargs="+", action="append", required=True, metavar="FILE_OR_FOLDER",
        help="an image file, a folder of them, a DICOM series, or a folder of series; where the network takes an MR of "
        "several channels once for each, in the order of its model card",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, required=True, metavar="OUT",
        help="where to write <case>.nii.gz; of a single MR also a file (.nii.gz, .nii, .mha, .nrrd)",
    )  # fmt: skip
    parser.add_argument("--dicom", action="store_true", help="write a DICOM CT series to OUT/<case>/ instead")
    parser.add_argument(
        "--keep-identity", action="store_true", help="with --dicom: copy the patient and the study from the MR's header"
    )
    parser.add_argument("--folds", type=int, nargs="+", metavar="N", help="of several networks: those to use, from 0")
    parser.add_argument("--combine", choices=list(COMBINED), default="mean", help="how several networks are combined")
    parser.add_argument(
        "--mirror", nargs="+", choices=list(AXES), metavar="AXIS",
        help="average over mirror images along some of z, y, x (default: as the study did)",
    )  # fmt: skip
    parser.add_argument(
        "--uncertainty", action="store_true",
        help="write the standard deviation (HU) over several networks and mirror images too, to uncertainty/ in OUT",
    )  # fmt: skip
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="default: a GPU if there is")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="on a CPU")
    parser.add_argument(
        "--extension", type=Path, nargs="+", default=[], metavar="FILE", help="with a generator of yours"
    )


def run(options: argparse.Namespace) -> int:
    """Predict every case. Returns 0; raises AfpbenchError for what cannot be used.

    A case that cannot be predicted ends nothing: the others are written, then the error names each with its cause.
    """
    cases = by_channel([find_cases(paths) for paths in options.mr])
    output = Output(options.out, cases, options.dicom, options.keep_identity)
    use_extensions(options.extension, Path())
    with opened(options.model, options.folds) as models:
        check_channels(models[0], len(options.mr))
        predictor = Predictor(
            models, options.device, options.threads, options.combine, options.mirror, options.uncertainty
        )
        output.source = ", ".join(model.card["name"] for model in models)
        batch = Batch("predict", cases)
        for case, paths in progress(cases.items(), len(cases), "predict, case"):
            with batch.case(case):
                made = predictor(paths, case)
                output.write(made.ct, paths[0], case, made.sd)
    print(f"{len(cases) - len(batch.failed)} synthetic CTs: {options.out}")
    batch.finish(kept="the other synthetic CTs are written")
    return 0
