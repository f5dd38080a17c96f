"""What a schema cannot see of generators."""

from collections.abc import Iterator

from ..task import Task


def check_generators(task: Task) -> Iterator[str]:
    """`nnunet` is what its name says, and what each kind knows of its entry."""
    for name, generator in task.generators.items():
        if name == "nnunet" and generator.name != "nnunet":
            yield f"{generator.place}.kind: found: {generator.name}; allowed: nnunet; hint: give it another name"
        yield from generator.placed_problems()
