"""The table of `make bench`: its rows, as Markdown, as JSON, and in docs/performance.md.

    python benchmarks/bench_table.py

writes the tables of docs/performance.md anew from the figures in benchmarks/reference/.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE, PAGE = ROOT / "benchmarks" / "reference", ROOT / "docs" / "performance.md"
HEAD = "| what | against | measured | to reach | |\n|---|---|---|---|---|"


def sides(shape: Sequence[int]) -> str:
    """A shape for people: 533 x 373 x 533."""
    return " x ".join(map(str, shape))


@dataclass(frozen=True)
class Row:
    """A ratio, measured in rounds.

    goal: what the median is to reach, at least or at most. bound: what keeps it from there, and what was tried; shown
    where it is not reached. ratios: of the rounds; none where nothing could be measured, and then `missing` says why.
    """

    what: str
    against: str
    goal: float
    at_least: bool
    bound: str
    ratios: tuple[float, ...] = ()
    missing: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def reached(self) -> bool:
        return bool(self.ratios) and (self.median >= self.goal if self.at_least else self.median <= self.goal)

    def markdown(self) -> str:
        """The row of the table."""
        goal = f"{'≥' if self.at_least else '≤'} {self.goal:g}"
        verdict = "reached" if self.reached else self.bound
        return f"| {self.what} | {self.against} | {self.measured()} | {goal} | {'' if self.missing else verdict} |"

    def measured(self) -> str:
        """The median, and the range of the rounds where there are several."""
        if not self.ratios:
            return f"not measured: {self.missing}"
        low, high = min(self.ratios), max(self.ratios)
        spread = f" ({low:.2f} to {high:.2f})" if len(self.ratios) > 1 and low < high else ""
        return f"{self.median:.2f}{spread}"


def machine_words(figures: dict) -> str:
    """The machine by what decides its speed, and what else it did."""
    machine, load = figures["machine"], figures["load"]
    limit = ", held to AVX2 and float32" if figures["avx2"] else ""
    return (
        f"{machine['cores']} cores ({', '.join(machine['instructions']) or 'no vector instructions known'}){limit}; "
        f"automatic number format {figures['number_format']}; load {load[0]:.1f} before and {load[1]:.1f} after; "
        f"torch {machine['torch']}; {figures['minutes']:.0f} minutes."
    )


def tables(figures: dict) -> str:
    """Machine and table, as Markdown."""
    rows = [Row(**{**row, "ratios": tuple(row["ratios"])}) for row in figures["rows"]]
    return "\n".join([machine_words(figures), "", HEAD, *(row.markdown() for row in rows)])


def as_json(rows: Sequence[Row], **figures) -> dict:
    """What is written beside the table."""
    rounded = [{**asdict(row), "ratios": [round(ratio, 4) for ratio in row.ratios]} for row in rows]
    return {**figures, "rows": rounded}


def with_tables(page: str, reference: Path) -> str:
    """The page with the table of each file in `reference` between its two marks, `<!-- NAME -->` and `<!-- end -->`."""
    for path in sorted(reference.glob("*.json")):
        before, _, rest = page.partition(f"<!-- {path.stem} -->\n")
        _, _, after = rest.partition("<!-- end -->\n")
        table = tables(json.loads(path.read_text(encoding="utf-8")))
        page = f"{before}<!-- {path.stem} -->\n{table}\n<!-- end -->\n{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), REFERENCE), encoding="utf-8")
