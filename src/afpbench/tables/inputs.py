"""What a table is made of, read when it is asked for."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from ..base.errors import DataError
from ..metrics.longtable import read_long
from ..metrics.seeds import over_seeds
from ..metrics.statistics import read_statistics
from ..study.records import SYNTHESIS, read_entries, read_record
from .footnotes import failures


class Inputs:
    """The files of a table: those that its kind `uses`.

    files: name -> file, or the files of all rows, one row after the other and equally many of each run. rows: the
    table's. runs: how many seeds trained a row, 1 where it is not said. trained: those of the rows that were trained,
    where not all of them. together: how many networks of a row predict a case together, the folds of an ensemble.
    """

    def __init__(
        self,
        files: Mapping[str, str | Sequence[str]],
        rows: Sequence[str],
        runs: Mapping[str, int] | None = None,
        trained: Collection[str] | None = None,
        together: int = 1,
    ):
        self.files = files
        self.rows = list(rows)
        self.trained = [row for row in rows if trained is None or row in trained]
        self.runs = {row: 1 for row in rows} | dict(runs or {})
        self.together = together

    @cached_property
    def long(self) -> pd.DataFrame:
        """The long table of the task, of all rows and seeds (longtable.COLUMNS)."""
        return read_long(str(self._of("metrics")))

    @cached_property
    def averaged(self) -> pd.DataFrame:
        """The same with one line in the place of those of several seeds, their mean (metrics.seeds.over_seeds)."""
        return over_seeds(self.long)

    @cached_property
    def against(self) -> list[pd.DataFrame]:
        """A long table for each run, of each pair of tasks: those of a table of registration bias, in its order."""
        return [read_long(path) for path in self._of("against")]

    @cached_property
    def statistics(self) -> pd.DataFrame:
        """Every row against the reference row (statistics.COLUMNS)."""
        return read_statistics(str(self._of("statistics")))

    @cached_property
    def costs(self) -> dict[str, dict[str, Any]]:
        """Trained row -> the cost record of its training; of a cross-validation pooled over the folds, summed over
        seeds and over networks that predict together."""
        from .cost import pooled_cost

        return {
            row: pooled_cost([read_record(path) for path in paths], self.runs[row], self.together)
            for row, paths in self._per_row("costs", self.trained).items()
        }

    @cached_property
    def syntheses(self) -> dict[str, list[dict[str, Any]]]:
        """Row -> an entry for each test case: `case`, `status`, and if that is `ok` `seconds`, `shape`, and so on."""
        return {
            row: [entry for path in paths for entry in read_entries(path, SYNTHESIS if row in self.trained else None)]
            for row, paths in self._per_row("syntheses", self.rows).items()
        }

    def failures(self, row: str) -> list[tuple[str, str]]:
        """(case, reason) of the cases that failed, as far as the table's files tell."""
        if "metrics" in self.files:
            return list(failures(self.long[self.long["variant"] == row]))
        entries = self.syntheses[row] if "syntheses" in self.files else []
        return [(e["case"], e["status"].removeprefix("failed: ")) for e in entries if e["status"] != "ok"]

    def _per_row(self, name: str, rows: Sequence[str]) -> dict[str, list[Path]]:
        paths, runs = [Path(path) for path in self._of(name)], sum(self.runs[row] for row in rows)
        each, rest = divmod(len(paths), runs)
        if rest or not each:
            raise DataError(
                f"tables: the {name} of {len(rows)} rows",
                found=f"{len(paths)} files",
                expected="as many of each run",
            )
        counts, left = {row: each * self.runs[row] for row in rows}, iter(paths)
        return {row: list(islice(left, count)) for row, count in counts.items()}

    def _of(self, name: str) -> str | Sequence[str]:
        if name not in self.files:
            raise DataError(
                f"tables: the {name} are not among the table's files",
                found=", ".join(self.files),
                expected=name,
                hint=f"put '{name}' into `uses` of the table's class",
            )
        return self.files[name]
