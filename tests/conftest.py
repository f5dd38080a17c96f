"""Shared by all tests: one thread per process, a copy of the project, small cases, and a small study run once."""

import functools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from afpbench.study.load import load_study
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

PROJECT = Path(__file__).parents[1]
TREE = ("Snakefile", "workflow", "scripts", "src", "config", "profiles", "envs")
DIGESTS = PROJECT / ".snakemake" / "afpbench" / "digests.json"
CONDA_RIG = Path(__file__).parent / "conda_rig" / "bin"
TINY_STUDY = Path(__file__).parent / "e2e" / "tiny.yaml"

torch.set_num_threads(1)
logging.getLogger("afpbench").addHandler(logging.NullHandler())  # what is loaded while tests are collected says nothing
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # for the processes that tests start
# A shell lets what it runs in the background ignore Ctrl-C, and nohup a closed terminal; so would what tests start.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs in one worker of pytest-xdist: the tests of a file, and all that look at the finished small study.

    The workers begin with what takes longest, whole studies, so that none is left with one of them at the end.
    """
    turns: dict[Path, int] = {}
    for item in items:
        shared = "finished_study" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("finished_study" if shared else str(item.path)))
        slow, workflow = (item.get_closest_marker(name) is not None for name in ("slow", "workflow"))
        turn = 0 if shared else 1 if slow and workflow else 2 if slow or workflow else 3
        turns[item.path] = min(turn, turns.get(item.path, 3))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: turns[item.path])


@pytest.fixture(autouse=True)
def untouched_logger():
    """The package's logger as it is when imported: commands and scripts set it up for their own process."""
    logger = logging.getLogger("afpbench")
    logger.propagate, logger.handlers[:] = True, [logging.NullHandler()]
    logger.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the project."""
    return PROJECT


@pytest.fixture
def real_data() -> Path:
    """The folder of real patients; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("AFPBENCH_REAL_DATA") or PROJECT.parent / "shared" / "real")
    if not (folder / "sts").is_dir():
        pytest.skip(f"no real patients under {folder} (AFPBENCH_REAL_DATA names the folder)")
    return folder


# --- Snakemake


def copy_project(folder: Path) -> Path:
    """A copy of the workflow and its code, free to be edited."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = shutil.ignore_patterns("*.pyc.*", "*.egg-info")  # the first are bytecode that is just being written
    for name in TREE:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copyfile(source, folder / name)
    if DIGESTS.is_file():  # of what the project's own jobs have read: no copy need parse the package again
        (folder / DIGESTS.relative_to(PROJECT)).parent.mkdir(parents=True)
        shutil.copyfile(DIGESTS, folder / DIGESTS.relative_to(PROJECT))
    return folder


def snakemake(
    folder: Path, *arguments: str, command: Sequence[str] = ("snakemake",), **environment: str
) -> subprocess.CompletedProcess:
    """Run snakemake, or the command in its place, in a folder; stdout and stderr together in `.stdout`."""
    binaries = str(Path(sys.executable).parent)
    others = ("PYTHONPATH", "AFPBENCH_FAILED_CASES", "AFPBENCH_EXTENSIONS", "SNAKEMAKE_PROFILE")
    variables = {name: value for name, value in os.environ.items() if name not in others}
    variables |= {"PATH": os.pathsep.join([binaries, os.environ["PATH"]]), **environment}
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=3600,
    )


def conda_rig(folder: Path) -> dict[str, str]:
    """Variables for `snakemake` with which `conda` is the stand-in, which writes to conda.log what it is asked."""
    path = os.pathsep.join([str(CONDA_RIG), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "CONDA_RIG_LOG": str(folder / "conda.log")}


def environments_of(folder: Path) -> dict[str, Path]:
    """Name of an environment file -> the environment that Snakemake made of it in a project."""
    named = {}
    for made in folder.glob(".snakemake/conda/*.yaml"):
        (name,) = [file.name for file in (folder / "envs").iterdir() if file.read_bytes() == made.read_bytes()]
        named[name] = made.with_suffix("")
    return named


def planned_jobs(output: str) -> dict[str, int]:
    """Rule -> number of jobs, from the job table that snakemake prints; {} where it printed none."""
    lines = output.split("Job stats:", 1)[-1].splitlines() if "Job stats:" in output else []
    jobs = {}
    for line in lines:
        words = line.split()
        if len(words) == 2 and words[1].isdigit() and words[0] != "total":
            jobs[words[0]] = int(words[1])
        elif words[:1] == ["total"]:
            break
    return jobs


def study_inputs(root: Path) -> Path:
    """Small files with the real layout and names for every shipped study, where the studies look for them."""
    for number, name in enumerate(("organs", "vertebrae", "cardiac", "muscles", "ribs"), start=291):
        (root / f"resources/totalsegmentator/Dataset{number}_TotalSegmentator_{name}_1559subj").mkdir(parents=True)
    (root / "resources/totalsegmentator/Dataset297_TotalSegmentator_total_3mm_1559subj").mkdir()
    thorax = root / "resources/synthrad2025/synthRAD2025_Task1_Train/Task1/TH"
    write_files(thorax, [f"1TH{center}{number:03d}" for center in "AB" for number in range(1, 61)], ".mha")
    own = [f"p{number:02d}" for number in range(1, 33)]
    write_files(root / "data", own, ".nii.gz")
    lines = ["case\tmr\tct", *(f"{case}\t{case}/mr.nii.gz\t{case}/ct.nii.gz" for case in own)]
    (root / "data/cases.tsv").write_text("\n".join(lines) + "\n")
    lung = [f"l{number:03d}" for number in range(1, 123)]
    write_files(root / "data/lung", lung, ".nii.gz")
    lines = ["case\tmr\tct", *(f"{case}\t{case}/mr.nii.gz\t{case}/ct.nii.gz" for case in lung)]
    (root / "data/lung/cases.tsv").write_text("\n".join(lines) + "\n")
    for name in ("naviairway/checkpoint.pkl", "naviairway/checkpoint_semi_supervise.pkl",
                 "medicalnet/resnet_50_23dataset.pth"):  # fmt: skip
        (root / "resources" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "resources" / name).write_bytes(b"small")
    hal = root / "resources/hal/nnUNetTrainer__nnUNetPlans__3d_fullres"
    (hal / "fold_0").mkdir(parents=True)
    labels = {"background": 0, "bronchiectasis": 1, "peribronchial_thickening": 2, "mucus": 3}
    (hal / "dataset.json").write_text(json.dumps({"labels": labels}))
    for name in ("plans.json", "fold_0/checkpoint_final.pth"):
        (hal / name).write_text("{}")
    return root


def write_files(folder: Path, cases: list[str], ending: str) -> None:
    """A folder per case with mr, ct and mask, and an `overview` beside them, as SynthRAD has them."""
    for case in cases:
        (folder / case).mkdir(parents=True)
        for role in ("mr", "ct", "mask"):
            (folder / case / f"{role}{ending}").write_bytes(b"small")
    (folder / "overview").mkdir()


@dataclass(frozen=True)
class Run:
    """A study that was run to its end: its folder, its file, and what snakemake printed."""

    folder: Path
    study: dict
    output: str
    seconds: float

    @property
    def task(self) -> Path:
        return self.folder / "results" / "thorax"

    def copy(self, folder: Path) -> Path:
        """The finished study with its tree, times of files kept, free to be edited and run again."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return folder


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory) -> Run:
    """The tiny study, run by Snakemake from nothing to its tables with the real parts."""
    folder = copy_project(tmp_path_factory.mktemp("tiny") / "project")
    shutil.copyfile(TINY_STUDY, folder / "study.yaml")
    begin = time.monotonic()
    result = snakemake(folder, "--cores", "2", "--configfile", "study.yaml")
    assert result.returncode == 0, result.stdout[-6000:]
    return Run(folder, yaml.safe_load(TINY_STUDY.read_text()), result.stdout, time.monotonic() - begin)


@pytest.fixture
def full_disk(tmp_path):
    """A file system of 200 kB; skipped where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


# --- prepared cases without the workflow

GRID = Geometry((20, 24, 28), (6.0, 6.0, 6.0), (-84.0, -72.0, 10.0))


def write_prepared(folder: Path, seed: int, geometry: Geometry = GRID) -> Path:
    """A prepared folder with a body (soft tissue), two organs (labels 1: dense, 2: airy), and noise."""
    generator = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in geometry.shape], indexing="ij")
    shift = generator.uniform(-0.1, 0.1, 3)
    body = (y / 0.85) ** 2 + (x / 0.9) ** 2 < 1
    dense = ((z - shift[0]) / 0.6) ** 2 + ((y - shift[1] - 0.3) / 0.3) ** 2 + ((x - shift[2]) / 0.3) ** 2 < 1
    airy = ((z - shift[0]) / 0.7) ** 2 + ((y - shift[1] + 0.3) / 0.35) ** 2 + ((x - shift[2]) / 0.6) ** 2 < 1
    covered = np.ones(geometry.shape, bool)
    covered[-1] = False
    labels = np.select([dense, airy], [1, 2], 0)
    ct = np.select([~body, dense, airy], [-1000.0, 600.0, -750.0], 40.0) + generator.normal(0, 15, geometry.shape)
    mr = np.select([~body, dense, airy], [5.0, 20.0, 15.0], 200.0) + np.abs(generator.normal(0, 8, geometry.shape))
    arrays = {
        "mr": mr.astype(np.float32),
        "ct": io.save_hu(np.where(covered, ct, -1024)),
        "mask": (body & covered).astype(np.uint8),
        "covered": covered.astype(np.uint8),
        "labels": np.where(covered, labels, 0).astype(np.uint8),
    }
    for name, array in arrays.items():
        io.write(Volume(array, geometry), folder / f"{name}.nii.gz")
    return folder


@pytest.fixture(scope="session")
def prepared_cases(tmp_path_factory) -> dict[str, Path]:
    """Case id -> prepared folder of four synthetic cases, p1 to p4. Not to be changed by a test."""
    root = tmp_path_factory.mktemp("cases")
    return {f"p{i}": write_prepared(root / f"p{i}" / "prepared", seed=i) for i in range(1, 5)}


SPLITS = {"train": ["p1", "p2", "p3"], "validation": ["p4"]}
PATCH = [16, 16, 16]


@functools.cache
def _tiny_task() -> dict:
    """The tiny study's task with every default filled in, as the workflow gives it to training."""
    return load_study(yaml.safe_load(TINY_STUDY.read_text()), PROJECT)["tasks"]["thorax"]


GENERATOR = {**_tiny_task()["generators"]["nnunet"], "patch_size": PATCH}
PLANNER = GENERATOR["planner"]


def training_options(**changes) -> dict:
    """`training` of a complete study, for 6 iterations in 3 epochs."""
    short = {"iterations": 6, "iterations_per_epoch": 2, "validation_iterations": 1, "precision": "float32"}
    return {**_tiny_task()["training"], **short, **changes}


@pytest.fixture(scope="session")
def training_set(prepared_cases, tmp_path_factory) -> tuple[Path, Path]:
    """A generator's training set of the synthetic cases, and normalization.json beside it."""
    from afpbench.base.atomic import write_json
    from afpbench.training.training_set import build
    from afpbench.volumes import normalization

    root = tmp_path_factory.mktemp("training")
    statistics = normalization.fit([prepared_cases[case] for case in SPLITS["train"]], _tiny_task()["normalization"])
    write_json(root / "normalization.json", statistics)
    build(prepared_cases, SPLITS, statistics, GENERATOR, GRID.spacing_mm, root / "set", seed=1)
    return root / "set", root / "normalization.json"
