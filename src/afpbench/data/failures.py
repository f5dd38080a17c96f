"""What becomes of a case that fails in one stage: the run stops, or the case is carried on as failed."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ..base.atomic import write_json
from ..base.errors import ConfigError, DataError
from ..base.log import logger
from ..study.records import read_record

RECORD = "failed.json"
POLICY_VARIABLE = "AFPBENCH_FAILED_CASES"
POLICIES = ("stop", "exclude")


def run_stage(
    case: str, stage: str, out: Path, previous: Path | None, policy: str, function: Callable[[Path], None]
) -> bool:
    """Run one stage of one case so that `out` is whole or absent, and follow the policy for failed cases.

    out: the stage's folder. `function` gets a temporary folder beside it, which then takes its name.
    previous: the folder of the stage before; if that holds a failed.json, it is copied on and nothing is run.
    policy: `stop` (an error is raised) or `exclude` (an error is logged with its traceback, and `out` holds only
    failed.json: {"case", "stage", "error"}).
    Returns whether the case is alive after this stage.
    """
    if policy not in POLICIES:
        raise ConfigError("failed_cases: no such policy", found=policy, expected=" or ".join(POLICIES))
    out = Path(out)
    record = failure_of(previous) if previous is not None else None
    if record is not None and policy == "stop":
        raise DataError(
            f"case {case}: it failed in an earlier stage ({record['stage']})",
            found=record["error"],
            expected="no failed case, as failed_cases is 'stop'",
            hint=f"mend the case and remove {previous}, or set failed_cases to 'exclude'",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f".tmp-{out.name}-*"):  # of a job that was killed; a stage is never run twice at once
        shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".tmp-{out.name}-", dir=out.parent))
    temporary.chmod(0o755)
    try:
        if record is None:
            record = _run(case, stage, temporary, policy, function)
        if record is not None:
            _empty(temporary)
            write_json(temporary / RECORD, record)
        if out.exists():
            shutil.rmtree(out)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return record is None


def failure_of(folder: Path) -> dict | None:
    """The failed.json of a stage's folder, or None for a case that is alive."""
    path = Path(folder) / RECORD
    return read_record(path) if os.path.lexists(path) else None


def _run(case: str, stage: str, folder: Path, policy: str, function: Callable[[Path], None]) -> dict | None:
    try:
        function(folder)
    except Exception as error:
        if policy == "stop":
            raise
        logger.exception("case %s failed in stage %s and is excluded", case, stage)
        return {"case": case, "stage": stage, "error": f"{error}" or type(error).__name__}
    return None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def policy() -> str:
    """The run's policy for failed cases: `stop`, or `exclude` (failed_cases in the study file, or --keep-going)."""
    return os.environ.get(POLICY_VARIABLE, "stop")


def set_policy(value: str) -> None:
    """Set the policy for this process and every one that it starts; the variable, where a user has set it, wins."""
    os.environ.setdefault(POLICY_VARIABLE, value)


def alive(folders: Iterable[str | Path]) -> dict[str, Path]:
    """Case id -> folder of the cases that have not failed, from paths `.../<case>/<stage>`.

    Raises DataError when none is left.
    """
    paths = [Path(folder) for folder in folders]
    found = {path.parent.name: path for path in paths if failure_of(path) is None}
    if not found:
        raise DataError(
            "every case has failed",
            found=f"{len(paths)} failed cases",
            expected="at least one case that is alive",
            hint="read failed.json in the cases' folders",
        )
    return found


def alive_splits(splits: dict, cases: dict[str, Path]) -> dict:
    """The splits without the cases that have failed; no part that had cases may lose all of them."""
    result = {}
    for part in ("train", "validation"):
        result[part] = [case for case in splits[part] if case in cases]
        if splits[part] and not result[part]:
            raise DataError(f"split {part}: every case has failed", found=", ".join(splits[part]))
    return result
