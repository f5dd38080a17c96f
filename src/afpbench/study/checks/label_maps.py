"""What can be wrong where cases and rows are label maps alone, without any CT."""

from collections.abc import Iterator

from ..task import Task


def label_map_problems(task: Task) -> list[str]:
    """Of cases without CT nothing needs one; where the cases have CTs, every row has them too."""
    if not task.source.has_ct:
        return [*_rows(task), *_rest(task)]
    return [
        f"{task.place}.variants.{name}.synthetic: null, and the cases have CTs; allowed: a path with {{case}} in it; "
        "hint: rows of label maps alone are compared where `data.ct` is null"
        for name in task.label_rows
    ]


def _rows(task: Task) -> Iterator[str]:
    for name, variant in task.options["variants"].items():
        place = f"{task.place}.variants.{name}"
        if name not in task.label_rows:
            found = "a row that is trained" if name in task.trained else f"'{variant['synthetic']}'"
            yield f"{place}.synthetic: the cases have no CT to compare with; found: {found}; allowed: null"
        elif variant["resample"]:
            yield f"{place}.resample: label maps are not resampled; found: true; hint: remove it"


def _rest(task: Task) -> Iterator[str]:
    options = task.options
    if options["controls"]:
        found = ", ".join(options["controls"])
        yield f"{task.place}.controls: the cases have no CT to make them of; found: {found}; allowed: []"
    if options["spacing_mm"] is not None:
        yield f"{task.place}.spacing_mm: label maps keep their grids; found: {options['spacing_mm']}; allowed: null"
    for segmenter in task.segmenters.values():
        if not segmenter.label_files(task.root):
            yield f"{segmenter.place}.kind: the cases have no CT to segment; found: {segmenter.name}; allowed: files"
