"""What Snakemake does not see of a study's files, since it knows only whether they are there and how old they are."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import UnusableFile
from ..inference.chunks import lost_images
from ..study.plan import StudyPlan
from ..study.records import KINDS, read_record
from .progress import Output


@dataclass(frozen=True)
class Images:
    """Synthetic CTs and label maps against the records of their chunks, with paths from the plan's root.

    lost: record -> the images that it tells of and that are not there. damaged: record -> why it cannot be used.
    """

    lost: dict[str, list[str]]
    damaged: dict[str, UnusableFile]


def read_images(plan: StudyPlan) -> Images:
    """The images of a study that are gone, and the records that cannot say it."""
    lost, damaged = {}, {}
    for record in [record for task in plan.tasks.values() for record in task.image_records]:
        path = plan.root / record
        if os.path.lexists(path):
            try:
                lost[record] = lost_images(path)
            except UnusableFile as error:
                damaged[record] = error
    return Images({record: images for record, images in lost.items() if images}, damaged)


def damaged_records(outputs: Iterable[Output], root: Path) -> dict[str, UnusableFile]:
    """Record -> why it cannot be used, of all that rules make, by itself or in a folder; with paths from the root."""
    damaged = {}
    for output in outputs:
        single = [output.path] if output.path.endswith(".json") else []
        for record in single or [f"{output.path}/{name}" for name, kind in KINDS.items() if kind.in_folder]:
            if os.path.lexists(root / record):
                try:
                    read_record(root / record)
                except UnusableFile as error:
                    damaged[record] = error
    return damaged
