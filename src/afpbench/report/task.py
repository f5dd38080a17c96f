"""The part of the report that tells of one task, in sections."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

import pandas as pd

from ..base import html
from ..figures.cases import choose_case
from ..metrics.csv_file import read_csv
from ..metrics.longtable import FAILED, is_failed
from ..metrics.missing import IN_WORDS
from ..metrics.seeds import over_seeds
from ..study.kinds.registry import METRICS
from ..study.kinds.source import Source
from ..tables.captions import loss_words, reading_notes, shades_note
from .claims import Claim
from .comparison import comparison
from .context import PARTS, Task, mr_title, named, section, structure_label
from .distrust import distrust
from .glance import at_a_glance
from .ranks import ranks_pictures
from .slices import slice_panels

CAPTIONS = {
    "slices": "MR, real CT and synthetic CT: slices, the box enlarged, and the error inside the body.",
    "uncertainty": "Absolute error, uncertainty map (standard deviation over networks and mirror images), and the "
    "error that is left when the most uncertain voxels are taken away.",
    "surfaces": "The segmentations in 3D, seen from the front: the real CT's, and each row's against it.",
    "distributions": "The metrics of the tables: a point per test case, lines join the same case from row to "
    "row. Dashed: the median of the reference row; *: better than it with p below alpha, as in the tables.",
    "curves": "Learning curves: training (solid) and validation (dashed). Losses of different networks are not "
    "comparable; what validation measures is. Dice of whole cases: is a row better at the end, or only faster?",
}


WITHOUT_MR = {"slices": "Real and synthetic CT: slices, the box enlarged, and the error inside the body."}
ORDER = ("distributions", "slices", "uncertainty", "surfaces", "curves")


def sections(task: Task, claims: Sequence[Claim]) -> str:
    """The whole part of a task, as HTML. claims: what can be said of it (glance.all_claims)."""
    parts = [
        distrust(task, claims),
        at_a_glance(task, claims),
        _tables(task),
        _figures(task, claims),
        comparison(task),
        _data(task),
        _rows(task),
        _segmenters(task),
    ]
    parts += [_registration(task), _cost(task), _failures(task)]
    return html.section(task.spec["title"], f"task-{task.name}", *filter(None, parts))


def _data(task: Task) -> str:
    spacing = " × ".join(f"{value:g}" for value in task.spec["spacing_mm"] or ())
    first = task.splits[0]
    counts = ", ".join(f"{len(first[part])} {part}" for part in PARTS if first[part])
    source = task.source
    facts = [
        ("Source", source.title),
        *([("MR channels", _channel_words(source.mr_channels))] if source.mr_channels else []),
        ("Cases", f"{sum(len(first[part]) for part in PARTS)}: {task.folds_words}{counts}"),
        ("Voxels", f"{spacing} mm (z, y, x)" if spacing else "each case's own"),
        *([] if source.has_ct else [("Images", "none: label maps alone, so that no metric of images is computed")]),
        ("Test cases", ", ".join(task.test_cases())),
    ]
    return section(task, "Data", "data", html.facts(facts))


def _channel_words(names: Sequence[str]) -> str:
    return f"{', '.join(names)}; the CT is registered to {names[0]}, which is the MR that figures show"


def _rows(task: Task) -> str:
    """What each variant is, once for all tables."""
    lines = [(task.label(name), *_made(task, name, spec)) for name, spec in task.spec["variants"].items()]
    return section(task, "Rows", "rows", html.table(["Row", "Generator", "Loss", "Iterations"], lines))


def _made(task: Task, name: str, variant: Mapping) -> tuple[str, str, object]:
    """Generator, loss and iterations of a variant; its files where nothing was trained for it."""
    if "synthetic" in variant:
        maps = [
            spec["synthetic"][name] for spec in task.spec["segmenters"].values() if name in spec.get("synthetic", ())
        ]
        files = f"files {variant['synthetic']}" if variant["synthetic"] else f"label maps {', '.join(maps)}"
        return "–", f"none: {files}", "–"
    start = f", from {task.label(variant['init_from'])}" if variant["init_from"] else ""
    return variant["generator"], loss_words(variant["loss"]) + start, variant["training"]["iterations"]


def _tables(task: Task) -> str:
    notes = [*_reading(task), shades_note(task.context["alpha"])]
    parts = [html.folded("How cells are read, and what their colours mean", html.note(" ".join(notes)))]
    for name, spec in task.spec["tables"].items():
        parts += [html.heading(spec["title"]), _fragment(task, name)]
        if Path(task.paths.table(f"{name}_published", "html")).is_file():
            words = f"{spec['title']}: the paper's numbers beside ours"
            parts.append(html.folded(words, _fragment(task, f"{name}_published")))
    return section(task, "Tables", "tables", *parts)


def _reading(task: Task) -> tuple[str, ...]:
    """How the cells of all tables are read."""
    return reading_notes(task.context["missing"], bool(task.spec["structures"]), len(task.seeds))


def _fragment(task: Task, stem: str) -> str:
    return html.table_fragment(Path(task.paths.table(stem, "html")).read_text(encoding="utf-8"))


def _figures(task: Task, claims: Sequence[Claim]) -> str:
    parts: list[str] = []
    folded: list[str] = []
    last: list[str] = []
    words = captions(task.source)
    for path, link in sorted(task.figures, key=lambda figure: ORDER.index(kind_of(figure[0]))):
        made = html.picture(path, words[kind_of(path)], link)
        if path.stem in ("slices_sagittal", "slices_axial"):
            folded.append(made)
        else:
            (last if path.stem == "curves" else parts).append(made)
    parts += [html.folded("The other planes", *folded)] if folded else []
    parts = [*filter(None, [ranks_pictures(task, claims)]), *slice_panels(task), *parts, *last]
    return section(task, "Figures", "figures", *parts) if parts else ""


def kind_of(figure: PurePath) -> str:
    """Of ORDER: `slices` of `slices_axial.png`."""
    return figure.stem.partition("_")[0]


def captions(source: Source) -> Mapping[str, str]:
    """What stands below each kind of figure."""
    if not source.has_mr:
        return CAPTIONS | WITHOUT_MR
    if names := source.mr_channels:
        shown = f" Of the MR's channels ({', '.join(names)}) the first is shown."
        return CAPTIONS | {"slices": CAPTIONS["slices"] + shown}
    return CAPTIONS


def _segmenters(task: Task) -> str:
    if task.accuracy.empty:
        return ""
    grouped = task.accuracy.groupby(["segmenter", "structure", "metric"], sort=False)["value"]
    lines = [
        (task.spec["segmenters"][segmenter]["label"], task.spec["structures"][structure]["label"],
         named(METRICS[metric]), f"{values.mean():.3f}", f"{values.min():.3f}", values.count())
        for (segmenter, structure, metric), values in grouped if metric in METRICS
    ]  # fmt: skip
    note = "The segmenters on the real CT of the test cases, against the true labels: can the judges be trusted?"
    heads = ["Segmenter", "Structure", "Metric", "mean", "minimum", "n"]
    return section(task, "Segmenters", "segmenters", html.paragraph(note), html.table(heads, lines))


REGISTRATION = {
    "mutual_information_before": "Mutual information before (nats)",
    "mutual_information_after": "Mutual information after (nats)",
    "body_dice_before": "Dice of the body before",
    "body_dice_after": "Dice of the body after",
    "error_before_mean_mm": "Error against the known deformation, before (mm)",
    "error_after_mean_mm": "Error against the known deformation, after (mm)",
    "contour_dice_before": "Dice of the tumour contour before",
    "contour_dice_after": "Dice of the tumour contour after",
    "displacement_mean_mm": "Mean displacement (mm)",
    "jacobian_min": "Smallest Jacobian determinant",
    "folded_share": "Share of folded voxels",
}


def _registration(task: Task) -> str:
    if not task.source.has_mr:
        return ""
    cases = read_csv(task.paths.registration, ("case", "status"), text=("case", "used_for", "method", "status"))
    uses = cases.groupby("used_for") if "used_for" in cases else [("", cases)]
    tables = [_registration_figures(f"Of all cases{use and f', for {use}'}", some) for use, some in uses]
    return section(task, "Registration", "registration", *tables, *_checkerboards(task))


def _registration_figures(heading: str, cases: pd.DataFrame) -> str:
    lines = [
        (name, *(f"{value:.3g}" for value in (cases[key].mean(), cases[key].min(), cases[key].max())),
         cases[key].count())
        for key, name in REGISTRATION.items() if key in cases and cases[key].notna().any()
    ]  # fmt: skip
    return html.table([heading, "mean", "lowest", "highest", "n"], lines)


def _checkerboards(task: Task) -> list[str]:
    """MR and CT tile by tile before and after registration, of the cases that the figures show."""
    mr = mr_title(task)
    picks = dict.fromkeys(choose_case(pick, task.long, task.context["reference"]) for pick in task.shown_cases())
    parts = []
    for case in picks:
        for words in ("before", "after"):
            path = Path(task.paths.registered(case)) / f"checkerboard_{words}.png"
            if path.is_file():
                caption = f"{case}, {words} registration: tiles of the {mr} and of the CT take turns."
                parts.append(html.picture(path, caption, scale=1.0))
    return parts


def _cost(task: Task) -> str:
    lines: list[tuple] = []
    costs = task.costs()
    for name, cost in costs:
        lines.append((
            name, cost["iterations"], f"{cost['seconds']:.0f}", f"{cost['seconds_per_iteration']:.3f}",
            f"{cost['peak_memory_mb']:.0f}", f"{cost['parameters']:,}", " × ".join(map(str, cost["patch_size"])),
            cost["batch_size"], cost["gpus"], cost["precision"], _weights_of(cost),
        ))  # fmt: skip
    seconds = sum(cost["seconds"] for _, cost in costs)
    lines += [("All of them", "", f"{seconds:.0f}", *[""] * 8)] if len(task.seeds) > 1 or len(task.folds) > 1 else []
    heads = ["Network", "iterations", "training (s)", "s per iteration", "peak memory (MB)", "parameters", "patch"]
    heads += ["batch", "GPUs", "precision", "weights"]
    return section(task, "Cost", "cost", html.table(heads, lines)) if lines else ""


def _weights_of(cost: Mapping) -> str:
    """Which epoch's weights make a model, counted from 1, and the value of the curves that it was chosen by."""
    if not cost.get("checkpoint_by"):
        return "last epoch"
    return f"epoch {cost['checkpoint_epoch'] + 1}, {cost['checkpoint_by']} {cost['checkpoint_value']:.4g}"


def _failures(task: Task) -> str:
    failed = task.long[is_failed(task.long["status"])].drop_duplicates(["variant", "case"])
    reasons: dict[tuple[str, str], list[str]] = {}
    for row, case, status in failed[["variant", "case", "status"]].itertuples(index=False):
        reasons.setdefault((case, status.removeprefix(FAILED)), []).append(task.label(row))
    rows = task.long["variant"].nunique()
    lines = [
        f"Case {case} failed in {'every row' if len(labels) == rows else ', '.join(labels)}: {reason}"
        for (case, reason), labels in reasons.items()
    ]
    long = over_seeds(task.long)  # a structure is empty in a case where some seed's is
    empty = long[long["status"].isin(IN_WORDS)]
    empty = empty.drop_duplicates(["variant", "case", "structure"])
    for (row, structure, status), count in empty.groupby(["variant", "structure", "status"], sort=False).size().items():
        label = structure_label(task, structure)
        lines.append(f"{task.label(row)}: {label} is {IN_WORDS[status]} in {count} of the test cases")
    parts = html.items(lines) if lines else html.paragraph("No case failed, and no structure was empty.")
    return section(task, "Failures", "failures", parts)
