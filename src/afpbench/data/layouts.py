"""How cases lie in a folder: by patterns of names, as SynthRAD does it, as BIDS does it. Standard library only."""

import glob
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..base.errors import ConfigError, DataError
from .ids import check_id

SYNTHRAD = {
    "synthrad2023": {"pelvis": ("pelvis", "1P"), "brain": ("brain", "1B")},
    "synthrad2025": {"abdomen": ("AB", "1AB"), "head_neck": ("HN", "1HN"), "thorax": ("TH", "1TH")},
}
SYNTHRAD_ENDING = {"synthrad2023": ".nii.gz", "synthrad2025": ".mha"}
SYNTHRAD_PARENTS = ("Task1", "synthRAD2025_Task1_Train/Task1", ".")
SYNTHRAD2023_PELVIS = Path(__file__).with_name("synthrad2023_pelvis.txt")
PATTERN_ROLES = ("mr", "ct", "mask", "label_map", "mr_contour", "ct_contour")
CASE = "{case}"


def synthrad_cases(data: dict, base: Path) -> list[str]:
    """The ids of a SynthRAD Task 1 region below `base`; what is no patient's folder (`overview`) is passed over.

    base: the folder that holds `Task1/pelvis/1PA001/`, or `Task1` or `pelvis` itself.
    """
    folder = _synthrad_region(data, base)
    name = _synthrad_id(data)
    return sorted(entry.name for entry in folder.iterdir() if name.fullmatch(entry.name) and entry.is_dir())


def synthrad_files(data: dict, case: str, base: Path) -> dict[str, Path]:
    """Role -> path of a SynthRAD case: MR, CT and the mask of the patient's outline, on one grid.

    Below `base` as for `synthrad_cases`; a case that is not there has the paths that the archive gives it.
    """
    places = [folder / case for folder in _synthrad_folders(data, base)]
    folder = next((place for place in places if place.is_dir()), places[0])
    return {role: folder / f"{role}{SYNTHRAD_ENDING[data['source']]}" for role in ("mr", "ct", "mask")}


@cache
def synthrad2023_pelvis() -> tuple[str, ...]:
    """The ids of the 180 patients of SynthRAD2023, Task 1, pelvis (training set), as its archive has them."""
    return tuple(SYNTHRAD2023_PELVIS.read_text(encoding="utf-8").split())


def _synthrad_id(data: dict) -> re.Pattern:
    return re.compile(SYNTHRAD[data["source"]][data["region"]][1] + r"[A-E]\d{3}")


def _synthrad_folders(data: dict, base: Path) -> list[Path]:
    """Where the patients of a region may lie."""
    part, _ = SYNTHRAD[data["source"]][data["region"]]
    return [*(base / parent / part for parent in SYNTHRAD_PARENTS), base]


def _synthrad_region(data: dict, base: Path) -> Path:
    part, _ = SYNTHRAD[data["source"]][data["region"]]
    name = _synthrad_id(data)
    for folder in _synthrad_folders(data, base):
        if folder.is_dir() and any(name.fullmatch(entry.name) for entry in folder.iterdir()):
            return folder
    raise ConfigError(
        f"data.root: no patients of {data['source']}, region {data['region']}",
        found=f"{base} ({'a folder without them' if base.is_dir() else 'no such folder'})",
        expected=f"a folder that holds Task1/{part}/{_example(data)}/ with mr, ct and mask "
        f"({SYNTHRAD_ENDING[data['source']]})",
        hint="unpack the archive of Task 1 there, or correct data.root",
    )


def _example(data: dict) -> str:
    return SYNTHRAD[data["source"]][data["region"]][1] + "A001"


def folder_cases(data: dict, base: Path) -> list[str]:
    """The ids of the cases of which an MR or a CT lies below `base` under the patterns `data.mr` and `data.ct`."""
    _need_folder(base)
    cases = set()
    for role in ("mr", "ct"):
        expression = _expression(data[role], role)
        for path in _glob(base, data[role].replace(CASE, "*")):
            match = expression.fullmatch(path)
            if match:
                cases.add(check_id(match["case"], f"data.{role}: {path}"))
    if not cases:
        raise ConfigError(
            f"data.root: no case in {base}",
            found=f"nothing that fits {data['mr']} or {data['ct']}",
            expected="at least one MR and its CT",
            hint="correct data.root, data.mr and data.ct; {case} stands for the id, * for any text",
        )
    return sorted(cases)


def folder_files(data: dict, case: str, base: Path) -> dict[str, Path]:
    """Role -> path of a case under the patterns; a file that is not there keeps the pattern's path.

    Raises ConfigError where a pattern with * fits several files of the case.
    """
    files = {}
    for key in PATTERN_ROLES:
        if not data.get(key):
            continue
        name = data[key].replace(CASE, case)
        found = sorted(_glob(base, name)) if "*" in name else [name]
        if len(found) > 1:
            raise ConfigError(
                f"data.{key}: several files of case {case} fit",
                found=", ".join(found[:5]),
                expected=f"one file that fits {data[key]}",
                hint="make the pattern narrower, or list the cases in a table (data.source: table)",
            )
        files["labels" if key == "label_map" else key] = base / (found[0] if found else name)
    return files


def bids_cases(data: dict, base: Path) -> list[str]:
    """The ids (`sub-01`, or `sub-01_ses-02` where there are sessions) that have an MR or a CT in a BIDS folder."""
    _need_folder(base)
    found = {case for role in ("mr", "ct") for case, _ in _bids(data, base, role, "sub-*")}
    if not found:
        raise ConfigError(
            f"data.root: no case in {base}",
            found=f"no sub-*/ with a file *_{data['mr_suffix']}.nii.gz or *_{data['ct_suffix']}.nii.gz",
            expected="a BIDS folder: sub-01/[ses-01/]<type>/sub-01_[..._]<suffix>.nii.gz",
            hint="correct data.root, data.mr_suffix and data.ct_suffix",
        )
    return sorted(check_id(case, f"data.root: {base}") for case in found)


def bids_files(data: dict, case: str, base: Path) -> dict[str, Path]:
    """Role -> path of a case of a BIDS folder. Raises ConfigError where there is not exactly one MR and one CT."""
    files = {}
    for role in ("mr", "ct"):
        found = sorted(path for name, path in _bids(data, base, role, case.split("_")[0]) if name == case)
        if len(found) != 1:
            raise ConfigError(
                f"case {case}: {'no' if not found else 'more than one'} {role.upper()} in the BIDS folder",
                found=", ".join(path.name for path in found) or "none",
                expected=f"one file *_{data[f'{role}_suffix']}.nii.gz",
                hint=f"choose by data.{role}_suffix and data.{role}_entities (such as {{acq: ute}}), "
                "or leave the case out with data.exclude",
            )
        files[role] = found[0]
    return files


def _bids(data: dict, base: Path, role: str, subject: str) -> Iterator[tuple[str, Path]]:
    suffix, entities = data[f"{role}_suffix"], data.get(f"{role}_entities") or {}
    for level in (f"{subject}/*", f"{subject}/ses-*/*"):
        for ending in (".nii.gz", ".nii"):
            for name in _glob(base, f"{level}/{subject}_*{suffix}{ending}"):
                path = base / name
                words = path.name.removesuffix(ending).split("_")
                pairs = dict(word.split("-", 1) for word in words[:-1] if "-" in word)
                if words[-1] == suffix and all(pairs.get(key) == value for key, value in entities.items()):
                    session = f"_ses-{pairs['ses']}" if "ses" in pairs else ""
                    yield f"sub-{pairs.get('sub', '')}{session}", path


def _need_folder(base: Path) -> None:
    if not base.is_dir():
        raise ConfigError(
            f"data.root: no such folder: {base}",
            expected="the folder that holds the cases",
            hint="correct data.root; relative paths start from the folder where Snakemake runs",
        )


def _expression(pattern: str, role: str) -> re.Pattern:
    if CASE not in pattern:
        raise ConfigError(
            f"data.{role}: the pattern does not say where the case id is",
            found=pattern,
            expected="a path with {case} in it, such as {case}/" + role + ".nii.gz",
            hint="put {case} where the names of two cases differ",
        )
    parts = [r"[^/]*".join(map(re.escape, part.split("*"))) for part in pattern.strip("/").split(CASE)]
    text = parts[0] + "(?P<case>[^/]+)" + "(?P=case)".join(parts[1:])
    return re.compile(text)


def _glob(base: Path, pattern: str) -> list[str]:
    return glob.glob("*".join(map(glob.escape, pattern.strip("/").split("*"))), root_dir=base)


def check_inside(base: Path, path: Path, what: str) -> None:
    """Refuse a symbolic link that leads out of the cases' folder. what: for the message, with the case."""
    target = path.resolve()
    if path.exists() and not target.is_relative_to(base.resolve()):
        raise DataError(
            f"{what}: a link leads out of the folder of the data: {path}",
            found=f"it points to {target}",
            expected=f"a file below {base}",
            hint="copy the file there, or name it in a table (data.source: table), which may name any path",
        )
