"""A chunk of cases through one loaded network, with a record: what was made, and what failed."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ..base.atomic import write_json
from ..base.batch import Batch
from ..base.log import progress
from ..data.failures import failure_of, policy
from ..study.paths import Images
from ..study.records import OK, read_entries

Make = Callable[[str, Path, Path], dict]


def run_chunk(prepared: dict[str, Path], record: Path, make: Make) -> None:
    """Call `make(case, prepared folder, output file)` for each case and write the record of all.

    prepared: case id -> prepared folder. record: `<folder>/records/<chunk>.json`; the images go to
    `<folder>/<case>.nii.gz`. A case that failed before, or fails here while failed cases are excluded, is
    recorded with its reason; otherwise no record is written, and an error names each failed case at the end.
    """
    entries, batch = [], Batch("chunk", prepared)
    images = Images.of_record(record)
    for case, folder in progress(prepared.items(), len(prepared), "case"):
        out = Path(images.image(case))
        before = failure_of(folder)
        if before is not None:
            entries.append({"case": case, "status": f"failed: {before['stage']}: {before['error']}"})
            continue
        with batch.case(case):
            entries.append(make(case, folder, out))
        if case in batch.failed:
            entries.append({"case": case, "status": f"failed: {batch.cause(case)}"})
    if policy() == "stop":
        batch.finish(kept="the images of the other cases are written")
    write_json(record, {"cases": entries})


def lost_images(record: Path) -> list[str]:
    """The images that a record tells of and that are not there (any more)."""
    images, found = Images.of_record(record), []
    for entry in read_entries(record):
        if entry["status"] == OK:
            found += [images.image(entry["case"])]
            found += [images.uncalibrated(entry["case"])] if "calibration" in entry else []
            found += [images.uncertainty(entry["case"])] if "uncertainty" in entry else []
    return [path for path in found if not os.path.isfile(path)]


def failures(records: Iterable[str | Path]) -> dict[str, str]:
    """Case -> reason, of the cases that any of the records calls failed."""
    found: dict[str, str] = {}
    for record in records:
        for entry in read_entries(record):
            if entry["status"] != OK:
                found.setdefault(entry["case"], entry["status"].removeprefix("failed: "))
    return found


def calibrations(records: Iterable[str | Path]) -> dict[str, dict]:
    """Case -> {"slope", "offset_hu"}, of the cases whose HU were calibrated at export."""
    entries = [entry for record in records for entry in read_entries(record)]
    return {entry["case"]: entry["calibration"] for entry in entries if "calibration" in entry}


def uncertain(records: Iterable[str | Path]) -> set[str]:
    """The cases that have an uncertainty map."""
    return {entry["case"] for record in records for entry in read_entries(record) if entry.get("uncertainty")}
