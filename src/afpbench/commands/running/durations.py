"""How long jobs took, by rule, from the records of finished ones (`benchmarks/` in a results folder), and in words."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

RULE = re.compile(r"^rule (\w+):(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
RECORD = re.compile(r"benchmark:\n\s+\S*?benchmark\(f?\"([^\"]*)\"")
FOLD = re.compile(r"^folds/\d+/")


@dataclass(frozen=True)
class Cost:
    """What a job took. seconds: by the clock. cpu_s: of processor time. memory_mb: its peak (1e6 bytes), or 0."""

    seconds: float
    cpu_s: float
    memory_mb: float = 0.0


def record_kinds(rules: Path) -> dict[str, str]:
    """Rule -> the folder or file under `benchmarks/` that its records lie in, read from the rules (workflow/rules).

    `segment` and `segment_real`, which do the same to other images, have one.
    """
    kinds = {}
    for file in sorted(rules.glob("*.smk")):
        for name, body in RULE.findall(file.read_text(encoding="utf-8")):
            if found := RECORD.search(body):
                pattern = re.sub(r"\{+fold\}+", "", found[1])
                kinds[name] = _kind(pattern)
    return kinds


def _kind(record: str) -> str:
    """`train` of `train/l1`; of figures the kind of figure too: `figures/slices` of `figures/slices.typical`."""
    parts = FOLD.sub("", record).split("/")
    return "/".join([parts[0], parts[1].split(".")[0]]) if parts[0] == "figures" else parts[0]


def read_costs(results: Path) -> dict[str, list[Cost]]:
    """Kind of record -> what each finished job of it took, in all tasks of a results folder."""
    costs: dict[str, list[Cost]] = defaultdict(list)
    for folder in (results / "benchmarks", *sorted(results.glob("*/benchmarks"))):
        for path in sorted(folder.rglob("*.tsv")):
            kind = _kind(path.relative_to(folder).with_suffix("").as_posix())
            costs[kind] += list(_read(path))
    return dict(costs)


def _read(path: Path) -> Iterator[Cost]:
    """The last line of a record; nothing where it is cut off. Snakemake writes NA or - for what it could not see."""
    try:
        with open(path, encoding="utf-8") as file:
            line = list(csv.DictReader(file, delimiter="\t"))[-1]
        seconds = float(line["s"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return
    yield Cost(seconds, _number(line.get("cpu_time"), seconds), _number(line.get("max_rss"), 0.0) * 2**20 / 1e6)


def _number(text: str | None, otherwise: float) -> float:
    try:
        return float(text or "")
    except ValueError:
        return otherwise


def mean_seconds(costs: Mapping[str, Sequence[Cost]], kinds: Mapping[str, str]) -> dict[str, float]:
    """Rule -> the mean seconds of its finished jobs, of those that have any."""
    return {rule: mean(cost.seconds for cost in costs[kind]) for rule, kind in kinds.items() if costs.get(kind)}


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`."""
    whole_s = round(seconds)
    if whole_s < 120:
        return f"{whole_s} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
