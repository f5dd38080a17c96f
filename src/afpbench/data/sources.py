"""Where cases come from: their ids and their files. Read while the workflow is parsed: standard library only."""

import csv
import os
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..base.errors import ConfigError
from . import layouts
from .case_table import CaseTable, read_table

REAL_DATA_VARIABLE = "AFPBENCH_REAL_DATA"
REAL_DATA_DEFAULT = "../shared/real"
DOWNLOAD_DEFAULTS = {"sts": "resources/sts", "synthrad2023": "resources/synthrad2023"}
SOURCES = ("phantom", "sts", "table", "folder", "bids", "synthrad2023", "synthrad2025")
TOTALSEGMENTATOR_CLASSES = 117
STS_TABLE = Path(__file__).with_name("sts_files.tsv")
STS_ROLES = {
    "mr": "MR_T1_image.nii.gz",
    "ct": "CT_image.nii.gz",
    "mr_contour": "MR_T1_mask.nii.gz",
    "ct_contour": "CT_mask.nii.gz",
}


@dataclass(frozen=True)
class RemoteFile:
    """One file of the public repository: its path there, size in bytes and sha256."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def case(self) -> str:
        return self.path.split("/")[-2]

    @property
    def name(self) -> str:
        return self.path.split("/")[-1]


@lru_cache(maxsize=1)
def sts_files() -> tuple[RemoteFile, ...]:
    """The files of the soft-tissue-sarcoma patients in the public repository `theibsi/data_sets`."""
    with open(STS_TABLE, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return tuple(RemoteFile(row["path_in_repository"], int(row["bytes"]), row["sha256"]) for row in rows)


def list_cases(data: dict, root: Path) -> list[str]:
    """The case ids of a task, in a fixed order, without `exclude`.

    data: the task's `data` section of the study file. root: the folder that relative paths start from.
    Raises ConfigError for an unknown source, an unknown or repeated id, or no case left.
    """
    available = _available_cases(data, Path(root))
    wanted = data.get("cases") if isinstance(data.get("cases"), list) else available
    excluded = data.get("exclude") or []
    _check_ids("data.cases", wanted, available)
    _check_ids("data.exclude", excluded, available)
    left_out = set(excluded)
    cases = [case for case in wanted if case not in left_out]
    if not cases:
        raise ConfigError(
            "data: no case is left",
            found=f"{len(wanted)} cases listed, {len(excluded)} excluded",
            expected="at least one case",
            hint="shorten data.exclude or name more cases in data.cases",
        )
    return cases


def case_files(data: dict, case: str, root: Path) -> dict[str, Path]:
    """The input files of a case that lies on disk: role (`mr`, `ct`, `mask`, `labels`, `mr_contour`, `ct_contour`)
    -> path of a file, or of a folder of DICOM files.

    A phantom case has none. The paths need not exist yet: a download rule makes those of `download_folder`.
    """
    source, root = data["source"], Path(root)
    if source == "phantom":
        return {}
    if source == "sts":
        folder = case_folder(data, case, root)
        return {role: folder / name for role, name in STS_ROLES.items()}
    if source == "table":
        return case_table(data, root).files(case)
    if source == "folder":
        return layouts.folder_files(data, case, base_folder(data, root))
    if source == "bids":
        return layouts.bids_files(data, case, base_folder(data, root))
    return layouts.synthrad_files(data, case, base_folder(data, root))


def case_series(data: dict, case: str, root: Path) -> dict[str, str]:
    """Role (`mr`, `ct`) -> SeriesInstanceUID, where the line of a table names the series to take from a folder."""
    if data["source"] != "table":
        return {}
    row = case_table(data, root).rows[case]
    return {role: row[f"{role}_series"] for role in ("mr", "ct") if row.get(f"{role}_series")}


def base_folder(data: dict, root: Path) -> Path | None:
    """The folder that a source's cases must lie in; None for a table, which may name any path, and for phantoms."""
    if data["source"] in ("phantom", "table"):
        return None
    if data.get("root"):
        return _from(root, data["root"])
    return download_folder(data, root)


def case_table(data: dict, root: Path) -> CaseTable:
    """The table of a source `table`."""
    return read_table(_from(Path(root), data["table"]))


def case_column(data: dict, name: str, root: Path) -> dict[str, str]:
    """Case id -> value of a column: any of a table; of SynthRAD `centre`, the letter in the id.

    Raises ConfigError for a column that the source does not have.
    """
    if data["source"] == "table":
        return case_table(data, root).column(name)
    if data["source"] in layouts.SYNTHRAD and name == "centre":
        return {case: case[-4] for case in _available_cases(data, Path(root))}
    columns = "centre" if data["source"] in layouts.SYNTHRAD else "none"
    raise ConfigError(
        f"the source '{data['source']}' has no such column",
        found=name,
        expected=columns,
        hint="list the cases in a table (data.source: table), which may have any columns",
    )


def case_folder(data: dict, case: str, root: Path) -> Path:
    """The folder of an STS case: in `data.root` where that is given, else in the folder of real data
    (variable AFPBENCH_REAL_DATA) where the case lies there, else in the download folder."""
    if data.get("root"):
        return _from(root, data["root"]) / case
    local = real_data_folder(root) / "sts" / case
    return local if local.is_dir() else download_folder(data, root) / case


def needs_download(data: dict, case: str, root: Path) -> bool:
    """Whether the files of a case are to be made by the download rules (it looks at no checksum)."""
    if data["source"] == "synthrad2023":
        return not data.get("root")
    return data["source"] == "sts" and case_folder(data, case, root).parent == download_folder(data, root)


def real_data_folder(root: Path) -> Path:
    """The folder of real inputs: what AFPBENCH_REAL_DATA names, else a sibling folder of the project."""
    return _from(root, os.environ.get(REAL_DATA_VARIABLE) or REAL_DATA_DEFAULT)


def download_folder(data: dict, root: Path) -> Path:
    """Where downloaded cases go (`data.download_dir`); a user without network may fill it by hand."""
    return _from(root, data.get("download_dir") or DOWNLOAD_DEFAULTS[data["source"]])


def class_ids(data: dict) -> dict[str, int]:
    """The label values that a source's cases carry: class name -> id, {} for a source without labels."""
    if data["source"] == "phantom":
        from ..phantom.labels import LABELS

        return dict(LABELS)
    labels = data.get("labels") or {}
    if labels.get("kind") == "files":
        return dict(labels["classes"])
    return {name: number for number, name in enumerate(labels.get("structures") or {}, start=1)}


def segmenter_groups(data: dict, segmenter: dict) -> dict[str, list[int]]:
    """Class name -> label values of the cases, for a segmenter that is trained from the cases' labels.

    Of TotalSegmentator's stand-in these are its `classes`, or all that occur in the source under its ids.
    A segmenter with weights of its own has none, nor has one that learns from another.
    """
    if segmenter["kind"] == "distilled":
        return {}
    ids = class_ids(data)
    if segmenter["kind"] == "trained" or segmenter.get("classes"):
        return {group: [ids[name] for name in members] for group, members in segmenter["classes"].items()}
    if segmenter["kind"] == "totalsegmentator" and segmenter["weights"] == "stand_in" and data["source"] == "phantom":
        from ..phantom.labels import REGION_CLASSES

        present = [name for name in REGION_CLASSES[data["region"]] if ids[name] <= TOTALSEGMENTATOR_CLASSES]
        return {name: [ids[name]] for name in sorted(present, key=ids.get)}
    return {}


def phantom_index(data: dict, case: str) -> int:
    """The number of a phantom case: `thorax_007` -> 7."""
    return int(case.removeprefix(f"{data['region']}_"))


def _available_cases(data: dict, root: Path) -> list[str]:
    source = data.get("source")
    if source == "phantom":
        count = data.get("cases")
        count = count if isinstance(count, int) else 1000
        return [f"{data['region']}_{number:03d}" for number in range(count)]
    if source == "sts":
        return sorted({file.case for file in sts_files()})
    if source == "table":
        return list(case_table(data, root).rows)
    if source == "folder":
        return layouts.folder_cases(data, base_folder(data, root))
    if source == "bids":
        return layouts.bids_cases(data, base_folder(data, root))
    if source == "synthrad2023" and not data.get("root"):
        return _downloadable(data)
    if source in ("synthrad2023", "synthrad2025"):
        return layouts.synthrad_cases(data, base_folder(data, root))
    raise ConfigError(
        "data.source: no such source", found=source, expected=", ".join(SOURCES), hint="choose one of these"
    )


def _downloadable(data: dict) -> list[str]:
    """The ids of SynthRAD2023 that are known before its archive is there."""
    if data["region"] == "pelvis":
        return list(layouts.synthrad2023_pelvis())
    raise ConfigError(
        "data.root: missing",
        found=f"region {data['region']}, of which the ids are not known before the archive is unpacked",
        expected="the folder into which Task1.zip was unpacked",
        hint="only the region pelvis is downloaded by itself",
    )


def _check_ids(where: str, ids: list, known: list[str]) -> None:
    repeated = sorted(case for case, count in Counter(ids).items() if count > 1)
    if repeated:
        raise ConfigError(
            f"{where}: an id stands there more than once",
            found=", ".join(repeated),
            expected="each id once",
            hint="remove the repetition",
        )
    available = set(known)
    unknown = [str(case) for case in ids if case not in available]
    if unknown:
        shown = known if len(known) <= 40 else [*known[:5], "...", known[-1]]
        raise ConfigError(
            f"{where}: not a case of this source",
            found=", ".join(unknown),
            expected=", ".join(shown),
            hint="correct the id or remove it",
        )


def _from(root: Path, path: str | Path) -> Path:
    return Path(os.path.normpath(Path(root) / Path(path).expanduser()))
