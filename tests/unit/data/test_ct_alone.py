"""Cases without an MR: real CTs that judge rows from files, from the import to a figure."""

import json

import numpy as np
import pandas as pd
import pytest

from afpbench.data.importing import import_case
from afpbench.figures.cases import Context
from afpbench.figures.slices import draw_slices
from afpbench.inference.controls import open_control
from afpbench.metrics.longtable import COLUMNS, line
from afpbench.registration.case import register_case
from afpbench.study.load import StudyError, load_study
from afpbench.study.plan import StudyPlan
from afpbench.study.registration import DEFAULTS
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume
from afpbench.volumes.preprocessing import prepare_case, resample_case

GRID = Geometry((10, 24, 24), (6.0, 5.0, 5.0), (-60.0, -60.0, 10.0))
DATA = {"source": "folder", "root": "real", "ct": "{case}.nii.gz"}


@pytest.fixture
def root(tmp_path):
    y, x = np.meshgrid(*[np.linspace(-1, 1, 24)] * 2, indexing="ij")
    body = np.broadcast_to(y**2 + x**2 < 0.6, GRID.shape)
    hu = np.where(body, 40, -1000) + np.random.default_rng(1).integers(-20, 20, GRID.shape)
    for folder in ("real", "theirs"):
        io.write(Volume(hu.astype(np.int16), GRID), tmp_path / folder / "p1.nii.gz")
    return tmp_path


@pytest.fixture
def prepared(root):
    case = root / "results/heads/cases/p1"
    imported, resampled, registered, out = (case / name for name in ("imported", "resampled", "registered", "prepared"))
    import_case(DATA, "p1", 0, imported, root)
    resample_case(imported, resampled, None)
    register_case(imported, resampled, registered, {**DEFAULTS, "method": "none"})
    prepare_case(imported, resampled, registered, out)
    return out


def test_the_ct_keeps_its_grid_and_its_values(root, prepared):
    stored, ct = io.read(root / "real/p1.nii.gz"), io.read(prepared / "ct.nii.gz")
    assert ct.geometry.matches(stored.geometry)
    np.testing.assert_array_equal(ct.array, stored.array)
    mask = io.read(prepared / "mask.nii.gz").array > 0
    np.testing.assert_array_equal(mask, stored.array > -300)
    assert not list((root / "results").rglob("mr.nii.gz"))
    record = json.loads((prepared / "case.json").read_text())
    assert "mr_sha256" not in record and len(record["ct_sha256"]) == 64


def test_another_spacing_is_taken_of_the_ct(root, prepared):
    imported = prepared.parent / "imported"
    resample_case(imported, root / "coarse", (6.0, 10.0, 10.0))
    assert io.read(root / "coarse/grid.nii.gz").geometry.shape == (10, 12, 12)


def test_the_control_and_the_figure_need_no_mr(root, prepared):
    out = root / "results/heads/synthetic/real_ct/p1.nii.gz"
    assert open_control("real_ct", None, {})("p1", prepared, out)["status"] == "ok"
    np.testing.assert_array_equal(io.read(out).array, io.read(prepared / "ct.nii.gz").array)
    long = pd.DataFrame([line("heads", "real_ct", "p1", "", "body", "mae", 0.0, "ok")], columns=list(COLUMNS))
    context = Context(root / "results/heads", ["real_ct"], {"real_ct": "Real CT"}, "real_ct")
    options = {"window_hu": [-1000, 500], "error_hu": 300, "zoom": {"structure": None, "size_mm": 40}}
    figure = draw_slices(context, "p1", "axial", options, long)
    titles = [axis.get_title() for axis in figure.axes]
    assert [title for title in titles if title] == ["Real CT", "Real CT"] and "MR" not in titles


STUDY = {
    "tasks": {
        "heads": {
            "data": DATA,
            "spacing_mm": None,
            "variants": {"theirs": {"synthetic": "theirs/{case}.nii.gz"}},
            "reference": "theirs",
            "tables": {"images": {"columns": [{"metric": "mae"}]}},
        }
    }
}


def with_changes(**changes):
    return {"tasks": {"heads": {**STUDY["tasks"]["heads"], **changes}}}


def test_its_study_registers_nothing(root):
    study = load_study(STUDY, root)
    assert study["tasks"]["heads"]["registration"]["method"] == "none"
    files = StudyPlan(study, root).tasks["heads"].results.all_files
    assert not [path for path in files if "/registration/" in path or "/check/" in path]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"variants": {"theirs": {"generator": "nnunet", "loss": [{"term": "l1"}]}}, "splits": {
            "train": ["p1"], "validation": 1, "test": 1}}, "tasks.heads.data.mr: missing"),
        ({"registration": {"method": "elastix"}}, "tasks.heads.registration.method: the cases have no MR"),
        ({"bias_correction": "n4"}, "tasks.heads.bias_correction: the cases have no MR"),
        ({"segmenters": {"s": {"kind": "files", "real": "real/{case}.nii.gz", "classes": {"bone": 1},
                               "synthetic": {"theirs": "theirs/{case}.nii.gz"}}},
          "structures": {"bone": {"segmenter": "s", "classes": ["bone"]}}},
         "tasks.heads.tolerance_mm: missing"),
        ({"segmenters": {"s": {"kind": "files", "real": "real/{case}.nii.gz", "classes": {"bone": 1},
                               "synthetic": {"other": "theirs/{case}.nii.gz"}}}, "tolerance_mm": 2,
          "structures": {"bone": {"segmenter": "s", "classes": ["bone"]}}},
         "segmenters.s.synthetic: no label maps of the row 'theirs'"),
    ],
)  # fmt: skip
def test_what_cannot_be_without_an_mr(root, changes, line):
    with pytest.raises(StudyError) as caught:
        load_study(with_changes(**changes), root)
    assert any(line in each for each in caught.value.problems), caught.value.problems
