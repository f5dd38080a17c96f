"""Processor time and memory of planning a large study, against a toy Snakefile of as many jobs.

The study is that of SynthRAD2023's pelvis with the paper's rows (config/pelvis_synthrad2023.yaml), on folders of as
many patients with files of a few bytes; `snakemake -n --quiet` looks at it and runs nothing. The toy has the same
number of jobs, in chains of four like those of a case, with a log file and memory for each, and nothing else: what
Snakemake itself takes for so many jobs. Both run one after the other in each round; processor time is user and system.

Usage: python benchmarks/planning.py [--cases 210 2000] [--rounds 3] [--json FILE]
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from afpbench.base.hardware import describe

PROJECT = Path(__file__).parents[1]
DATASETS = (291, 292, 293, 294, 295, 297)
CENTRES, NUMBERS = "ABCDE", 999
TOY = """
JOBS = {jobs}

rule all:
    input:
        expand("d/{{case}}.txt", case=range((JOBS - 1) // 4)),
        expand("rest/{{job}}.txt", job=range((JOBS - 1) % 4)),

rule rest:
    output:
        "rest/{{job}}.txt",
    shell:
        "touch {{output}}"
"""
STEP = """
rule {name}:
{given}    output:
        "{name}/{{case}}.txt",
    log:
        "logs/{name}/{{case}}.log",
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "touch {{output}}"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="+", default=[210], help="patients of each study")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    found = [measure(cases, options.rounds) for cases in options.cases]
    print(f"{os.cpu_count()} cores of {describe()['processor']}; medians of {options.rounds} rounds\n")
    print("| cases | jobs | study, s | toy, s | ratio | over rounds | study, MB | toy, MB | study, ms a job |")
    print("|---:|---:|---:|---:|---:|---|---:|---:|---:|")
    for row in found:
        ratios = row["ratios"]
        print(
            f"| {row['cases']} | {row['jobs']} | {row['study_s']:.1f} | {row['toy_s']:.1f} "
            f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} "
            f"| {row['study_mb']:.0f} | {row['toy_mb']:.0f} "
            f"| {1000 * row['study_s'] / row['jobs']:.2f} |"
        )
    if options.json:
        options.json.write_text(json.dumps({"machine": describe(), "planning": found}, indent=1))


def measure(cases: int, rounds: int) -> dict:
    """Seconds and MB of the study and of its toy: medians over the rounds; and each round's ratio."""
    with tempfile.TemporaryDirectory(prefix="afpbench-planning-") as temporary:
        study, toy = Path(temporary) / "study", Path(temporary) / "toy"
        make_study(study, cases)
        text = plan(study, "--configfile", "study.yaml", quiet=False)[2]
        jobs = int(re.search(r"^total\s+(\d+)", text, re.MULTILINE)[1])
        make_toy(toy, jobs)
        pairs = [(plan(study, "--configfile", "study.yaml"), plan(toy)) for _ in range(rounds)]
    ratios = [ours[0] / theirs[0] for ours, theirs in pairs]
    median = {
        f"{name}_{unit}": statistics.median(pair[side][index] for pair in pairs)
        for side, name in enumerate(("study", "toy"))
        for index, unit in enumerate(("s", "mb"))
    }
    return {
        "cases": cases,
        "jobs": jobs,
        **median,
        "ratios": ratios,
    }


def plan(folder: Path, *arguments: str, quiet: bool = True) -> tuple[float, float, str]:
    """Plan a folder; processor seconds, peak memory in MB, and what it printed. Raises RuntimeError where it fails."""
    snakefile = folder / "Snakefile"
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--cores", "1", *arguments, "-n"]
    command += ["--quiet"] if quiet else []
    with open(folder / "output.txt", "w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        output.seek(0)
        text = output.read()
    if status:
        raise RuntimeError(f"{' '.join(command)} in {folder}:\n{text}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, text


def patients(count: int) -> Iterator[str]:
    """The ids of SynthRAD2023's pelvis, as many as wanted."""
    if count > len(CENTRES) * NUMBERS:
        raise ValueError(f"--cases {count}: at most {len(CENTRES) * NUMBERS}")
    for index in range(count):
        yield f"1P{CENTRES[index // NUMBERS]}{index % NUMBERS + 1:03d}"


def make_study(folder: Path, cases: int) -> None:
    """The study, its patients and its weights. The paper's parts: 150, 30 and 30 of 210."""
    pelvis = folder / "data" / "Task1" / "pelvis"
    for case in patients(cases):
        (pelvis / case).mkdir(parents=True)
        for role in ("mr", "ct", "mask"):
            (pelvis / case / f"{role}.nii.gz").write_bytes(b"small")
    for number in DATASETS:
        name = "TotalSegmentator_total_3mm_1559subj" if number == 297 else f"TotalSegmentator_part_{number}"
        (folder / "resources" / "totalsegmentator" / f"Dataset{number}_{name}").mkdir(parents=True)
    weights = folder / "resources" / "medicalnet" / "resnet_50_23dataset.pth"
    weights.parent.mkdir()
    weights.write_bytes(b"small")
    study = yaml.safe_load((PROJECT / "config" / "pelvis_synthrad2023.yaml").read_text(encoding="utf-8"))
    task = study["tasks"]["pelvis"]
    task["data"]["root"] = "data"
    part = cases // 7
    task["splits"] = {"train": cases - 2 * part, "validation": part, "test": part}
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    for name in ("Snakefile", "workflow", "scripts", "envs", "src", "profiles"):
        (folder / name).symlink_to(PROJECT / name)


def make_toy(folder: Path, jobs: int) -> None:
    """Chains of four rules, and a rule for what remains."""
    folder.mkdir()
    text, before = TOY.format(jobs=jobs), ""
    for name in "abcd":
        given = f'    input:\n        "{before}/{{case}}.txt",\n' if before else ""
        text += STEP.format(name=name, given=given)
        before = name
    (folder / "Snakefile").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
