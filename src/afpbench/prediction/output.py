"""Where synthetic CTs of MRs alone are written: an image file for each, or a DICOM series."""

from collections.abc import Mapping
from pathlib import Path

from ..base.errors import ConfigError
from ..base.formats import FORMATS, ending
from ..data import dicom_writer
from ..volumes import io
from ..volumes.io import Volume


class Output:
    """The place of every case's synthetic CT, decided before the first is made.

    out: a folder; of a single case also an image file. cases: case -> its MR. dicom: series in place of files.
    keep_identity: with the patient of the MR's header. source: what made them, in words.
    Raises ConfigError for a place that is an MR's own, and for options that contradict each other.
    """

    def __init__(self, out: Path, cases: Mapping[str, Path], dicom: bool = False, keep_identity: bool = False):
        self.dicom, self.keep_identity = dicom, keep_identity
        self.source = "afpbench"
        one_file = bool(ending(out)) and not out.is_dir()
        if keep_identity and not dicom:
            raise ConfigError("--keep-identity: only DICOM holds an identity", expected="--dicom beside it")
        if one_file and (dicom or len(cases) > 1):
            raise ConfigError(
                f"--out: {out}",
                found=f"the name of one image file, for {'DICOM series' if dicom else f'{len(cases)} MRs'}",
                expected="a folder",
            )
        if one_file:
            self.places = dict.fromkeys(cases, out)
        else:
            self.places = {case: out / (case if dicom else f"{case}{FORMATS[0]}") for case in cases}
        for case, mr in cases.items():
            if self.places[case].exists() and self.places[case].samefile(mr):
                raise ConfigError(
                    f"--out: the synthetic CT of case {case} would take the place of its MR",
                    found=str(self.places[case]),
                    expected="another folder",
                )

    def write(self, ct: Volume, mr: Path, case: str) -> None:
        """Write the synthetic CT of one case. mr: its MR's path. Raises DataError where it cannot be written."""
        if not self.dicom:
            io.write(ct, self.places[case])
            return
        identity = dicom_writer.read_identity(mr, case) if self.keep_identity else None
        position = dicom_writer.read_position(mr, case)
        dicom_writer.write_series(ct, self.places[case], self.source, position, identity)
