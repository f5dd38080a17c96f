"""Train the segmenters that are shipped as pre-trained, on phantoms of a seed that no study uses.

    python pretraining/pretrain.py                          all of them, one after another
    python pretraining/pretrain.py thorax/navi thorax/hal   some

What a killed run has finished is kept: the same command goes on. The networks and their training are those of
pretraining/study.yaml; each is left in src/afpbench/pretrained/ with its model card, measured on the test cases.
"""

import argparse
import functools
import multiprocessing
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from afpbench.base import log
from afpbench.base.atomic import read_json, sha256_of, write_json, write_text
from afpbench.base.hardware import Runtime
from afpbench.base.log import progress
from afpbench.metrics.surface import structure_metrics
from afpbench.registration.warp import warp
from afpbench.report.provenance import git_revision, package_versions
from afpbench.segmenters.stand_in import write_weights
from afpbench.segmenters.training import train_segmenter
from afpbench.study import pretrained
from afpbench.study.kinds.segmenters.totalsegmentator import TotalSegmentator, model_folder, totalsegmentator_classes
from afpbench.study.load import load_study, read_study
from afpbench.study.splits import make_folds
from afpbench.study.task import Task
from afpbench.training import checkpoints
from afpbench.volumes import io
from afpbench.volumes.io import Volume
from afpbench.volumes.preprocessing import AIR_HU, antialias, task_grid

HERE = Path(__file__).parent
ROOT = HERE.parent
NAMES = {
    "thorax/totalseg": "thorax_totalsegmentator",
    "thorax/navi": "thorax_airways",
    "thorax/hal": "thorax_lesions",
    "pelvis/totalseg": "pelvis_totalsegmentator",
}
CHECKPOINT = "fold_0/checkpoint_final.pth"
METRICS = ("dice", "nsd", "hd95")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NAMES), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--work", type=Path, default=ROOT / "results" / "pretraining", help="where the work is kept")
    parser.add_argument("--out", type=Path, default=pretrained.folder(), help="where the networks are left")
    parser.add_argument("--threads", type=int, default=1, help="of a training")
    parser.add_argument("--processes", type=int, default=2, help="that make phantoms")
    parser.add_argument("--cases-only", action="store_true", help="make the phantoms and stop")
    arguments = parser.parse_args()
    log.configure(sys.stderr)
    for network in arguments.networks:
        name, entry = network.split("/")
        cases = make_cases(name, arguments.work, arguments.processes)
        if not arguments.cases_only:
            task, out = read_task(name), arguments.out / NAMES[network]
            trained = train(task, entry, cases, arguments.work, arguments.threads)
            pack(task, entry, trained, out)
            write_json(out / "accuracy.json", measure(task, entry, out, cases, arguments.threads))
            write_card(task, entry, trained, out)


@functools.cache
def read_task(name: str) -> Task:
    """A task of pretraining/study.yaml."""
    study = load_study(read_study(HERE / "study.yaml"), ROOT)
    return Task(name, study["tasks"][name], ROOT, study["seed"])


def splits_of(task: Task) -> dict[str, list[str]]:
    """Its training, validation and test cases."""
    return make_folds(task.source.available(), task.options["splits"], task.seed, task.name)[0]


def make_cases(name: str, work: Path, processes: int) -> dict[str, Path]:
    """All cases of a task, those that are there already included: case id -> folder."""
    folders = {case: work / name / "cases" / case for case in read_task(name).source.available()}
    missing = [(name, case, out) for case, out in folders.items() if not (out / "labels.nii.gz").exists()]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for _ in progress(pool.imap_unordered(_make_case, missing, chunksize=4), len(missing), f"{name}: phantoms"):
            pass
    return folders


def _make_case(arguments: tuple[str, str, Path]) -> None:
    name, case, out = arguments
    make_case(read_task(name), case, out)


def make_case(task: Task, case: str, out: Path) -> None:
    """A phantom's CT and labels as studies prepare them: resampled to the grid of its MR at the task's spacing."""
    volumes, _ = task.source.make_case(case, task.seed)
    grid = task_grid(volumes["mr"].geometry, task.options["spacing_mm"])
    still = np.zeros((*grid.shape, 3), np.float32)
    hu = warp(antialias(volumes["ct"], grid.spacing_mm), grid, still, "cubic", AIR_HU)
    out.mkdir(parents=True, exist_ok=True)
    io.write(Volume(io.save_hu(hu), grid), out / "ct.nii.gz")
    io.write(Volume(warp(volumes["labels"], grid, still, "labels", 0), grid), out / "labels.nii.gz")


def train(task: Task, entry: str, cases: dict[str, Path], work: Path, threads: int) -> Path:
    """Train one network; returns its model folder."""
    out = work / task.name / "models" / entry
    if not (out / "plans.json").exists():
        train_segmenter(
            f"{task.name}/{entry}",
            cases,
            splits_of(task),
            task.segmenters[entry].label_groups(),
            task.options["segmenters"][entry],
            task.options["spacing_mm"],
            work / task.name / "work" / entry,
            out,
            Runtime("auto", "auto", threads, task.seed),
        )
    return out


def pack(task: Task, entry: str, trained: Path, out: Path) -> None:
    """Write a trained network as it is shipped: what inference needs, and which labels its classes stand for.

    A `totalsegmentator` gets TotalSegmentator's own layout, another one is an nnU-Net v2 model folder.
    """
    segmenter, groups = task.segmenters[entry], task.options["segmenters"][entry]["classes"]
    shutil.rmtree(out, ignore_errors=True)
    if isinstance(segmenter, TotalSegmentator):
        classes = totalsegmentator_classes()
        values = {name: value for value, name in classes.items()}
        fast = segmenter.options["task"]
        write_weights(trained, {name: values[name] for name in groups}, classes, fast, out)
        model = model_folder(out, fast)
    else:
        model = out
        (out / "fold_0").mkdir(parents=True)
        shutil.copyfile(trained / "plans.json", out / "plans.json")
        shutil.copyfile(trained / "dataset.json", out / "dataset.json")
        content = checkpoints.load(trained / CHECKPOINT)
        torch.save(checkpoints.for_inference(content), out / CHECKPOINT)
    for name in ("cost.json", "curves.csv"):
        shutil.copyfile(trained / name, out / name)
    write_json(model / "dataset.json", {**read_json(model / "dataset.json"), "label_groups": groups})


def measure(task: Task, entry: str, folder: Path, cases: dict[str, Path], threads: int) -> dict[str, dict]:
    """Dice, NSD and HD95 (mm) of a packed network on the test cases against their labels.

    Returns structure -> metric -> {mean, sd, smallest, largest, n}; a case that has a structure neither in its labels
    nor in what is found has no value.
    """
    segmenter = task.segmenters[entry]
    segment = segmenter.open(folder, "auto", threads)
    structures = {name: spec for name, spec in task.options["structures"].items() if spec["segmenter"] == entry}
    values, groups, rows = segmenter.class_values(), segmenter.label_groups(), []
    test = splits_of(task)["test"]
    for case in progress(test, len(test), f"{task.name}/{entry}: unseen phantoms"):
        found = segment(io.read(cases[case] / "ct.nii.gz", case))
        labels = io.read(cases[case] / "labels.nii.gz", case)
        for name, spec in structures.items():
            true = np.isin(labels.array, [value for group in spec["classes"] for value in groups[group]])
            mask = np.isin(found, [values[group] for group in spec["classes"]])
            scores = structure_metrics(true, mask, labels.spacing_mm, spec["tolerance_mm"])
            rows.append({"structure": name} | {metric: scores[metric] for metric in METRICS})
    table = pd.DataFrame(rows).set_index("structure")
    return {name: {metric: _summary(table.loc[[name], metric]) for metric in METRICS} for name in structures}


def _summary(values: pd.Series) -> dict[str, float]:
    figures = {"mean": values.mean(), "sd": values.std(), "smallest": values.min(), "largest": values.max()}
    return {name: round(float(value), 4) for name, value in figures.items()} | {"n": int(values.count())}


def write_card(task: Task, entry: str, trained: Path, out: Path) -> None:
    """README.md, provenance.json and SHA256SUMS of a shipped network."""
    options, splits, data = task.options["segmenters"][entry], splits_of(task), task.options["data"]
    training, accuracy = options["training"], read_json(out / "accuracy.json")
    cost = read_json(trained / "cost.json")
    provenance = {
        "script": f"python pretraining/pretrain.py {task.name}/{entry}",
        "revision": git_revision(ROOT),
        "seed": task.seed,
        "data": dict(data),
        "cases": {part: len(splits[part]) for part in ("train", "validation", "test")},
        "training": training,
        "planner": options["planner"],
        "cost": cost,
        "versions": dict(package_versions()),
    }
    write_json(out / "provenance.json", provenance)
    lines = [
        f"# {out.name}: {options['label']}",
        "",
        f"Trained on {len(splits['train'])} phantoms of the {data['region']} (seed {task.seed}, which no study uses), "
        f"{training['iterations']} iterations of nnU-Net's training at {task.options['spacing_mm'][0]:g} mm. It knows "
        "phantoms and nothing else: it is of no use on patients.",
        "",
        f"Against the true labels of {len(splits['test'])} phantoms that it has not seen:",
        "",
        "| Structure | Dice | NSD | HD95 (mm) |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, metrics in accuracy.items():
        label = task.options["structures"][name]["label"]
        cells = [f"{metrics[m]['mean']:.3f} ± {metrics[m]['sd']:.3f}" for m in METRICS]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    lines += ["", "Classes, and the phantom's labels that each stands for:", ""]
    lines += [f"- `{name}`: {', '.join(labels)}" for name, labels in options["classes"].items()]
    lines += [
        "",
        f"Made by `{provenance['script']}`; settings, versions and cost in provenance.json, the curve in curves.csv. "
        "Licence: that of the project.",
        "",
    ]
    write_text(out / "README.md", "\n".join(lines))
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    write_text(out / "SHA256SUMS", "".join(f"{sha256_of(path)}  {path.relative_to(out)}\n" for path in files))


if __name__ == "__main__":
    main()
