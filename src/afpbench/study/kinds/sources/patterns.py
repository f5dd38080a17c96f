"""Names of files with `{case}` in them, and with `*` for any text without a slash."""

import glob
import re
from pathlib import Path

from ....base.errors import ConfigError
from ....base.formats import is_volume_name
from ...case_ids import check_id, check_path

CASE = "{case}"


def ids_of(pattern: str, base: Path, where: str) -> set[str]:
    """The ids of the cases that have a file below `base` under the pattern.

    where: what names the pattern, for messages, such as `data.mr`. Raises ConfigError for an id or a path that is not
    usable and a pattern that does not say where it is.
    """
    expression = _expression(pattern, where)
    fits = {
        path: match["case"]
        for path in _images(base, pattern.replace(CASE, "*"))
        if (match := expression.fullmatch(path))
    }
    for path in fits:
        check_path(path, where)
    return {check_id(case, f"{where}: {path}") for path, case in fits.items()}


def file_of(pattern: str, case: str, base: Path, where: str, hint: str, written: str = "") -> Path:
    """The file of a case, or the folder of its DICOM files, below `base`; it need not be there.

    where: what names the pattern, for messages. hint: what helps where several files fit. written: the pattern as the
    study file has it, if not as here. Raises ConfigError where a pattern with `*` fits several, and for a path that
    Snakemake cannot take.
    """
    name = pattern.replace(CASE, case)
    found = sorted(_images(base, name)) if "*" in name else [name]
    if len(found) > 1:
        raise ConfigError(
            f"{where}: several files of case {case} fit",
            found=", ".join(found[:5]),
            expected=f"one file that fits {written or pattern}",
            hint=f"make the pattern narrower, or {hint}",
        )
    file = found[0] if found else name
    check_path(file, where)
    return base / file


def find(base: Path, pattern: str) -> list[str]:
    """What lies below `base` under a pattern in which `*` alone has a meaning; paths from `base`."""
    return glob.glob("*".join(map(glob.escape, pattern.strip("/").split("*"))), root_dir=base)


def _images(base: Path, pattern: str) -> list[str]:
    """What fits and can be an image: a volume, a file or folder of DICOM; no text, picture or `._` file of macOS."""
    return [path for path in find(base, pattern) if (base / path).is_dir() or is_volume_name(Path(path))]


def need_folder(base: Path) -> None:
    """Raises ConfigError where the folder of the cases is not there."""
    if not base.is_dir():
        raise ConfigError(
            f"data.root: no such folder: {base}",
            expected="the folder that holds the cases",
            hint="correct data.root; relative paths start from the folder where Snakemake runs",
        )


def _expression(pattern: str, where: str) -> re.Pattern[str]:
    if CASE not in pattern:
        role = where.rsplit(".", 1)[-1]
        raise ConfigError(
            f"{where}: the pattern does not say where the case id is",
            found=pattern,
            expected=f"a path with {CASE} in it, such as {CASE}/{role}.nii.gz",
            hint=f"put {CASE} where the names of two cases differ",
        )
    parts = [r"[^/]*".join(map(re.escape, part.split("*"))) for part in pattern.strip("/").split(CASE)]
    text = parts[0] + "(?P<case>[^/]+)" + "(?P=case)".join(parts[1:])
    return re.compile(text)
