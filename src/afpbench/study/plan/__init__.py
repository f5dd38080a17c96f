"""Everything that the workflow's rules ask of a study: cases, files, parameters. What remains in rules is rules."""

from .contents import contents
from .study import StudyPlan, failure_hint
from .task import TaskPlan

__all__ = ["StudyPlan", "TaskPlan", "contents", "failure_hint"]
