"""Where a report's numbers come from: revision, versions, machines, and the inputs' checksums."""

import importlib.metadata
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..base.package import PROJECT
from ..study.channels import roles
from ..study.paths import TaskPaths
from ..study.records import read_record
from ..study.registration import TRAINING_SIDE

PACKAGES = (
    "snakemake", "torch", "nnunetv2", "TotalSegmentator", "itk-elastix", "SimpleITK", "surface-distance",
    "scikit-image", "scipy", "numpy", "pandas", "matplotlib",
)  # fmt: skip


def git_revision(project: str | Path = PROJECT) -> str:
    """The git revision of the code, with a remark where files differ from it; in words where there is none."""
    try:
        revision = _git(project, "rev-parse", "HEAD")
        changed = _git(project, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "not known: the project's folder is not a git repository"
    return revision + (", with changes that are not committed" if changed else "")


def _git(project: str | Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def package_versions() -> list[tuple[str, str]]:
    """Packages with the versions in the report's own environment."""
    found = []
    for name in PACKAGES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append((name, "in the environment of other jobs"))
    return found


def machines(costs: Iterable[dict]) -> list[str]:
    """The machines that trained, in words, each once."""
    words = []
    for cost in costs:
        machine = cost.get("machine") or {}
        gpu = machine.get("gpu") or "no GPU"
        words.append(
            f"{machine.get('cores', '?')} cores of {machine.get('processor') or 'an unknown processor'}, {gpu}, "
            f"Python {machine.get('python', '?')}, torch {machine.get('torch', '?')}"
        )
    return list(dict.fromkeys(words))


def input_checksums(root: str | Path, cases: Iterable[str]) -> list[tuple[str, str, str]]:
    """(case, sha256 of the MR, sha256 of the CT), as recorded when each case was prepared; a dash where it failed.

    Of an MR of several channels the sha256 of each, in their order.
    """
    lines = []
    for case, record in _prepared(root, cases):
        mr = [record.get(f"{role}_sha256", "–") for role in roles(record.get("mr_channels", ()))]
        lines.append((case, " ".join(mr), record.get("ct_sha256", "–")))
    return lines


def label_checksums(root: str | Path, cases: Iterable[str]) -> list[tuple[str, str]]:
    """(case, sha256 of its label map) of cases that are label maps alone."""
    return [(case, record.get("labels_sha256", "–")) for case, record in _prepared(root, cases)]


def _prepared(root: str | Path, cases: Iterable[str]) -> Iterator[tuple[str, dict]]:
    """Each case with what was recorded when it was prepared; nothing where it failed."""
    for case in cases:
        paths = [Path(TaskPaths(str(root)).prepared(case, side)) / "case.json" for side in ("", TRAINING_SIDE)]
        yield case, next((read_record(path) for path in paths if path.is_file()), {})
