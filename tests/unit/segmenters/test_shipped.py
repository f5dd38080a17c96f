"""The shipped segmenters: what their checksums say, small, and as good on an unseen phantom as their cards say."""

import json

import numpy as np
import pytest
from conftest import PROJECT

from afpbench.base.atomic import read_json, sha256_of
from afpbench.metrics.surface import structure_metrics
from afpbench.phantom.generate import generate
from afpbench.study import pretrained
from afpbench.study.load import load_study, read_study
from afpbench.study.task import Task

MOST_BYTES = 3_000_000
ENTRIES = {
    "thorax_totalsegmentator": ("thorax", "totalseg"),
    "thorax_airways": ("thorax", "navi"),
    "thorax_lesions": ("thorax", "hal"),
    "pelvis_totalsegmentator": ("pelvis", "totalseg"),
}


def test_all_are_known():
    assert pretrained.names() == sorted(ENTRIES)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_files_are_those_of_the_checksums(name):
    folder = pretrained.folder() / name
    lines = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {file: digest for digest, file in lines} == {
        str(path.relative_to(folder)): sha256_of(path)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MOST_BYTES


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_no_study_has_their_phantoms(name):
    seed = read_json(pretrained.folder() / name / "provenance.json")["seed"]
    studies = [path for path in PROJECT.glob("config/*.yaml") if "source: phantom" in path.read_text()]
    assert len(studies) >= 2
    assert seed not in [read_study(path)["seed"] for path in studies]


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_an_unseen_phantom(name):
    region, entry = ENTRIES[name]
    study = load_study(read_study(PROJECT / "config" / "config.yaml"), PROJECT)
    task = Task(region, study["tasks"][region], PROJECT, study["seed"])
    segmenter, case = task.segmenters[entry], generate(region, 3, seed=987_654)
    found = segmenter.open(pretrained.folder() / name, "cpu", 1)(case.ct)
    accuracy = json.loads((pretrained.folder() / name / "accuracy.json").read_text())
    assert accuracy
    for structure, figures in accuracy.items():
        classes = task.options["structures"][structure]["classes"]
        true = np.isin(case.ct_labels.array, [v for c in classes for v in segmenter.true_labels()[c]])
        mask = np.isin(found, [segmenter.class_values()[c] for c in classes])
        assert true.sum() > 50
        dice = structure_metrics(true, mask, case.ct.spacing_mm, 6.0)["dice"]
        assert dice > figures["dice"]["smallest"] - 0.05, structure
