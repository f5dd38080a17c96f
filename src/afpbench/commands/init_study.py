"""The text of the study that `afpbench init` writes: a template with comments, and what was found in the images."""

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import yaml

from ..base.errors import AfpbenchError, ConfigError
from ..base.log import progress
from ..data.importing import canonical, read_files
from ..study.kinds.registry import SOURCES
from ..study.kinds.sources import open_source
from ..study.significance import smallest_p
from ..volumes.labels import read_labels

TEMPLATE = Path(__file__).with_name("init_study.yaml")
LOOKED_AT = 3  # cases whose voxels are read
FEWEST = 3  # cases: one to train, one to validate, one to test
FOLDS = 5  # of the cross-validation that is proposed
FEWEST_TESTED = next(cases for cases in itertools.count(1) if smallest_p(cases) < 0.05)  # below, no test can reach it
# Labels made of the CT by HU, where the cases have none; as in config/own_data.yaml.
TISSUES: Mapping[str, Mapping[str, Any]] = {
    "bone": {"hu": [180, 3071], "smooth_mm": 0.8, "close_mm": 4, "fill": True, "open_mm": 1.2, "min_volume_mm3": 1000},
    "muscle": {"hu": [-20, 150], "smooth_mm": 1.5, "margin_mm": 1.5, "open_mm": 2.5, "min_volume_mm3": 2000},
    "fat": {"hu": [-190, -30], "smooth_mm": 1.5, "open_mm": 1.0, "min_volume_mm3": 1000},
}
GIVEN = "a segmenter is trained on your label maps."
MADE = "a small segmenter of bone, muscle and fat is trained on labels made from the real CT."


@dataclass(frozen=True)
class Grid:
    """What the first cases look like. spacing_mm: of the MRs, z, y, x. shared: whether MR and CT lie on one grid."""

    spacing_mm: tuple[float, ...]
    cases: int
    shared: bool


def look(data: Mapping[str, Any], cases: Sequence[str], root: Path) -> Grid:
    """Read the first cases. Raises DataError where none of them can be read."""
    spacings, shared, error = [], [], None
    for case in cases[:LOOKED_AT]:
        try:
            stored = read_files(dict(data), case, root)[1]
        except AfpbenchError as problem:  # `afpbench check` tells of all
            error = error or problem
            continue
        mr, ct = (canonical(stored[role]).geometry for role in ("mr", "ct"))
        spacings.append(mr.spacing_mm)
        shared.append(mr.matches(ct, tolerance_mm=1e-2))
    if error and not spacings:
        raise error
    median = tuple(float(f"{value:.3g}") for value in np.median(spacings, axis=0))
    return Grid(median, len(spacings), all(shared))


def label_values(data: Mapping[str, Any], cases: Sequence[str], root: Path) -> list[int]:
    """The values over 0 in the label maps of all cases. Raises DataError for what is no label map."""
    source, found = open_source(data, root), set()
    for case in progress(cases, len(cases), "label map of case"):
        found |= set(np.unique(read_labels(source.files(case)["labels"], f"case {case}: label map").array).tolist())
    return sorted(found - {0})


def study_text(
    name: str, data: Mapping[str, Any], words: str, splits: Mapping[str, int], grid: Grid, values: Sequence[int]
) -> str:
    """The study file. words: what the source is. values: of the label maps, or none to make labels of the CT."""
    names = [f"label_{value}" for value in values] or list(TISSUES)
    labels = (
        {"kind": "files", "classes": dict(zip(names, values, strict=True))}
        if values
        else {"kind": "hu_ranges", "structures": {key: dict(options) for key, options in TISSUES.items()}}
    )
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=name,
        results=f"results/{Path(name).stem}",
        learner=GIVEN if values else MADE,
        words=words,
        data=_block({**data, "labels": labels}, 6),
        spacing=_flow(list(grid.spacing_mm)),
        spacing_from=f"That of the MRs: the median of {grid.cases}",
        registration=_registration(data, grid),
        splits=_flow(dict(splits)),
        splits_words=splits_words(splits),
        classes=_flow({key: [key] for key in names}),
        structures=_lines(f"{key}: {{label: {_title(key)}, segmenter: own, classes: [{key}]}}" for key in names),
        columns="\n".join(
            f"          - {{metric: {metric}, structure: {key}}}" for key in names for metric in ("dice", "nsd")
        ),
    )


def splits_of(count: int, left_out: Sequence[str] = ()) -> dict[str, int]:
    """A quarter of the cases to test, a tenth to validate, the others to train. Raises ConfigError for too few.

    left_out: why others cannot be used, a line each.
    """
    if count < FEWEST:
        raise ConfigError(
            "afpbench init: too few cases",
            found="\n  ".join([f"{count} with MR and CT", *left_out]),
            expected=f"at least {FEWEST}: one to train, one to validate, one to test",
        )
    test, validation = max(1, round(count / 4)), max(1, round(count / 10))
    return {"train": count - test - validation, "validation": validation, "test": test}


def splits_words(splits: Mapping[str, int]) -> str:
    """What is said beside the splits; of few test cases also how all cases are tested."""
    count = sum(splits.values())
    folds = f"{{folds: {min(FOLDS, count)}, validation: 1}}"
    few = f"; fewer than {FEWEST_TESTED} test cases show nothing: {folds} tests all"
    return f"{count} cases, drawn with the seed" + few * (splits["test"] < FEWEST_TESTED)


def _registration(data: Mapping[str, Any], grid: Grid) -> str:
    source = SOURCES[data["source"]]
    if source.aligned:
        return "{method: none} # the pairs of this collection are aligned"
    if source.registration != "elastix":
        return f"{{method: {source.registration}}} # this collection's own; its pairs are aligned rigidly only"
    line = "{method: elastix, stages: [translation, bspline]} # method: none, if your pairs are aligned already"
    return line + (". MR and CT lie on one grid: they may be" if grid.shared else "")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _lines(lines) -> str:
    return "\n".join(f"      {line}" for line in lines)


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).strip()


def _block(value: Mapping[str, Any], indent: int) -> str:
    text = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=1000, default_flow_style=None)
    return "\n".join(" " * indent + line for line in text.splitlines())


def study_path(path: Path, root: Path) -> str:
    """A path as a study file names it: from the root where it lies below it, else absolute."""
    absolute, start = (Path(os.path.abspath(one.expanduser())) for one in (path, root))
    return str(absolute.relative_to(start)) if absolute.is_relative_to(start) else str(absolute)
