"""The sources of docs/how-to/add-a-data-source.md, each in a file of a user's own: planned, checked, imported."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import yaml
from conftest import PROJECT, copy_project, planned_jobs, snakemake

from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume

pytestmark = pytest.mark.workflow
NAMES = ("numbered", "balls")
LABELS = {"kind": "hu_ranges", "structures": {"water": {"hu": [-100, 100], "min_volume_mm3": 1000}}}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A project with the guide's two files, images for the first, and a study of each."""
    folder = copy_project(tmp_path_factory.mktemp("own") / "project")
    guide = (PROJECT / "docs/how-to/add-a-data-source.md").read_text()
    for name, code in zip(NAMES, re.findall(r"```python\n(.*?)```", guide, re.DOTALL), strict=True):
        (folder / f"{name}.py").write_text(code)
    write_images(folder / "scans")
    for name, options in {"numbered": {"folder": "scans", "labels": LABELS}, "balls": {"cases": 3}}.items():
        (folder / f"{name}.yaml").write_text(
            yaml.safe_dump({"extensions": [f"{name}.py"]} | study({"source": name, **options}))
        )
    return folder


def write_images(folder):
    """Three pairs of a cube of water in air, in which nothing lies as in its mirror image."""
    grid = Geometry((16, 20, 24), (4.0, 3.0, 3.0))
    random = np.random.default_rng(7)
    for number in (7, 8, 12):
        inside = np.zeros(grid.shape, bool)
        inside[2:13, 3:15, 4:20] = True
        noise = random.normal(0, 5, grid.shape)
        io.write(
            Volume((np.where(inside, 300, 10) + noise).astype(np.float32), grid), folder / f"mr_{number:03d}.nii.gz"
        )
        io.write(Volume(io.save_hu(np.where(inside, 0, -1000) + noise), grid), folder / f"ct_{number:03d}.nii.gz")


def study(data):
    """The study of own data on another source; its segmenter learns nothing of the cases."""
    made = yaml.safe_load((PROJECT / "config" / "own_data.yaml").read_text())
    task = made["tasks"]["own"]
    task |= {"data": data, "spacing_mm": [4.0, 3.0, 3.0], "splits": {"train": 1, "validation": 1, "test": 1}}
    task["segmenters"] = {"airways": {"kind": "naviairway", "weights": ["navi.pkl"]}}
    task["structures"] = {"airways": {"segmenter": "airways", "classes": ["airway"]}}
    task["tables"] = {"quality": {"columns": [{"metric": "mae"}]}}
    task["variants"] = {"l1": {"generator": "nnunet", "loss": [{"term": "l1"}]}}
    task["reference"] = "l1"
    return made


def run(tree, name, *arguments):
    return snakemake(tree, *arguments, "--cores", "1", "--configfile", f"{name}.yaml")


def command(tree, name, *arguments):
    """The console command on a study, with the file of its source."""
    variables = {"PYTHONPATH": str(tree / "src")}
    return subprocess.run(
        [sys.executable, "-m", "afpbench", *arguments],
        cwd=tree,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(autouse=True)
def _weights(tree):
    (tree / "navi.pkl").write_bytes(b"small")


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_study_is_planned(tree, name):
    result = run(tree, name, "-n")
    assert result.returncode == 0, result.stdout[-3000:]
    jobs = planned_jobs(result.stdout)
    assert (jobs["import_case"], jobs["train_variant"]) == (3, 1)
    assert jobs.get("check_data", 0) == (name == "numbered")


def test_files_of_a_users_source_are_validated_checked_and_imported(tree):
    valid = command(tree, "numbered", "validate", "numbered.yaml")
    assert valid.returncode == 0 and "numbered, 3 cases: 1 train, 1 validation, 1 test" in valid.stdout, valid.stderr
    checked = command(tree, "numbered", "check", "--config", "numbered.yaml", "--out", "checked")
    assert [case in checked.stdout for case in ("007", "008", "012")] == [True] * 3, checked.stderr
    assert (tree / "checked/own/check/index.html").is_file()
    result = run(tree, "numbered", "results/own_data/own/cases/012/imported")
    assert result.returncode == 0, result.stdout[-3000:]
    out = tree / "results/own_data/own/cases/012/imported"
    stored = io.read(tree / "scans/ct_012.nii.gz").array
    np.testing.assert_array_equal(io.read(out / "ct.nii.gz").array, stored)
    assert io.read(out / "labels.nii.gz").array[8, 10, 12] == 1
    record = json.loads((out / "case.json").read_text())
    assert (record["source"], record["classes"]) == ("numbered", {"water": 1})
    assert record["record"]["files"]["mr"]["file"] == "mr_012.nii.gz"


def test_a_missing_file_of_a_users_source_is_found_in_planning(tree):
    path = tree / "scans/ct_008.nii.gz"
    content = path.read_bytes()
    path.unlink()
    try:
        result = command(tree, "numbered", "validate", "numbered.yaml")
    finally:
        path.write_bytes(content)
    assert result.returncode != 0
    assert "tasks.own.data: case 008: no such file: CT; found: 'scans/ct_008.nii.gz'" in result.stderr


def test_a_mistyped_option_of_a_users_source_is_refused(tree):
    made = yaml.safe_load((tree / "numbered.yaml").read_text())
    made["tasks"]["own"]["data"]["foldr"] = "scans"
    (tree / "numbered_2.yaml").write_text(yaml.safe_dump(made))
    (tree / "numbered_2.py").write_text((tree / "numbered.py").read_text())
    result = command(tree, "numbered_2", "validate", "numbered_2.yaml")
    assert (
        "tasks.own.data.foldr: unknown key; allowed: source, folder, cases, exclude, labels; did you mean 'folder'?"
        in result.stderr
    )


def test_images_that_a_users_source_makes_are_imported(tree):
    result = run(tree, "balls", "results/own_data/own/cases/ball_01/imported")
    assert result.returncode == 0, result.stdout[-3000:]
    out = tree / "results/own_data/own/cases/ball_01/imported"
    ct = io.read(out / "ct.nii.gz")
    radius_mm = json.loads((out / "case.json").read_text())["record"]["radius_mm"]
    assert 40 <= radius_mm <= 60
    volume_mm3 = 64.0 * int((ct.array > -500).sum())
    assert volume_mm3 == pytest.approx(4 / 3 * np.pi * radius_mm**3, rel=0.03)
    again = run(tree, "balls", "results/own_data/own/cases/ball_01/imported")
    assert "Nothing to be done" in again.stdout
    assert "nothing to check" in command(tree, "balls", "check", "--config", "balls.yaml").stdout
