"""What a finished study took, from the records that Snakemake keeps of each job (results/<task>/benchmarks/).

    PYTHONPATH=src python benchmarks/study_times.py [results]

Prints CPU seconds of all jobs by rule; those of all but trainings over those of the trainings; and the minutes from the
start of the first job to the first row that was trained. The last is read from the dates of the records, so the study
must have run in one piece, and not have been copied without its dates.
"""

import argparse
import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

TRAININGS = ("train_segmenter", "train_medicalnet", "train")  # of segmenters, of MedicalNet's stand-in, of the rows
ROWS = "train"


@dataclass(frozen=True)
class Job:
    """A finished job. kind: the folder or file that its record lies in. begin, end: seconds since 1970."""

    kind: str
    cpu_s: float
    begin: float
    end: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    jobs = read_jobs(parser.parse_args().results)
    if not is_finished(jobs):
        raise SystemExit("no study that trained a row and wrote its report is here: run `make benchmark` first")
    for kind, seconds in by_kind(jobs).most_common():
        print(f"{seconds:10.0f} CPU s  {kind}")
    print(f"all but trainings over the trainings: {rest_over_trainings(jobs):.2f}")
    print(f"first trained row after {first_row_minutes(jobs):.1f} minutes")


def read_jobs(results: Path) -> list[Job]:
    """Every job of the tasks under a results folder, and of the study as a whole."""
    jobs = []
    for folder in (results / "benchmarks", *sorted(results.glob("*/benchmarks"))):
        for path in sorted(folder.rglob("*.tsv")):
            place = [part for part in path.relative_to(folder).with_suffix("").parts if part != "folds"]
            kind = next(part for part in place if not part.isdigit())
            with open(path, encoding="utf-8") as file:
                record = list(csv.DictReader(file, delimiter="\t"))[-1]
            end = path.stat().st_mtime
            # Snakemake writes NA or - for a job that ended before it could look
            cpu = record["cpu_time"] if record["cpu_time"] not in ("NA", "-") else record["s"]
            jobs.append(Job(kind, float(cpu), end - float(record["s"]), end))
    return jobs


def is_finished(jobs: list[Job]) -> bool:
    """Whether a study trained rows and came to its report."""
    return {ROWS, "report"} <= {job.kind for job in jobs}


def by_kind(jobs: list[Job]) -> Counter[str]:
    """CPU seconds of the jobs of a kind."""
    total: Counter[str] = Counter()
    for job in jobs:
        total[job.kind] += job.cpu_s
    return total


def rest_over_trainings(jobs: list[Job]) -> float:
    """CPU seconds of all that is no training, over those of the trainings."""
    total = by_kind(jobs)
    trainings = sum(total[kind] for kind in TRAININGS)
    return (total.total() - trainings) / trainings


def first_row_minutes(jobs: list[Job]) -> float:
    """From the start of the first job to the end of the first training of a row."""
    return (min(job.end for job in jobs if job.kind == ROWS) - min(job.begin for job in jobs)) / 60


if __name__ == "__main__":
    main()
