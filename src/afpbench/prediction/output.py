"""Where synthetic CTs of MRs alone are written: an image file for each, or a DICOM series."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..base.errors import ConfigError
from ..base.formats import FORMATS, ending
from ..data import dicom_writer
from ..volumes import io
from ..volumes.io import Volume


class Output:
    """The place of every case's synthetic CT, decided before the first is made.

    out: a folder; of a single case also an image file. cases: case -> its MR, a file for each channel.
    dicom: series in place of files.
    keep_identity: with the patient of the MR's header. source: what made them, in words.
    Raises ConfigError for a place that is an MR's own, and for options that contradict each other.
    """

    def __init__(
        self, out: Path, cases: Mapping[str, Sequence[Path]], dicom: bool = False, keep_identity: bool = False
    ):
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
            for what, place in (("synthetic CT", self.places[case]), ("uncertainty map", self.uncertainty(case))):
                if place.exists() and any(place.samefile(path) for path in mr):
                    raise ConfigError(
                        f"--out: the {what} of case {case} would take the place of its MR",
                        found=str(place),
                        expected="another folder",
                    )

    def uncertainty(self, case: str) -> Path:
        """Where a case's uncertainty map lies: in `uncertainty/` beside its synthetic CT, under the same name."""
        place = self.places[case]
        return place.parent / "uncertainty" / (f"{case}{FORMATS[0]}" if self.dicom else place.name)

    def write(self, ct: Volume, mr: Path, case: str, sd: Volume | None = None) -> None:
        """Write the synthetic CT of one case and its uncertainty map, which is an image file beside DICOM too.

        mr: the path of its MR's first channel. Raises DataError where it cannot be written.
        """
        if sd is not None:
            io.write(sd, self.uncertainty(case))
        if not self.dicom:
            io.write(ct, self.places[case])
            return
        identity = dicom_writer.read_identity(mr, case) if self.keep_identity else None
        position = dicom_writer.read_position(mr, case)
        dicom_writer.write_series(ct, self.places[case], self.source, position, identity)
