"""Write a page of docs/results from finished studies: their tables as they came out, and where they came from.

Usage: python docs/results/make_page.py CONFIG [CONFIG ...] PAGE.md [--preset NAME] [--note TEXT]
"""

import argparse
import json
import subprocess
from pathlib import Path

import pandas as pd

from afpbench.study.load import load_study, read_study
from afpbench.base.hardware import describe
from afpbench.base.log import versions
from afpbench.study.seeds import seed_marks, training_seeds
from afpbench.study.splits import fold_folders

PACKAGES = ("torch", "nnunetv2", "TotalSegmentator", "itk-elastix", "SimpleITK", "surface-distance", "snakemake")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, nargs="+")
    parser.add_argument("page", type=Path)
    parser.add_argument("--preset")
    parser.add_argument("--note", default="")
    args = parser.parse_args()
    parts = [f"# {args.page.stem.replace('_', ' ').capitalize()}", args.note]
    for config in args.config:
        study = load_study(read_study(config) | ({"preset": args.preset} if args.preset else {}), Path.cwd())
        parts.append(_provenance(config, study))
        for task, spec in study["tasks"].items():
            parts += _task(Path(study["results"]) / task, task, spec, list(seed_marks(study)))
    args.page.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def _provenance(config: Path, study: dict) -> str:
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    machine = describe()
    seeds = training_seeds(study)
    more = f" (rows trained with {', '.join(map(str, seeds))})" if seeds != [study["seed"]] else ""
    return (
        f"Config `{config}`, preset `{study['preset'] or 'none'}`, seed {study['seed']}{more}, revision `{revision}`.\n"
        f"Machine: {machine['cores']} cores of {machine['processor']}, GPU {machine['gpu'] or 'none'}, "
        f"Python {machine['python']}.\nVersions: {versions(*PACKAGES)}."
    )


def _task(folder: Path, task: str, spec: dict, seeds: list[str]) -> list[str]:
    parts = [f"## {spec['title']}"]
    folds = fold_folders(spec["splits"])
    splits = json.loads((folder / folds[0] / "splits" / "splits.json").read_text())
    counts = ", ".join(f"{len(splits[part])} {part}" for part in ("train", "validation", "test"))
    counts += f" in the first of {len(folds)} folds" if len(folds) > 1 else ""
    parts.append(f"Task `{task}`, cases: {counts}; spacing {spec['spacing_mm']} mm (z, y, x).")
    for table in spec["tables"]:
        parts += [(folder / "tables" / f"{name}.md").read_text().strip() for name in (table, f"{table}_published")
                  if (folder / "tables" / f"{name}.md").exists()]  # fmt: skip
    if (folder / "segmenters" / "accuracy.csv").exists():
        parts += ["### The segmenters against the true labels (held-out real CT)", _accuracy(folder)]
    parts += ["### Registration", _registration(folder), "### Cost", _cost(folder, spec, seeds)]
    return parts


def _accuracy(folder: Path) -> str:
    table = pd.read_csv(folder / "segmenters" / "accuracy.csv")
    grouped = table.groupby(["segmenter", "structure", "metric"])["value"].agg(["mean", "min", "count"]).round(3)
    return _markdown(grouped.reset_index())


def _registration(folder: Path) -> str:
    table = pd.read_csv(folder / "registration" / "registration.csv")
    names = [c for c in table.columns if table[c].dtype.kind == "f" and table[c].notna().any()]
    return _markdown(table[names].agg(["mean", "min", "max"]).round(3).T.reset_index(names="value"))


def _cost(folder: Path, spec: dict, seeds: list[str]) -> str:
    rows, variants = [], [f"{name}{seed}" for name in spec["variants"] for seed in seeds]
    for kind, names in (("segmenters", spec["segmenters"]), ("variants", variants)):
        for name in names:
            path = folder / fold_folders(spec["splits"])[0] / "models" / kind / name / "cost.json"
            if path.exists():
                cost = json.loads(path.read_text())
                rows.append(
                    {
                        "model": name,
                        "iterations": cost["iterations"],
                        "patch": "x".join(map(str, cost["patch_size"])),
                        "s per iteration": round(cost["seconds_per_iteration"], 3),
                        "training, s": round(cost["seconds"]),
                        "peak memory, MB": round(cost["peak_memory_mb"]),
                    }
                )
    return _markdown(pd.DataFrame(rows))


def _markdown(table: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + " --- |" * len(table.columns)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
