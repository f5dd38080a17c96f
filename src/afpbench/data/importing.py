"""From a source to an imported case: opened, checked, in canonical axes, with labels where the source has them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..base.atomic import sha256_of, write_json
from ..base.errors import DataError
from ..base.log import logger
from ..study import channels
from ..study.kinds.source import Source
from ..study.kinds.sources import open_source
from ..volumes import io
from ..volumes.images import check_hu, check_values, read_image
from ..volumes.io import Volume
from ..volumes.labels import as_bytes, check_labels, read_labels
from ..volumes.masks import as_mask, read_mask
from . import dicom, rtstruct
from .checks import check_channel, check_frame, check_inside, check_not_exchanged, check_on_grid, check_overlap
from .hu_labels import hu_labels

CANONICAL = "LPS"
MADE = ("mask", "labels", "mr_labels", "displacement")  # what a source may make beside the images
DRAWN_IN = {"mask": "mr", "mr_contour": "mr", "ct_contour": "ct"}
READERS = {"labels": read_labels, **dict.fromkeys(DRAWN_IN, read_mask)}


def import_case(data: dict, case: str, seed: int, out: Path, root: Path) -> None:
    """Make the imported folder of one case.

    data: the task's `data` section. seed: the study's (phantoms are made from it). out: the folder to write.
    root: the folder that relative paths start from.
    Writes mr.nii.gz (float32; not where the source has CTs alone), mr_0001.nii.gz and so on for further channels of the
    MR, each on its own grid, ct.nii.gz (int16 HU; not where the source has label maps alone), case.json, and what the
    source has of mask.nii.gz, labels.nii.gz, mr_labels.nii.gz, displacement.nii.gz, mr_contour.nii.gz,
    ct_contour.nii.gz.
    Raises DataError, naming the case, for input that cannot be used.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    source = open_source(data, Path(root))
    volumes, record = _made(source, case, seed) if source.makes_cases else _files(data, case, Path(root))
    pair = _check_pair(case, volumes, source.mr_channels)
    for name, volume in volumes.items():
        io.write(volume, out / f"{name}.nii.gz")
    header = {"case": case, "source": source.name, **pair}
    images = {name: _describe(volumes[name], out / f"{name}.nii.gz") for name in source.image_roles}
    write_json(out / "case.json", {**header, **images, "classes": source.label_ids(), "record": record})
    shapes = ", ".join(f"{title_of(name, source.mr_channels)} {found['shape']}" for name, found in images.items())
    logger.info("case %s: %s", case, shapes)


def canonical(volume: Volume) -> Volume:
    """The same voxels with the array axes reordered and flipped to the closest LPS identity direction.

    An oblique volume stays oblique: nothing is interpolated.
    """
    import SimpleITK as sitk

    return io.from_sitk(sitk.DICOMOrient(io.to_sitk(volume), CANONICAL), volume.source)


def _made(source: Source, case: str, seed: int) -> tuple[dict[str, Volume], dict]:
    """The images of a source that makes them, on canonical axes, in the types in which they are written."""
    made, record = source.make_case(case, seed)
    if not set(source.image_roles) <= set(made) <= {*source.image_roles, *MADE}:
        raise DataError(
            f"case {case}: the source '{source.name}' does not make what an import takes",
            found=", ".join(made) or "nothing",
            expected=f"{' and '.join(source.image_roles)}, and what there is of {', '.join(MADE)}",
            hint=f"correct {type(source).__name__}.make_case",
        )
    names = source.mr_channels
    return {name: _as_written(name, volume, _what(case, name, names)) for name, volume in made.items()}, record


def _as_written(name: str, volume: Volume, what: str) -> Volume:
    """One image that a source made. Raises DataError for label values that the files cannot hold."""
    volume = canonical(volume)
    if channels.is_mr(name) or name == "displacement":
        return volume.with_array(volume.array.astype(np.float32))
    if name == "ct":
        return volume.with_array(io.save_hu(volume.array))
    whole = volume.array.astype(np.uint8)
    if not np.array_equal(whole, volume.array):
        raise DataError(
            f"{what}: values that a label map cannot hold",
            found=f"{volume.array.min()} to {volume.array.max()}, type {volume.array.dtype}",
            expected="whole numbers from 0 to 255",
            hint="correct the source's make_case",
        )
    return volume.with_array(whole)


def _files(data: dict, case: str, root: Path) -> tuple[dict[str, Volume], dict]:
    files, stored = read_files(data, case, root)
    read = {role: canonical(volume) for role, volume in stored.items()}
    names = open_source(data, root).mr_channels
    check_files(data, case, read, names)
    mr = filter(channels.is_mr, read)
    volumes = {role: read[role].with_array(read[role].array.astype(np.float32)) for role in mr}
    if "ct" in read:
        volumes["ct"] = read["ct"].with_array(io.save_hu(read["ct"].array))
    volumes |= {role: read[role] for role in DRAWN_IN if role in read}
    if "ct" in read:
        volumes |= _labels(data.get("labels"), case, volumes["ct"], read.get("labels"))
    else:
        volumes["labels"] = as_bytes(read["labels"], _what(case, "labels"))
    record = {role: {"file": path.name, "sha256": dicom.digest(path)} for role, path in files.items()}
    findings = {role: list(volume.findings) for role, volume in stored.items() if volume.findings}
    for role, found in findings.items():
        logger.warning("%s: %s", _what(case, role, names), "; ".join(found))
    return volumes, {"files": record, "labels": data.get("labels") or {}, "findings": findings}


def check_files(data: dict, case: str, read: dict[str, Volume], names: Sequence[str] = ()) -> None:
    """Refuse a case whose volumes, by role and on canonical axes, are not what their roles say. Raises DataError.

    names: of the MR's channels.
    """
    images = [role for role in read if is_image(role)]
    for role in images:
        check_values(read[role], _what(case, role, names))
    for role in filter(channels.is_mr, images):
        check_not_exchanged(read[role], read["ct"], f"case {case}")
    if "ct" in read:
        check_hu(read["ct"], _what(case, "ct"))
    for role in (*DRAWN_IN, "labels"):
        if role in read:
            check_on_grid(read[role], read[_drawn_in(role, read)], _what(case, role))
    if "labels" in read and (data.get("labels") or {}).get("kind") == "files":
        check_labels(read["labels"], data["labels"]["classes"], _what(case, "labels"))


def read_files(data: dict, case: str, root: Path) -> tuple[dict[str, Path], dict[str, Volume]]:
    """The files of a case and their volumes as stored, by role: image files, DICOM folders, contours of an RTSTRUCT.

    Masks and contours are 0 and 1, label maps whole numbers, whatever their files hold.
    Raises DataError for what cannot be read, for links that lead out of the source's folder, and for channels of an MR
    in different frames of reference.
    """
    source = open_source(data, root)
    files, base = source.files(case), source.base_folder
    for role, path in files.items():
        if base is not None:
            check_inside(base, path, _what(case, role, source.mr_channels))
    series = source.series(case)
    read: dict[str, Volume] = {}
    for role in sorted(files, key=lambda role: role in DRAWN_IN):  # images first
        path, what = files[role], _what(case, role, source.mr_channels)
        if role in DRAWN_IN and rtstruct.is_rtstruct(path):
            image = read[_drawn_in(role, read)]
            read[role] = as_mask(rtstruct.read_contours(path, image, what, data.get("roi")), what)
        elif is_image(role):
            read[role] = read_modality(role, path, what, series.get(role))
        else:
            read[role] = READERS[role](path, what)
    for role in channels.roles(source.mr_channels)[1:]:
        check_frame(read[role], read["mr"], _what(case, role, source.mr_channels))
    return files, read


def _drawn_in(role: str, read: Mapping[str, Volume]) -> str:
    """The role of the image on whose grid a mask, a contour or a label map of a case lies."""
    return next(name for name in (DRAWN_IN.get(role, "ct"), "ct", "labels") if name in read)


def read_modality(role: str, path: Path, what: str, series: str | None = None) -> Volume:
    """An MR (or one of its channels) or a CT as stored: an image file, or a DICOM series, of a folder with several the
    named one. Raises DataError."""
    if dicom.is_series(path):
        return dicom.read_series(path, what, "MR" if channels.is_mr(role) else "CT", series)
    return read_image(path, what)


def _labels(labels: dict | None, case: str, ct: Volume, given: Volume | None) -> dict[str, Volume]:
    """The label map that `data.labels` asks for: made from the CT, or the case's own file."""
    if not labels:
        return {}
    if labels["kind"] == "hu_ranges":
        return {"labels": ct.with_array(hu_labels(ct, labels["structures"], case))}
    if given is None:
        raise DataError(
            f"case {case}: it has no label map",
            found="data.labels.kind: files, and no file for this case",
            expected="a label map on the grid of its CT",
            hint="name it in the table's column `labels` (source table) or by data.label_map (source folder)",
        )
    return {"labels": given.with_array(check_labels(given, labels["classes"], _what(case, "labels")))}


def _check_pair(case: str, volumes: dict[str, Volume], names: Sequence[str] = ()) -> dict[str, Any]:
    """What the case's record says of the pair, and of the MR's channels; nothing of a CT or a label map alone, which
    may be empty."""
    if "ct" not in volumes:
        return {}
    for role in filter(is_image, volumes):
        check_values(volumes[role], _what(case, role, names))
    check_hu(volumes["ct"], _what(case, "ct"))
    pair: dict[str, Any] = {}
    if "mr" in volumes:
        pair["ct_box_share_of_mr"] = round(check_overlap(volumes["mr"], volumes["ct"], f"case {case}"), 4)
    if names:
        others = channels.roles(names)[1:]
        shares = {role: check_channel(volumes[role], volumes["mr"], _what(case, role, names)) for role in others}
        pair |= {"mr_channels": list(names), "channel_shares_of_mr": shares}
    if "labels" in volumes and not volumes["labels"].array.any():
        raise DataError(
            f"case {case}: the label map is empty",
            found="no voxel over 0",
            expected="at least one labelled voxel",
            hint="check data.labels, or leave the case out",
        )
    return pair


def _describe(volume: Volume, path: Path) -> dict:
    array = volume.array
    return {
        "shape": list(volume.geometry.shape),
        "spacing_mm": list(volume.spacing_mm),
        "minimum": float(array.min()),
        "maximum": float(array.max()),
        "sha256": sha256_of(path),
    }


def is_image(role: str) -> bool:
    """Whether a role is that of an image: the CT, the MR or one of its channels."""
    return role == "ct" or channels.is_mr(role)


def _what(case: str, role: str, names: Sequence[str] = ()) -> str:
    """How messages call an image of a case. names: of the MR's channels."""
    return f"case {case}: {title_of(role, names)}"


def title_of(role: str, names: Sequence[str] = ()) -> str:
    """How people call an image of a case. names: of the MR's channels."""
    if channels.is_mr(role):
        return channels.title(role, names)
    titles = {
        "ct": "CT",
        "mask": "mask",
        "labels": "label map",
        "mr_contour": "contour in the MR",
        "ct_contour": "contour in the CT",
        "mr_labels": "label map on the MR's grid",
        "displacement": "displacement",
    }
    return titles[role]
