"""What a schema cannot see of variants."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..kinds.registry import GENERATORS
from ..messages import not_among
from ..rows import CONTROLS
from ..task import Task
from .losses import check_losses
from .training import judge_problems, training_problems


def check_variants(task: Task) -> Iterator[str]:
    """Names are free and those that they give exist; the training fits the generator."""
    variants = task.options["variants"]
    for name, variant in variants.items():
        place = f"{task.place}.variants.{name}"
        if name in CONTROLS:
            yield f"{place}: a reserved name; hint: it is the name of a control row"
        if name not in task.trained:
            continue
        generator = task.generators.get(variant["generator"])
        if generator is None:
            yield not_among(f"{place}.generator", variant["generator"], task.generators, "no such generator")
        else:
            what = f"the generator '{variant['generator']}' is of kind {generator.name}"
            yield from training_problems(place, variant["training"], what, generator.optimizers)
        yield from judge_problems(place, variant["training"], task.options["structures"])
        yield from check_losses(task, name)
        yield from _start_problems(place, name, task.trained)
    if task.options["reference"] not in variants:
        yield not_among(f"{task.place}.reference", task.options["reference"], variants, "no such variant")


def unused_training(task: Task) -> Iterator[str]:
    """Keys of a variant's training that its generator's kind does not look at. task: as the user wrote it."""
    for name, variant in task.trained.items():
        generator = task.options.get("generators", {}).get(variant["generator"], {})
        kind = GENERATORS[generator.get("kind", "nnunet")]
        for key, what in kind.unused_training.items():
            if key in variant.get("training", {}):
                yield f"{task.place}.variants.{name}.training.{key}: {what}"


def shared_names(study: Mapping[str, Any]) -> Iterator[str]:
    """A row from files has no name that a trained one of another task has: rules know rows by their names."""
    tasks = study["tasks"].items()
    trained = {row: name for name, task in tasks for row, entry in task["variants"].items() if "synthetic" not in entry}
    for name, task in tasks:
        for row, entry in task["variants"].items():
            if "synthetic" in entry and row in trained:
                yield (
                    f"tasks.{name}.variants.{row}: from files, and trained in tasks.{trained[row]}; hint: give one of "
                    "the two another name"
                )


def _start_problems(place: str, name: str, variants: Mapping[str, Any]) -> Iterator[str]:
    """`init_from` names another variant with the same generator, and no circle comes of it."""
    start = variants[name]["init_from"]
    others = [other for other in variants if other != name]
    if start is None:
        return
    if start not in others:
        yield not_among(f"{place}.init_from", start, others, "no such other variant")
        return
    own, its = variants[name]["generator"], variants[start]["generator"]
    if own != its:
        yield f"{place}.init_from: '{start}' has another generator; found: {its}; allowed: {own}"
        return
    chain = [name, start]
    while (following := variants[chain[-1]]["init_from"]) in variants:
        chain.append(following)
        if following == name:
            circle = " -> ".join(chain)
            yield f"{place}.init_from: a circle: {circle}; hint: one of them must start from random weights"
            return
        if following in chain[:-1]:
            return
