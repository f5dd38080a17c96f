"""Kinds of a user's own, as the how-to pages show them, in a study that runs to its tables: by `extensions`, and from
an installed package. No file of the project is touched."""

import re
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from conftest import PROJECT, copy_project, planned_jobs, snakemake

from afpbench.phantom.generate import generate
from afpbench.volumes import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
PAGES = {  # module -> (page, which of its Python blocks, group of the registry, name -> class)
    "gradient": ("add-a-loss", 0, "losses", {"gradient": "Gradient"}),
    "threshold": ("add-a-segmenter", 0, "segmenters", {"threshold": "Threshold"}),
    "pyramid": ("add-a-feature-network", 0, "networks", {"pyramid": "Pyramid"}),
    "convolutions": ("add-a-generator", 0, "generators", {"convolutions": "Convolutions"}),
    "own_metrics": ("add-a-metric", 0, "metrics", {"p95_error": "P95Error", "centroid_distance": "CentroidDistance"}),
    "numbered": ("add-a-data-source", 0, "sources", {"numbered": "Numbered"}),
    "extremes": ("add-a-table", 0, "tables", {"extremes": "Extremes"}),
}
STUDY = """
seed: 7
runtime: {device: cpu, precision: float32, threads: 1}
tasks:
  own:
    data: {source: numbered, folder: scans}
    spacing_mm: [6.0, 6.0, 6.0]
    registration: {method: none}
    splits: {train: 2, validation: 1, test: 2}
    segmenters:
      dense: {kind: threshold, label: Above 250 HU, above_hu: 250}
    feature_networks:
      resolutions: {kind: pyramid, levels: 2}
    structures:
      bones: {label: Bones, segmenter: dense, classes: [bone]}
    generators:
      nnunet: {planner: {memory_gb: 0.01, base_features: 4, max_features: 8}, patch_size: [16, 24, 24]}
      small: {kind: convolutions, features: 4}
    training: {iterations: 4, iterations_per_epoch: 2, validation_iterations: 1}
    variants:
      plain: {label: nnU-Net / L1, generator: nnunet, loss: [{term: l1}]}
      own:
        label: Convolutions / all of our own
        generator: small
        loss:
          - {term: l1}
          - {term: gradient, weight: 0.5, power: 2}
          - {term: perceptual, networks: [resolutions], layers: [level.2]}
    controls: [real_ct, mr_linear]
    reference: plain
    tables:
      quality:
        columns:
          - {metric: mae}
          - {metric: p95_error}
          - {metric: dice, structure: bones}
          - {metric: centroid_distance, structure: bones}
      range: {kind: extremes, metric: rmse}
"""


def blocks():
    """Module -> its code, from the pages."""
    found = {}
    for module, (page, number, *_) in PAGES.items():
        text = (PROJECT / f"docs/how-to/{page}.md").read_text()
        found[module] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[number]
    return found


def write_scans(folder):
    """Five pairs of the phantom's thorax, as files of the numbered source."""
    for number in range(5):
        case = generate("thorax", number, 2026, 6.0)
        io.write(case.mr, folder / f"mr_{number:03d}.nii.gz")
        io.write(case.ct, folder / f"ct_{number:03d}.nii.gz")


def check_tables(root):
    """Every kind has left its mark in the results."""
    task = root / "results" / "own"
    long = pd.read_csv(task / "metrics" / "metrics.csv")  # this process does not know the metrics
    for metric, where in (("p95_error", "body"), ("centroid_distance", "bones")):
        lines = long[(long["metric"] == metric) & (long["structure"] == where) & (long["variant"] == "real_ct")]
        assert len(lines) == 2 and (lines["value"] == 0).all() and (lines["status"] == "ok").all()
    errors = long[(long["metric"] == "p95_error") & (long["structure"] == "body") & (long["variant"] == "own")]
    assert (errors["value"] > 100).all()
    dice = long[(long["metric"] == "dice") & (long["variant"] == "real_ct")]
    assert (dice["value"] == 1).all()  # the segmenter found bone in every real CT
    curves = pd.read_csv(task / "models/variants/own/curves.csv")
    assert (curves["train_gradient"] > 0).all() and (curves["train_perceptual"] > 0).all()
    assert "RegisteredGenerator" in (task / "models/variants/own/plans.json").read_text()
    quality = (task / "tables/quality.md").read_text()
    assert "P95 error (HU) ↓" in quality and "Centroid distance (mm) ↓" in quality
    assert "Smallest" in (task / "tables/range.md").read_text()
    assert (root / "results/report.html").is_file()


def run(root, study, **environment):
    (root / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    write_scans(root / "scans")
    result = snakemake(root, "--cores", "2", "--configfile", "study.yaml", **environment)
    assert result.returncode == 0, result.stdout[-5000:]
    check_tables(root)
    again = snakemake(root, "-n", "--cores", "1", "--configfile", "study.yaml", **environment)
    assert "Nothing to be done" in again.stdout, again.stdout[-3000:]


def test_seven_files_of_a_users_own(tmp_path):
    root = copy_project(tmp_path / "project")
    files = []
    for module, code in blocks().items():
        (root / "kinds").mkdir(exist_ok=True)
        (root / "kinds" / f"{module}.py").write_text(code)
        files.append(f"kinds/{module}.py")
    run(root, {"extensions": files} | yaml.safe_load(STUDY))

    loss = root / "kinds" / "gradient.py"  # an edit of a file runs what uses it, and nothing else
    loss.write_text(loss.read_text().replace("/ len(parts)", "/ 3"))
    jobs = planned_jobs(snakemake(root, "-n", "--cores", "1", "--configfile", "study.yaml").stdout)
    assert jobs["train_variant"] == 1
    assert not {"import_case", "prepare_case", "register_case", "training_set", "segment_real"} & set(jobs)


def test_seven_kinds_of_an_installed_package(tmp_path):
    package = tmp_path / "package"
    (package / "own_kinds").mkdir(parents=True)
    (package / "own_kinds" / "__init__.py").write_text("")
    points = []
    for module, code in blocks().items():
        (package / "own_kinds" / f"{module}.py").write_text(code)
        *_, group, classes = PAGES[module]
        points.append(f'[project.entry-points."afpbench.{group}"]')
        points += [f'{name} = "own_kinds.{module}:{cls}"' for name, cls in classes.items()]
    head = '[project]\nname = "own-kinds"\nversion = "1.0"\n\n[tool.setuptools]\npackages = ["own_kinds"]\n\n'
    (package / "pyproject.toml").write_text(head + "\n".join(points) + "\n")
    place = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*command, str(place), str(package)], check=True, capture_output=True)
    root = copy_project(tmp_path / "project")
    study = yaml.safe_load(STUDY)  # of the kinds of the package, the row with all of them is enough
    del study["tasks"]["own"]["variants"]["plain"]
    study["tasks"]["own"] |= {"reference": "own", "controls": ["real_ct"]}
    run(root, study, PYTHONPATH=str(place))
