"""What a schema cannot see of a task's data: that the source has cases, that their files are there, that splits fit."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...base.errors import AfpbenchError, one_line
from .. import channels
from ..file_rows import FileRow
from ..kinds import Source
from ..registration import places
from ..splits import is_ensemble, make_folds, test_cases
from ..task import Task

MOST_LINES = 20


def source_problems(task: Task) -> list[str]:
    """What the source itself says of its options."""
    return list(task.source.placed_problems())


def problems_without_mr(task: Task) -> list[str]:
    """Nothing is trained on real CTs alone, and nothing is registered onto an MR that is not there."""
    options, source = task.options, task.source
    if source.has_mr:
        return []
    lines = []
    if task.needs_training:
        lines.append(
            f"{source.place}.mr: missing; allowed: a path with {{case}} in it; hint: without MRs, rows are files "
            "(`synthetic`) and the control real_ct, and segmenters come with weights"
        )
    given = {f"{place}.method": chosen["method"] for place, chosen in places(options["registration"]).items()}
    given["bias_correction"] = options["bias_correction"]
    return lines + [
        f"{task.place}.{key}: the cases have no MR; found: {value}; allowed: none"
        for key, value in given.items()
        if value != "none"
    ]


def case_problems(task: Task) -> list[str]:
    """The source has cases, knows the files of each, and the splits ask for no more cases than there are."""
    source = task.source
    try:
        cases = source.cases()
    except AfpbenchError as error:
        return [f"{source.place}: {one_line(error)}"]
    lines = _first(source, [line for case in cases if (line := _broken(source, case))])
    if _unresolved(task):
        return lines
    if missing := list(_missing_parts(task)):
        return lines + missing
    try:
        make_folds(cases, dict(task.options["splits"]), task.seed, task.name)
    except AfpbenchError as error:
        lines.append(f"{task.place}.splits: {one_line(error)}")
    return lines


def synthetic_problems(task: Task) -> list[str]:
    """What is wrong with where synthetic CTs and label maps lie that come from files; a missing file is not."""
    cases = _tested_cases(task)
    return [line for row in _from_files(task) for line in _few(row.place, list(row.problems(cases)))]


def missing_synthetic(task: Task) -> list[str]:
    """A line for each test case without a file in a row from files, or without its label map."""
    cases = _tested_cases(task)
    return [line for row in _from_files(task) for line in _few(row.place, list(row.missing(cases)))]


def _from_files(task: Task) -> list[FileRow]:
    maps = [row for segmenter in task.segmenters.values() for row in segmenter.label_files(task.root).values()]
    return [*task.file_rows.values(), *maps]


def _tested_cases(task: Task) -> list[str]:
    """The test cases; none where case_problems has said what is wrong."""
    if not (task.file_rows or task.label_rows) or _unresolved(task):
        return []
    try:
        folds = make_folds(task.source.cases(), dict(task.options["splits"]), task.seed, task.name)
    except AfpbenchError:
        return []
    return test_cases(folds)


def _missing_parts(task: Task) -> Iterator[str]:
    """Something is trained, so there are cases to train and to choose with."""
    splits = task.options["splits"]
    needed: tuple[str, ...] = ("train", "validation")
    if splits["folds"] is not None:
        needed = () if is_ensemble(splits) else ("validation",)
    for part in needed if task.needs_training else ():
        if splits[part] is None:
            yield (
                f"{task.place}.splits.{part}: missing; allowed: a whole number at least 1, a list of cases, or "
                "column=value; hint: variants, segmenters and controls that are fitted need it"
            )


def may_lack_files(study: Mapping[str, Any]) -> bool:
    """Whether a study goes on without the cases that cannot be imported: what is missing is then a warning."""
    return bool(study["failed_cases"] == "exclude")


def missing_files(task: Task) -> list[str]:
    """A line for each file that a case needs and that is not there; none for what is downloaded, made, or unknown."""
    source = task.source
    if source.makes_cases or _unresolved(task):
        return []
    try:
        files = {case: source.files(case) for case in _used_cases(task) if not _broken(source, case)}
    except AfpbenchError:  # case_problems has said what is wrong
        return []
    here = {case: found for case, found in files.items() if not source.needs_download(case)}
    lines = [line for case, found in here.items() for line in _missing(source, case, found)]
    return _first(source, [*_without_labels(source, here), *lines])


def _unresolved(task: Task) -> bool:
    """Whether the splits still name a column: fill_splits has said what is wrong."""
    return any(isinstance(part, str) for part in task.options["splits"].values())


def _used_cases(task: Task) -> list[str]:
    """The cases that a part of the splits uses: others are not processed, and may lack anything."""
    cases = task.source.cases()
    folds = make_folds(cases, dict(task.options["splits"]), task.seed, task.name)
    unused = set.intersection(*(set(fold["unused"]) for fold in folds))
    return [case for case in cases if case not in unused]


def _broken(source: Source, case: str) -> str:
    """What is wrong with a case whose files the source cannot say; "" where nothing is."""
    try:
        files = source.files(case)
    except AfpbenchError as error:
        return f"{source.place}: {one_line(error)}"
    absent = [_what(source, role) for role in source.image_roles if role not in files]
    if absent and not source.makes_cases:
        return (
            f"{source.place}: case {case}: the source names no {' and no '.join(absent)}; "
            f"found: {', '.join(files) or 'no file'}; hint: correct {type(source).__name__}.files"
        )
    return _shared(source, case, files)


def _shared(source: Source, case: str, files: Mapping[str, Path]) -> str:
    """A file, or a DICOM series, that is two images of a case: of a CT among an MR's channels a network would learn to
    copy it. A folder of DICOM files may hold both MR and CT, which their modality tells apart."""
    owners: dict[tuple[Path, str | None, bool], str] = {}
    series = source.series(case)
    for role in (role for role in source.image_roles if role in files):
        path = files[role]
        owner = owners.setdefault((path, series.get(role), role == "ct" and path.is_dir()), role)
        if owner != role:
            images = f"{_what(source, owner)} and {_what(source, role)}"
            return f"{source.place}: case {case}: one file is {images}; found: '{path}'; hint: name the file of each"
    return ""


def _missing(source: Source, case: str, files: dict[str, Path]) -> Iterator[str]:
    for role, path in files.items():
        if not os.path.exists(path):
            yield (
                f"{source.place}: case {case}: no such file: {_what(source, role)}; found: '{path}'; hint: correct its "
                "path, or leave the case out with data.exclude"
            )


def _what(source: Source, role: str) -> str:
    """What people call a file of a case."""
    if channels.is_mr(role):
        return channels.title(role, source.mr_channels)
    return role.upper() if role == "ct" else role


def _without_labels(source: Source, files: dict[str, dict[str, Path]]) -> list[str]:
    """The study says that the cases come with label maps: each of them has one."""
    without = [case for case, found in files.items() if "labels" not in found]
    if not source.has_label_files or not source.label_maps or not without:
        return []
    who = "no case has a label map" if len(without) == len(files) else f"cases without a label map: {_some(without)}"
    return [
        f"{source.place}.labels.kind: 'files', and {who}; allowed: one for each case; hint: name it in "
        f"{source.label_maps}, or remove data.labels"
    ]


def _some(cases: list[str]) -> str:
    return ", ".join(cases[:MOST_LINES]) + (f" and {len(cases) - MOST_LINES} more" if len(cases) > MOST_LINES else "")


def _first(source: Source, lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    return _few(source.place, lines)


def _few(place: str, lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"{place}: and {more} more of this kind"]
