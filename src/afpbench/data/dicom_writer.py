"""A synthetic CT as a DICOM series that a planning system opens beside its MR.

Nothing of the MR's header goes into it but the frame of reference and the patient's position on the table, unless the
patient's identity is asked for.
"""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..base.errors import DataError
from ..volumes.io import Volume
from . import dicom
from .dicom_files import opened, quiet, text

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset
    from pydicom.uid import UID

IDENTITY = (
    "SpecificCharacterSet", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
    "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
EMPTY = (  # what must be there, whether or not it is known
    "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
    "PositionReferenceIndicator", "Laterality", "KVP", "AcquisitionNumber",
)  # fmt: skip
INTERCEPT_HU = -1024
BITS = 12  # of the range that `volumes.io.save_hu` leaves, -1024 to 3071
SOFT_TISSUE_HU = (40, 400)  # centre and width of the window


def read_identity(path: Path, case: str) -> "Dataset":
    """The patient and the study of a DICOM MR, for `write_series`. Raises DataError for an MR of another format."""
    import pydicom

    if not dicom.is_series(path):
        raise DataError(
            f"case {case}: MR: there is no identity to keep: {path}",
            found="an image file",
            expected="a DICOM series",
            hint="leave --keep-identity out, or give the DICOM series of the MR",
        )
    quiet()
    with opened(dicom.any_file(path, f"case {case}: MR", "MR")) as file:
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(IDENTITY))


def read_position(path: Path, case: str) -> str:
    """How the patient lay (PatientPosition: HFS, FFP, ...) in a DICOM MR; '' where nothing says it."""
    import pydicom

    if not dicom.is_series(path):
        return ""
    quiet()
    with opened(dicom.any_file(path, f"case {case}: MR", "MR")) as file:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["PatientPosition"])
    return text(header, "PatientPosition")


def write_series(ct: Volume, folder: Path, source: str, position: str = "", identity: "Dataset | None" = None) -> None:
    """Write a CT (int16 HU, -1024 to 3071) as one CT series into a new folder, a file for each slice along z.

    source: what made it, in words. position: see `read_position`. identity: see `read_identity`; None for a patient
    without name and a study of its own. Frame of reference: the volume's, or a new one. UIDs are new.
    Raises DataError for a folder that is there already and not empty.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise DataError(
            f"cannot write a series to {folder}",
            found="a folder with files in it",
            expected="no such folder: slices of two series must not lie in one",
            hint="remove it, or name another folder by --out",
        )
    shared = _shared(ct, source, position, identity)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".tmp-{folder.name}-", dir=folder.parent) as temporary:
        whole = Path(temporary) / "series"
        whole.mkdir()
        for index in range(len(ct.array)):
            _slice(shared, ct, index).save_as(whole / f"CT_{index + 1:04d}.dcm", enforce_file_format=True)
        shutil.rmtree(folder, ignore_errors=True)  # empty
        whole.rename(folder)


def _shared(ct: Volume, source: str, position: str, identity: "Dataset | None") -> "Dataset":
    """What all slices have in common."""
    from pydicom.dataset import Dataset
    from pydicom.uid import CTImageStorage

    shared = Dataset()
    for name in EMPTY:
        setattr(shared, name, None)
    shared.SOPClassUID, shared.Modality = CTImageStorage, "CT"
    shared.StudyInstanceUID, shared.SeriesInstanceUID = _new_uid(), _new_uid()
    shared.FrameOfReferenceUID = ct.frame_uid or _new_uid()
    shared.PatientName, shared.PatientID = "CT^Synthetic", shared.StudyInstanceUID[-16:]
    shared.PatientIdentityRemoved, shared.DeidentificationMethod = "YES", "nothing of the source's header but geometry"
    shared.PatientPosition, shared.SeriesNumber = position, 1
    shared.SeriesDescription, shared.DerivationDescription = "synthetic CT", f"made from MR by {source}"[:1024]
    shared.ImageType, shared.BurnedInAnnotation = ["DERIVED", "SECONDARY", "AXIAL"], "NO"
    shared.Manufacturer, shared.ManufacturerModelName, shared.SoftwareVersions = "afpbench", "afpbench", __version__
    direction = np.array(ct.geometry.direction).reshape(3, 3)
    shared.ImageOrientationPatient = _decimals(direction[:, :2].T.ravel())
    shared.SliceThickness = _decimals(ct.spacing_mm[:1])[0]
    shared.PixelSpacing = _decimals(ct.spacing_mm[1:])
    shared.Rows, shared.Columns = ct.array.shape[1:]
    shared.SamplesPerPixel, shared.PhotometricInterpretation, shared.PixelRepresentation = 1, "MONOCHROME2", 0
    shared.BitsAllocated, shared.BitsStored, shared.HighBit = 16, BITS, BITS - 1
    shared.RescaleSlope, shared.RescaleIntercept, shared.RescaleType = 1, INTERCEPT_HU, "HU"
    shared.WindowCenter, shared.WindowWidth = SOFT_TISSUE_HU
    if identity is not None:
        del shared.PatientIdentityRemoved, shared.DeidentificationMethod
        shared.update({element.tag: element for element in identity})
    return shared


def _slice(shared: "Dataset", ct: Volume, index: int) -> "FileDataset":
    """One file: what is shared, its place, and its voxels."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = shared.SOPClassUID, _new_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", shared, preamble=b"\0" * 128, file_meta=meta)
    image.SOPInstanceUID, image.InstanceNumber = meta.MediaStorageSOPInstanceUID, index + 1
    along = np.array(ct.geometry.direction).reshape(3, 3)[:, 2] * ct.spacing_mm[0]
    image.ImagePositionPatient = _decimals(np.array(ct.geometry.origin_mm) + index * along)
    image.PixelData = (ct.array[index].astype(np.int32) - INTERCEPT_HU).astype("<u2").tobytes()
    return image


def _decimals(values) -> list[str]:
    """Numbers as DICOM holds them, in at most 16 characters."""
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in values]


def _new_uid() -> "UID":
    from pydicom.uid import generate_uid

    return generate_uid(prefix=None)  # of a random number: no date, no machine
