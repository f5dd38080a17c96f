"""What can be wrong in a task's tables."""

from collections.abc import Mapping

from ..task import Task


def problems(task: Task) -> list[str]:
    """All problems of the tables of a completed task, in the order of the file."""
    return [line for table in task.tables.values() for line in table.placed_problems()]


def problems_between(tasks: Mapping[str, Task]) -> list[str]:
    """All problems of tables that show several tasks. tasks: the study's that are completed, by name."""
    return [line for task in tasks.values() for table in task.tables.values() for line in table.problems_between(tasks)]
