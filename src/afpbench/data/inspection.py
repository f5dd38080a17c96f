"""Open every case of a source once and say what it is and what looks wrong with it."""

import hashlib
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..base.errors import AfpbenchError, DataError
from ..base.log import logger
from ..study import channels
from ..study.kinds.sources import open_source
from ..volumes.images import check_values, is_hu
from ..volumes.io import Volume
from .checks import check_channel, check_overlap
from .importing import canonical, check_files, read_files, title_of
from .pairs import agreement
from .thumbnails import thumbnail

LEAST_BODY_DICE = 0.8
LEAST_CONTOUR_DICE = 0.8
LEAST_BODY_SHARE = 0.05
FLIP_GAIN = 1.5
AXES = ("L", "R", "P", "A", "S", "I")  # towards which an index axis runs: +x, -x, +y, -y, +z, -z in LPS


@dataclass
class Inspection:
    """What was found of a case. facts: column -> value; error: what ends its import; findings: what looks wrong;
    digests: of the voxels of each image, by what it is called; mr_channels: the names of the MR's channels."""

    case: str
    facts: dict[str, object] = field(default_factory=dict)
    error: str = ""
    findings: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    picture: bytes = b""
    mr_channels: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        return "error" if self.error else "look" if self.findings else "ok"


def inspect_source(data: dict, cases: list[str], root: Path, jobs: int = 1) -> Iterator[Inspection]:
    """Inspect cases in their order, `jobs` at a time (in threads: the work is in ITK and NumPy)."""
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        yield from pool.map(lambda case: inspect_case(data, case, root), cases)


def inspect_case(data: dict, case: str, root: Path) -> Inspection:
    """Read a case's files once; what the import would refuse is its error, what merely looks wrong a finding."""
    result = Inspection(case)
    try:
        source = open_source(data, root)
        names = result.mr_channels = source.mr_channels
        titles = {role: title_of(role, names) for role in source.image_roles}
        _, stored = read_files(data, case, root)
        for role in titles:
            result.facts |= _describe(role, stored[role])
        for role, volume in stored.items():
            what = titles[role] if names and role in titles else role.replace("_", " ")
            result.findings += [f"{what}: {finding}" for finding in volume.findings]
        read = {role: canonical(volume) for role, volume in stored.items()}
        for role, title in titles.items():
            check_values(read[role], f"case {case}: {title}")
            voxels = np.ascontiguousarray(read[role].array, dtype=np.float32)
            result.digests[title] = hashlib.blake2b(voxels.data, digest_size=16).hexdigest()
            result.findings += _constant_slices(title, stored[role].array)
        result.picture = thumbnail([read[role] for role in channels.roles(names)], read["ct"])
        check_files(data, case, read, names)
        for role in channels.roles(names)[1:]:
            share = check_channel(read[role], read["mr"], f"case {case}: {titles[role]}")
            if share < 1:
                result.findings.append(f"the {titles[role]} shows {share:.0%} of what the first channel shows")
        for role in filter(channels.is_mr, titles):
            if is_hu(read[role]):
                result.findings.append(f"the {titles[role]} has values of HU, as a CT has them")
        result.facts["box_share"] = round(check_overlap(read["mr"], read["ct"], f"case {case}"), 3)
        _compare(result, read)
    except AfpbenchError as error:
        result.error = str(error)
    except Exception as error:  # one broken case never hides the others
        result.error = _unexpected(case, error)
    return result


def _unexpected(case: str, error: Exception) -> str:
    """What is said of an error that nobody foresaw: its kind and place; its text may quote a file's header."""
    steps = traceback.extract_tb(error.__traceback__)
    lines = [f"  {Path(step.filename).name}:{step.lineno} {step.name}" for step in steps]
    logger.error("case %s: %s\n%s", case, type(error).__name__, "\n".join(lines))
    return str(
        DataError(
            f"case {case}: it cannot be read or compared",
            found=f"{type(error).__name__} at {lines[-1].strip() if lines else '?'}",
            hint="the log shows the way there; this is a fault of afpbench: please report it, and leave the case out "
            "meanwhile",
        )
    )


def find_duplicates(inspections: list[Inspection]) -> None:
    """Add a finding to cases whose image has the voxels of another image of the source."""
    owners: dict[str, tuple[str, str]] = {}
    for item in inspections:
        for image, digest in item.digests.items():
            if digest in owners:
                case, other = owners[digest]
                where = f"the {other} of {case}" if case != item.case else f"its {other}"
                item.findings.append(f"the {image} has the voxels of {where}")
            owners.setdefault(digest, (item.case, image))


def _compare(result: Inspection, read: dict[str, Volume]) -> None:
    """How MR and CT fit together, and what of it looks wrong."""
    fit = agreement(read["mr"], read["ct"])
    result.facts |= {
        "body_share": round(fit.body_share, 3),
        "body_dice": round(fit.body_dice, 3),
        "mutual_information": round(fit.mutual_information, 3),
    }
    if fit.body_share < LEAST_BODY_SHARE:
        result.findings.append(f"hardly any body: {fit.body_share:.0%} of the MR's volume in the CT")
    if fit.body_dice < LEAST_BODY_DICE:
        result.findings.append(
            f"MR and CT disagree: Dice of their bodies {fit.body_dice:.2f} where both have data (not aligned, "
            "or not one patient)"
        )
    if fit.flipped_information > FLIP_GAIN * fit.mutual_information:
        result.findings.append(
            f"{fit.flip} seem to be exchanged in one of the two: mutual information {fit.mutual_information:.2f}, "
            f"flipped {fit.flipped_information:.2f}"
        )
    if {"mr_contour", "ct_contour"} <= set(read):
        dice = _contour_dice(read)
        result.facts["contour_dice"] = round(dice, 3)
        if dice < LEAST_CONTOUR_DICE:
            result.findings.append(f"the contours disagree: Dice {dice:.2f} where the files place them")


def _contour_dice(read: dict[str, Volume]) -> float:
    from ..volumes.preprocessing import resample_labels

    first = resample_labels(read["mr_contour"], read["ct_contour"].geometry).array > 0
    second = read["ct_contour"].array > 0
    return 2 * float((first & second).sum()) / max(1, int(first.sum() + second.sum()))


def _describe(role: str, volume: Volume) -> dict[str, object]:
    low, high = np.percentile(volume.array[:: max(1, volume.array.shape[0] // 40), ::2, ::2], (0.5, 99.5))
    return {
        f"{role}_size": " x ".join(str(n) for n in volume.geometry.shape[::-1]),
        f"{role}_spacing_mm": " x ".join(f"{s:.2f}" for s in volume.geometry.spacing_mm[::-1]),
        f"{role}_axes": axes(volume),
        f"{role}_low": round(float(low), 1),
        f"{role}_high": round(float(high), 1),
    }


def axes(volume: Volume) -> str:
    """Towards which side of the patient the x, y and z index axes run, such as LPS; ~ behind it where oblique."""
    direction = np.array(volume.geometry.direction).reshape(3, 3)
    letters, oblique = "", False
    for column in direction.T:
        axis = int(np.argmax(np.abs(column)))
        letters += AXES[2 * axis + (column[axis] < 0)]
        oblique |= abs(column[axis]) < 0.9999
    return letters + ("~" if oblique else "")


def _constant_slices(image: str, array: np.ndarray) -> list[str]:
    """Slices without any contrast between slices that have some."""
    flat = array.reshape(len(array), -1)
    constant = flat.min(axis=1) == flat.max(axis=1)
    inside = np.flatnonzero(~constant)
    count = int(constant[inside[0] : inside[-1]].sum()) if inside.size else len(array)
    return [f"{count} of {len(array)} slices of the {image} are constant"] if count else []
