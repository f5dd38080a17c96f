"""What can be wrong in a task's tables."""

from ..task import Task


def problems(task: Task) -> list[str]:
    """All problems of the tables of a completed task, in the order of the file."""
    return [line for table in task.tables.values() for line in table.placed_problems()]
