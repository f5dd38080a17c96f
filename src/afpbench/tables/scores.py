"""The files of a table of scores."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .build import Context, build_all
from .captions import calibration_notes, choice_notes, definition_note
from .inputs import Inputs
from .render import rendered


def score_files(name: str, spec: Mapping[str, Any], inputs: Inputs, context: Context) -> dict[str, str]:
    """File name -> text of the table and, where its spec says `published`, of its companion."""
    long, rows = inputs.long, spec["rows"]
    notes = [
        definition_note(context.definition),
        choice_notes(context.chosen_by, context.labels, rows),
        calibration_notes(long[long["variant"].isin(rows)], context.labels, context.task),
    ]
    noted = replace(context, notes=" ".join(note for note in notes if note))
    return rendered(build_all(name, spec, long, inputs.statistics, noted))
