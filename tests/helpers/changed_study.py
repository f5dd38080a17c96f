"""A study of one task that is written as text, loaded with a change."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from afpbench.study.load import StudyError, load_study


def load_changed(text: str, root: Path, change: Callable = lambda task: None, **keys) -> dict:
    """The completed study. change: what is done to its only task. keys: of the study, in place of the text's."""
    study = yaml.safe_load(text) | keys
    (task,) = study["tasks"].values()
    change(task)
    return load_study(study, root)


def problems_of(text: str, root: Path, change: Callable = lambda task: None, **keys) -> list[str]:
    """What is wrong with it."""
    with pytest.raises(StudyError) as caught:
        load_changed(text, root, change, **keys)
    return caught.value.problems
