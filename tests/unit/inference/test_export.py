import json

import numpy as np
import pytest

from afpbench.base.errors import DataError
from afpbench.commands import main as cli
from afpbench.data.importing import canonical
from afpbench.inference import export
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume
from afpbench.volumes.preprocessing import task_grid

ANGLE = np.deg2rad(15)
TURNED = (-np.cos(ANGLE), np.sin(ANGLE), 0.0, 0.0, 0.0, 1.0, -np.sin(ANGLE), -np.cos(ANGLE), 0.0)
MR_GRID = Geometry((12, 30, 26), (4.0, 1.5, 1.5), (40.0, -60.0, 25.0), TURNED)  # not axial, oblique, flipped
DATA = {"source": "folder", "root": "in", "mr": "{case}/mr.mha", "ct": "{case}/ct.mha", "labels": None}


def points(grid):
    """The position of every voxel, LPS mm, (z, y, x, 3)."""
    index = np.stack(np.indices(grid.shape)[::-1], axis=-1) * np.array(grid.spacing_mm[::-1])
    return index @ np.array(grid.direction).reshape(3, 3).T + np.array(grid.origin_mm)


def ramp(grid):
    return Volume((points(grid) @ np.array([2.0, -3.0, 5.0]) + 100.0).astype(np.float32), grid)


def stored(tmp_path, case="p1"):
    """A case as given, and its synthetic CT where the workflow would write it."""
    mr = ramp(MR_GRID)
    for role in ("mr", "ct"):
        io.write(mr, tmp_path / "in" / case / f"{role}.mha")
    grid = task_grid(canonical(mr).geometry, (2.0, 2.0, 2.0))
    path = tmp_path / "results" / "own" / "synthetic" / "l1" / f"{case}.nii.gz"
    io.write(ramp(grid).with_array(io.save_hu(ramp(grid).array)), path)
    return path


def test_the_grid_is_the_stored_mrs_and_values_stay_in_their_place(tmp_path):
    export.export_case(stored(tmp_path), DATA, "p1", tmp_path, tmp_path / "out" / "p1.nii.gz")
    made = io.read(tmp_path / "out" / "p1.nii.gz")
    assert made.geometry.matches(MR_GRID)
    assert made.array.dtype == np.int16
    inner = (slice(2, -2),) * 3  # the B-spline and the smoothing end at the border
    np.testing.assert_allclose(made.array[inner], ramp(MR_GRID).array[inner], atol=1.5)


def test_a_phantom_has_no_file(tmp_path):
    with pytest.raises(DataError, match="case p1: its MR has no file\n  found: data.source 'phantom'"):
        export.export_case(stored(tmp_path), {"source": "phantom"}, "p1", tmp_path, tmp_path / "x.nii.gz")


def study_of(tmp_path):
    """The arguments of the command for a study with the cases p1, p2 and p3."""
    for case in ("p1", "p2", "p3"):
        stored(tmp_path, case)
    study = {"tasks": {"own": {
        "data": {**DATA, "labels": {"kind": "hu_ranges", "structures": {"bone": {"hu": [200, 3071]}}}},
        "spacing_mm": [2.0, 2.0, 2.0],
        "splits": {"train": 1, "validation": 1, "test": 1},
        "segmenters": {"s": {"kind": "trained", "classes": {"bone": ["bone"]}}},
        "structures": {"bone": {"segmenter": "s", "classes": ["bone"]}},
        "variants": {"l1": {"generator": "nnunet", "loss": [{"term": "l1"}]}},
        "reference": "l1",
        "tables": {"t": {"columns": [{"metric": "mae"}]}},
    }}}  # fmt: skip
    (tmp_path / "study.yaml").write_text(json.dumps(study))
    arguments = ["export", "--config", str(tmp_path / "study.yaml"), "--root", str(tmp_path), "--task", "own"]
    return [*arguments, "--out", str(tmp_path / "out")]


def test_the_command(tmp_path, capsys):
    arguments = study_of(tmp_path)
    assert cli.main([*arguments, "--row", "l1"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p1.nii.gz", "p2.nii.gz", "p3.nii.gz"]
    assert cli.main([*arguments, "--row", "afp"]) == 1
    assert "--row: no synthetic CT of 'afp'" in capsys.readouterr().err


def test_bad_cases_are_named_at_the_end_and_the_others_are_there(tmp_path, capsys):
    arguments = study_of(tmp_path)
    (tmp_path / "results" / "own" / "synthetic" / "l1" / "p1.nii.gz").write_bytes(b"no image")
    (tmp_path / "in" / "p2" / "mr.mha").write_bytes(b"no image")
    assert cli.main([*arguments, "--row", "l1"]) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["p3.nii.gz"]
    said = capsys.readouterr().err
    end = said[said.index("afpbench: export") :]
    assert "2 of 3 cases failed" in end
    assert "p1: case p1: synthetic CT" in end and "p2: case p2: MR" in end
