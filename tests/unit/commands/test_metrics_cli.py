import argparse
import os
from pathlib import Path

import numpy as np
import pytest
import surface_distance

from afpbench.base.errors import ConfigError, DataError
from afpbench.commands import metrics as cli_metrics
from afpbench.metrics.longtable import read_long
from afpbench.volumes import io

ROOT = Path(__file__).resolve().parents[3]
REAL_DATA = Path(os.environ.get("AFPBENCH_REAL_DATA", ROOT.parent / "shared" / "real"))
GEOMETRY = io.Geometry((8, 8, 8), (2.0, 1.0, 1.0))


def run(*arguments):
    parser = argparse.ArgumentParser()
    cli_metrics.add_arguments(parser)
    return cli_metrics.run(parser.parse_args([str(argument) for argument in arguments]))


def write(path, array):
    io.write(io.Volume(array, GEOMETRY), path)
    return path


@pytest.fixture
def files(tmp_path):
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[2:5, 2:5, 2:5], labels[6, 6, 6] = 1, 7
    ct = np.where(labels == 1, 400, 0).astype(np.int16)
    return {
        "ct": write(tmp_path / "ct.nii.gz", ct),
        "sct": write(tmp_path / "sct.nii.gz", (ct + 8).astype(np.int16)),
        "mask": write(tmp_path / "mask.nii.gz", np.ones(GEOMETRY.shape, np.uint8)),
        "seg": write(tmp_path / "seg.nii.gz", labels),
        "shifted": write(tmp_path / "shifted.nii.gz", np.roll(labels, 1, axis=0)),
        "out": tmp_path / "out" / "metrics.csv",
    }


def test_a_challenges_definition_and_scores(files):
    labels = np.zeros((2, *GEOMETRY.shape), np.uint8)
    labels[0, 2:5, 2:5, 2:5], labels[1, 3:6, 2:5, 2:5] = 5, 5
    labels[0, 7, 7, 7], labels[1, 0, 0, 0] = 3, 2  # one that the synthetic CT lacks, one that the real CT lacks
    segs = [write(files["out"].parents[1] / f"{name}.nii.gz", values)
            for name, values in zip("ab", labels, strict=True)]  # fmt: skip
    metal = write(files["out"].parents[1] / "metal.nii.gz", np.full(GEOMETRY.shape, 3072, np.int16))
    run("--real", metal, "--synthetic", files["ct"], "--real-seg", segs[0], "--synthetic-seg", segs[1],
        "--definition", "synthrad2025_evaluation", "--region", "thorax", "--out", files["out"])  # fmt: skip
    values = read_long(files["out"]).set_index(["structure", "metric"])["value"]
    assert set(values.index.get_level_values(0)) == {"volume", "synthrad2025_thorax"}
    assert values["synthrad2025_thorax", "dice"] == pytest.approx((2 * 18 / 54 + 0) / 2)
    assert values["synthrad2025_thorax", "hd95"] == 2.0  # of the class that both have
    assert values["volume", "mae"] == pytest.approx((512 * 3072 - 27 * 400) / 512)  # as they are
    assert values["volume", "rmse"] == pytest.approx(np.sqrt((485 * 3071**2 + 27 * 2671**2) / 512))  # clipped at 3071


def test_a_region_needs_label_maps(files):
    with pytest.raises(ConfigError, match=r"--region needs label maps"):
        run("--real", files["ct"], "--synthetic", files["sct"], "--region", "thorax", "--out", files["out"])


def test_one_pair_with_everything(files, tmp_path, capsys):
    structures = tmp_path / "structures.yaml"
    structures.write_text("bone: [1]\nall: {exclude: [1], tolerance_mm: 0.5}\n")
    run("--real", files["ct"], "--synthetic", files["sct"], "--mask", files["mask"], "--real-seg", files["seg"],
        "--synthetic-seg", files["shifted"], "--structures", structures, "--tolerance-mm", 2,
        "--out", files["out"])  # fmt: skip
    long = read_long(files["out"])
    assert set(long["case"]) == {"ct"} and set(long["structure"]) == {"body", "volume", "bone", "all"}
    values = long.set_index(["structure", "metric"])["value"]
    assert values["body", "mae"] == 8 and values["volume", "me"] == 8 and values["bone", "me"] == 8
    assert values["bone", "dice"] == pytest.approx(2 / 3) and values["bone", "nsd"] == 1
    assert values["all", "nsd"] < 1  # its own tolerance
    printed = capsys.readouterr().out
    assert "bone" in printed and "1 case, " in printed and str(files["out"]) in printed


def test_label_maps_alone(files):
    run("--real-seg", files["seg"], "--synthetic-seg", files["seg"], "--tolerance-mm", 1, "--out", files["out"])
    long = read_long(files["out"])
    assert list(dict.fromkeys(long["structure"])) == ["label_1", "label_7"]
    assert set(long.loc[long["metric"] == "dice", "value"]) == {1.0} and "me" not in set(long["metric"])


def test_folders_are_matched_by_case_id(files, tmp_path):
    for name, source in (("real", "ct"), ("synthetic", "sct")):
        for case, extension in (("b", ".nii.gz"), ("a.1", ".mha" if name == "real" else ".nii.gz")):
            write(tmp_path / name / f"{case}{extension}", io.read(files[source]).array)
    (tmp_path / "real" / "notes.txt").write_text("not an image")
    run("--real", tmp_path / "real", "--synthetic", tmp_path / "synthetic", "--out", files["out"])
    assert list(dict.fromkeys(read_long(files["out"])["case"])) == ["a.1", "b"]
    write(tmp_path / "real" / "c.nii.gz", io.read(files["ct"]).array)
    with pytest.raises(DataError, match=r"do not hold the same cases\n.*missing: c in .*synthetic"):
        run("--real", tmp_path / "real", "--synthetic", tmp_path / "synthetic", "--out", files["out"])
    write(tmp_path / "real" / "c.mha", io.read(files["ct"]).array)
    with pytest.raises(DataError, match=r"case c twice in .*real\n.*c.mha and c.nii.gz"):
        run("--real", tmp_path / "real", "--synthetic", tmp_path / "synthetic", "--out", files["out"])


def test_refused_arguments(files, tmp_path):
    out = ("--out", files["out"])
    with pytest.raises(ConfigError, match=r"half a pair\n.*--real\n.*--real and --synthetic"):
        run("--real", files["ct"], *out)
    with pytest.raises(ConfigError, match=r"half a pair\n.*--synthetic-seg\n.*--real-seg and --synthetic-seg"):
        run("--synthetic-seg", files["seg"], *out)
    with pytest.raises(ConfigError, match="nothing to compare"):
        run(*out)
    with pytest.raises(ConfigError, match="files and folders mixed"):
        run("--real", files["ct"], "--synthetic", tmp_path, *out)
    with pytest.raises(ConfigError, match="--structures needs label maps"):
        run("--real", files["ct"], "--synthetic", files["sct"], "--structures", files["out"], *out)
    with pytest.raises(ConfigError, match="structure label_1: no tolerance for NSD"):
        run("--real-seg", files["seg"], "--synthetic-seg", files["seg"], *out)
    with pytest.raises(DataError, match=r"case none: real CT: no such file"):
        run("--real", tmp_path / "none.nii.gz", "--synthetic", files["sct"], *out)
    assert not files["out"].exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("- 1", r"found: list\n"),
        ("", r"found: nothing\n"),
        ("bone: {label: [1]}", r"structures.yaml: bone\n.*found: label\n.*labels, exclude, tolerance_mm, tree"),
        ("bone: 4", r"structures.yaml: bone\n.*found: 4"),
    ],
)
def test_refused_structure_files(files, tmp_path, text, message):
    path = tmp_path / "structures.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        run("--real-seg", files["seg"], "--synthetic-seg", files["seg"], "--structures", path, "--tolerance-mm", 1,
            "--out", files["out"])  # fmt: skip
    with pytest.raises(ConfigError, match="no such file"):
        run("--real-seg", files["seg"], "--synthetic-seg", files["seg"], "--structures", tmp_path / "no.yaml",
            "--tolerance-mm", 1, "--out", files["out"])  # fmt: skip


def test_a_real_segmentation_shifted_by_one_voxel_equals_surface_distance(tmp_path):
    path = REAL_DATA / "totalsegmentator" / "example_seg_fast_force_split.nii.gz"
    if not path.is_file():
        pytest.skip(f"real data not found: {path} (set AFPBENCH_REAL_DATA)")
    real = io.read(path)
    shifted = real.with_array(np.roll(real.array, 1, axis=0))
    io.write(shifted, tmp_path / "shifted.nii.gz")
    out = tmp_path / "metrics.csv"
    run("--real-seg", path, "--synthetic-seg", tmp_path / "shifted.nii.gz", "--tolerance-mm", 3, "--out", out)
    values = read_long(out).set_index(["structure", "metric"])["value"]
    labels = [label for label in np.unique(real.array) if label]
    assert len(labels) > 50
    for label in labels:
        masks = real.array == label, shifted.array == label
        distances = surface_distance.compute_surface_distances(*masks, real.spacing_mm)
        expected = {
            "dice": surface_distance.compute_dice_coefficient(*masks),
            "nsd": surface_distance.compute_surface_dice_at_tolerance(distances, 3),
            "hd95": surface_distance.compute_robust_hausdorff(distances, 95),
        }
        for metric, number in expected.items():
            assert values[f"label_{label}", metric] == pytest.approx(number, abs=1e-6)
