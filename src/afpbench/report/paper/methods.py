"""What was done, in sentences with what to cite: from the study file, so that an unfinished study has it too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...study.kinds import Kind
from ...study.kinds.registry import METRICS
from ...study.plan.task import TaskPlan
from ...study.registration import per_side
from ...study.splits import is_ensemble
from ...tables.captions import choice_notes, comparison_note, definition_note, loss_words, seeds_note

ELASTIX = "Klein et al., elastix: a toolbox for intensity-based medical image registration, IEEE TMI 29: 196, 2010"
IMPACT = "Boussot et al., IMPACT: a generic semantic loss for multimodal medical image registration, arXiv:2503.24121"
WILCOXON = "Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1: 80, 1945"
HOLM = "Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6: 65, 1979"
REGISTERED = {  # method -> what was done, and what to cite
    "elastix": ("registered to the MR with elastix", (ELASTIX,)),
    "synthrad2025": ("registered to the MR with elastix, by the settings of SynthRAD2025", (ELASTIX,)),
    "impact": ("registered to the MR with elastix and, in the place of a B-spline, with IMPACT", (ELASTIX, IMPACT)),
    "external": ("registered to the MR by transforms or images of one's own", ()),
    "truth": ("brought to the MR by the deformation that the phantom was made with", ()),
    "none": ("taken as it lies, without registration", ()),
}
FRACTIONS = {0.5: "a half", 0.25: "a quarter", 0.75: "three quarters"}


@dataclass(frozen=True)
class Sentence:
    """Plain text, and what to cite behind it."""

    text: str
    cited: tuple[str, ...] = ()


def methods(plan: TaskPlan, splits: Sequence[Mapping[str, Any]] = ()) -> list[Sentence]:
    """The methods of a task. splits: its folds' records, where they are made: without them nothing is said of numbers
    of cases."""
    parts = (_data(plan, splits), _registration(plan), _rows(plan), _inference(plan), _judges(plan), _metrics(plan))
    return [sentence for part in (*parts, _statistics(plan)) for sentence in part]


def _data(plan: TaskPlan, splits: Sequence[Mapping[str, Any]]) -> Iterator[Sentence]:
    source, spacing = plan.task.source, plan.option("spacing_mm")
    counts = [f"{len(splits[0][part])} {words}" for part, words in _parts(splits)]
    folds = f" in each of {len(splits)} folds" if len(splits) > 1 else ""
    voxels = (
        f"voxels of {' × '.join(f'{value:g}' for value in spacing)} mm (z, y, x)" if spacing else "each on its grid"
    )
    cases = f"{', '.join(counts)}{folds}; " if counts else ""
    channels = f"MR channels: {', '.join(source.mr_channels)}; " if source.mr_channels else ""
    yield Sentence(f"Data: {source.title}; {channels}{cases}{voxels}.", _citations(source))


def _parts(splits: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    words = {"train": "training cases", "validation": "validation cases", "test": "test cases"}
    return [(part, name) for part, name in words.items() if splits and splits[0][part]]


def _registration(plan: TaskPlan) -> Iterator[Sentence]:
    if not plan.task.source.has_mr:
        return
    sides = per_side(plan.option("registration"))
    for side, options in sides.items():
        which = {"": "compared with", "_train": "learned from"}[side]
        how, cited = REGISTERED[options["method"]]
        yield Sentence(f"The CT{f' that is {which}' if len(sides) > 1 else ''} was {how}.", cited)


def _rows(plan: TaskPlan) -> Iterator[Sentence]:
    """Each trained variant: generator, loss, iterations; the rows from files; and the seeds."""
    task = plan.task
    for name, spec in task.trained.items():
        generator = task.generators[spec["generator"]]
        networks = [task.feature_network(network) for network in task.loss_networks(name)]
        start = f", started from {plan.results.labels[spec['init_from']]}" if spec["init_from"] else ""
        scale = "" if spec["hu_calibration"] == "none" else f", HU calibrated ({spec['hu_calibration']})"
        words = f"{spec['label']}: generator {spec['generator']}, loss {loss_words(spec['loss'])}"
        text = f"{words}, {spec['training']['iterations']} iterations{start}{scale}."
        yield Sentence(text, _citations(generator, *task.losses(name), *networks))
    for what, rows in (("Synthetic CTs", task.file_rows), ("Label maps", task.label_rows)):
        if labels := [plan.results.labels[name] for name in rows]:
            yield Sentence(f"{what} that were made elsewhere: {', '.join(labels)}.")
    chosen = choice_notes(plan.results.table_context["chosen_by"], plan.results.labels, task.trained)
    yield from (Sentence(words) for words in (chosen, seeds_note(len(plan.paths.seeds))) if words and task.trained)


def _inference(plan: TaskPlan) -> Iterator[Sentence]:
    if not plan.task.trained:
        return
    options = plan.option("inference")
    overlap = options["overlap"]
    share = FRACTIONS.get(overlap, f"{overlap:g}") if isinstance(overlap, (int, float)) else f"{overlap} (z, y, x)"
    mirrored = f", averaged over mirror images ({', '.join(options['mirror'])})" if options["mirror"] else ""
    together = f"; the networks of the folds predict together ({options['combine']})"
    text = f"Volumes were predicted in patches that overlap by {share} and are fused by {options['fusion']}{mirrored}"
    yield Sentence(f"{text}{together if is_ensemble(plan.option('splits')) else ''}.")


def _judges(plan: TaskPlan) -> Iterator[Sentence]:
    """The structures by the segmenter that finds them."""
    structures = plan.option("structures").values()
    for name, segmenter in plan.task.segmenters.items():
        labels = [spec["label"] for spec in structures if spec["segmenter"] == name]
        if labels:
            is_given = bool(segmenter.label_files(plan.task.root))
            made = "label maps that were made elsewhere:" if is_given else "segmented on real and synthetic CT by"
            yield Sentence(f"{', '.join(labels)}: {made} {segmenter.options['label']}.", _citations(segmenter))


def _metrics(plan: TaskPlan) -> Iterator[Sentence]:
    kinds = [METRICS[name] for name in dict.fromkeys(column["metric"] for column in plan.results.table_columns)]
    if kinds:
        definition = definition_note(plan.option("definition"))
        text = f"Metrics: {', '.join(kind.label for kind in kinds)}.{f' {definition}' if definition else ''}"
        yield Sentence(text, _citations(*kinds))


def _statistics(plan: TaskPlan) -> Iterator[Sentence]:
    statistics, reference = plan.option("statistics"), plan.results.labels[plan.option("reference")]
    yield Sentence(
        f"Every row is compared with {reference} by the two-sided Wilcoxon signed-rank test over the cases (alpha "
        f"{statistics['alpha']:g}); what is said of the best row is after Holm's correction over the rows.",
        (WILCOXON, HOLM),
    )
    yield Sentence(comparison_note(statistics["missing"], bool(plan.option("structures"))))


def _citations(*kinds: Kind | type[Kind] | None) -> tuple[str, ...]:
    """What to cite of kinds, each once."""
    return tuple(dict.fromkeys(kind.citation for kind in kinds if kind is not None and kind.citation))
