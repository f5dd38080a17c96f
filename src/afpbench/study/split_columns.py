"""Splits by the columns of a source: official lists (`column=value`) and strata. Standard library only."""

import re
from typing import Any

from ..base.errors import ConfigError
from .kinds.source import Source
from .splits import PARTS


def resolve_splits(splits: dict[str, Any], source: Source) -> None:
    """Replace what a task's `splits` says of columns by what it means, in place.

    A part given as `column=value` becomes the list of the cases with that value; `stratify: column` becomes the value
    of each case. Raises ConfigError for a column that the source does not have, and a value that no case has.
    """
    named = {part: splits[part] for part in PARTS if isinstance(splits[part], str)}
    if not named and splits["stratify"] is None:
        return
    cases = source.cases()
    for part, text in named.items():
        column, wanted = re.split(r"\s*=\s*", text.strip(), maxsplit=1)
        values = source.column(column)
        splits[part] = [case for case in cases if values[case] == wanted]
        if not splits[part]:
            raise ConfigError(
                f"splits.{part}: no case has {column} = '{wanted}'",
                found=", ".join(sorted({values[case] for case in cases})[:10]),
                expected="a value of the column",
                hint="correct the value or the table",
            )
    if splits["stratify"] is not None:
        values = source.column(splits["stratify"])
        splits["stratify"] = {case: values[case] for case in cases}
