"""Small DICOM series and RTSTRUCTs for tests, written by pydicom."""

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, RTStructureSetStorage, generate_uid

SECRETS = ("Planted^Name", "ID-471108", "19470811", "1.2.826.20470811.1")
FRAME_UID = "1.2.826.20470811.1.7"


def _dataset(path: Path, storage: str, modality: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = storage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = storage, meta.MediaStorageSOPInstanceUID
    image.Modality, image.PatientName, image.PatientID = modality, SECRETS[0], SECRETS[1]
    image.PatientBirthDate, image.StudyDate = SECRETS[2], SECRETS[2]
    image.StudyInstanceUID = SECRETS[3]
    image.ContentDate = datetime.date(1947, 8, 11).strftime("%Y%m%d")
    return image


def write_series(
    folder: Path,
    array: np.ndarray,
    *,
    modality: str = "CT",
    series: str = "1.2.3",
    slope: float | None = 1.0,
    intercept: float | None = -1024.0,
    origin_mm: Sequence[float] = (-20.0, -10.0, 5.0),
    step_mm: Sequence[float] = (0.0, 0.0, 3.0),
    spacing_mm: Sequence[float] = (2.0, 1.0),
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    thickness_mm: float = 5.0,
    skip: Sequence[int] = (),
    prefix: str = "s",
    edit: Callable[[Dataset, int], None] | None = None,
) -> Path:
    """array: stored values, z, y, x, uint16. Files are numbered against the order of the slices.

    edit: changes the dataset of a slice (with its index) before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index, plane in enumerate(array):
        if index in skip:
            continue
        path = folder / f"{prefix}{len(array) - index:03d}"
        image = _dataset(path, CTImageStorage if modality == "CT" else MRImageStorage, modality)
        image.SeriesInstanceUID, image.InstanceNumber = series, index + 1
        image.FrameOfReferenceUID = FRAME_UID
        position = np.array(origin_mm) + index * np.array(step_mm)
        image.ImagePositionPatient = [round(float(value), 6) for value in position]
        image.ImageOrientationPatient = list(orientation)
        image.PixelSpacing, image.SliceThickness = list(spacing_mm), thickness_mm
        image.Rows, image.Columns = plane.shape
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        if slope is not None:
            image.RescaleSlope, image.RescaleIntercept = slope, intercept
        image.PixelData = plane.astype("<u2").tobytes()
        if edit:
            edit(image, index)
        pydicom.dcmwrite(path, image, enforce_file_format=True)
    return folder


def moved(positions_mm: Sequence[Sequence[float]]) -> Callable[[Dataset, int], None]:
    """For `edit`: slices at these positions (LPS)."""

    def edit(image: Dataset, index: int) -> None:
        image.ImagePositionPatient = [round(float(value), 6) for value in positions_mm[index]]

    return edit


def with_values(**values: Any) -> Callable[[Dataset, int], None]:
    """For `edit`: the same values in every slice; None removes one."""

    def edit(image: Dataset, index: int) -> None:
        for name, value in values.items():
            if value is None:
                delattr(image, name)
            else:
                setattr(image, name, value)

    return edit


def write_rtstruct(
    path: Path,
    structures: dict[str, list] | list[tuple[str, list]],
    *,
    geometric_type: str = "CLOSED_PLANAR",
    frame_uid: str | None = None,
    edit: Callable[[Dataset], None] | None = None,
) -> Path:
    """structures: name -> polygons, each n x 3 in LPS mm; pairs where a name stands twice.

    frame_uid: of the frame of reference of every structure. edit: changes the dataset before it is written.
    """
    data = _dataset(path, RTStructureSetStorage, "RTSTRUCT")
    data.StructureSetROISequence, data.ROIContourSequence = [], []
    pairs = list(structures.items()) if isinstance(structures, dict) else structures
    for number, (name, polygons) in enumerate(pairs, start=1):
        roi, item = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        if frame_uid is not None:
            roi.ReferencedFrameOfReferenceUID = frame_uid
        item.ReferencedROINumber, item.ContourSequence = number, []
        for polygon in polygons:
            contour = Dataset()
            contour.ContourGeometricType = geometric_type
            contour.ContourData = [f"{value:.4f}" for value in np.ravel(polygon)]
            contour.NumberOfContourPoints = len(polygon)
            item.ContourSequence.append(contour)
        data.StructureSetROISequence.append(roi)
        data.ROIContourSequence.append(item)
    if edit:
        edit(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path
