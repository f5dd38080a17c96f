"""Installed packages against the pinned ones, and those that get into one another's way."""

import importlib.metadata
import platform
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from .finding import Finding

INSTALL = "`make setup`, or pip install -r requirements.txt"
SAME_NAME = {"Surface-Distance-Based-Measures": "surface-distance"}  # an older copy with the import name of the second
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$", re.MULTILINE)


def find(project: Path) -> Iterator[Finding]:
    """Python and the packages. project: the folder of requirements.txt and pyproject.toml."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield _python(about["requires-python"])
    pinned = dict(PINNED.findall((project / "requirements.txt").read_text(encoding="utf-8")))
    yield from compare(pinned, about["dependencies"], {name: installed(name) for name in pinned})
    for name, other in SAME_NAME.items():
        if installed(name):
            hint = f"pip uninstall {name} {other}, then pip install {other}=={pinned[other]}"
            yield Finding("problem", "packages", f"{name} is installed, whose modules replace those of {other}", hint)


def installed(name: str) -> str | None:
    """The version of an installed package without its build (`+cpu`); None where it is not installed."""
    try:
        return importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def compare(pinned: Mapping[str, str], needed: list[str], found: Mapping[str, str | None]) -> Iterator[Finding]:
    """A line for each package that is not as pinned, or one for all.

    pinned: name -> version of requirements.txt. needed: the package's own dependencies, as pyproject.toml has them.
    found: name -> installed version. A version that `needed` does not allow is a problem, another one than the pinned
    is not tested.
    """
    allowed = {_plain(need.name): need.specifier for need in map(Requirement, needed)}
    others = {name: version for name, version in found.items() if version != pinned[name]}
    for name, version in others.items():
        specifier = allowed.get(_plain(name))
        if version is None:
            level = "note" if specifier is None else "problem"
            yield Finding(level, "packages", f"{name} is not installed (pinned: {pinned[name]})", INSTALL)
        elif specifier is not None and version not in specifier:
            yield Finding("problem", "packages", f"{name} {version}, needed: {specifier}", INSTALL)
        else:
            yield Finding("note", "packages", f"{name} {version}, tested with {pinned[name]}")
    if not others:
        yield Finding("ok", "packages", f"all {len(pinned)} as pinned in requirements.txt")


def _plain(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _python(required: str) -> Finding:
    version = platform.python_version()
    if SpecifierSet(required).contains(version):
        return Finding("ok", "python", f"{version}, {sys.executable}")
    return Finding("problem", "python", f"{version}, needed: {required}", "make setup PYTHON=/path/to/python3.11")
