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


def test_bad_cases_are_named_at_the_end_and_the_others_have_values(files, tmp_path):
    for name, source in (("real", "ct"), ("synthetic", "sct")):
        for case in ("a", "b", "c", "d"):
            write(tmp_path / name / f"{case}.nii.gz", io.read(files[source]).array)
    (tmp_path / "real" / "a.nii.gz").write_bytes(b"no image")
    io.write(io.Volume(np.zeros((4, 4, 4), np.int16), io.Geometry((4, 4, 4), (2.0, 1.0, 1.0))),
             tmp_path / "synthetic" / "c.nii.gz")  # fmt: skip
    folders = ("--real", tmp_path / "real", "--synthetic", tmp_path / "synthetic")
    with pytest.raises(DataError, match="2 of 4 cases failed") as error:
        run(*folders, "--out", files["out"])
    assert "a: case a: real CT: cannot read" in str(error.value) and "c: case c: the synthetic CT" in str(error.value)
    long = read_long(files["out"])
    mae = long[long["metric"] == "mae"].set_index("case")
    assert mae["value"].to_dict() == pytest.approx({"b": 8, "d": 8, "a": np.nan, "c": np.nan}, nan_ok=True)
    assert mae["status"].str.split(":").str[0].to_dict() == {"b": "ok", "d": "ok", "a": "failed", "c": "failed"}
    for case in "bd":
        (tmp_path / "real" / f"{case}.nii.gz").write_bytes(b"no image")
    with pytest.raises(DataError, match="4 of 4 cases failed"):
        run(*folders, "--out", tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()


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
        ("a: [", "the structures file .*structures.yaml, line .* is not valid YAML"),
        ("- 1", r"structures.yaml: found: \[1\]; allowed: at least one `name: \[labels\]`"),
        ("", r"structures.yaml: found: nothing"),
        ("bone: {label: [1]}", r"bone.label: unknown key; allowed: labels, .*; did you mean 'labels'\?"),
        ("bone: 4", r"bone: wrong type; found: 4; allowed: a list of whole numbers from 1 on"),
        ("bone: {labels: 1}", r"bone.labels: wrong type; found: 1; allowed: a list of whole numbers from 1 on"),
        ("bone: {labels: [0]}", r"bone.labels\[0\]: not allowed; found: 0; allowed: a whole number at least 1"),
        ("bone: {labels: [1.5]}", r"bone.labels\[0\]: wrong type; found: 1.5; allowed: a whole number"),
        ("bone: []", r"bone: not allowed; found: \[\]"),
        ("bone: [1, 1]", r"bone: given twice: 1"),
        ("bone:\n  tolerance_mm: 2,5", r"bone.tolerance_mm: wrong type; found: '2,5'.*hint: write 2.5, with a point"),
        ("bone: {tolerance_mm: 2,5}", r"structures.yaml.bone: a key must be text; found: 5"),
        ("bone: {tolerance_mm: two}", r"bone.tolerance_mm: wrong type; found: 'two'; allowed: a number above 0$"),
        ("bone: {tolerance_mm: .nan}", r"bone.tolerance_mm: not a finite number; found: nan"),
        ("bone: {tolerance_mm: .inf}", r"bone.tolerance_mm: not a finite number; found: inf"),
        ("bone: {tolerance_mm: 0}", r"bone.tolerance_mm: not allowed; found: 0"),
        ("bone: {tree: 1}", r"bone.tree: wrong type; found: 1; allowed: true or false"),
        ("1: [1]", r"structures.yaml: a key must be text; found: 1; hint: write it in quotes"),
        ("bone: [1]\nair: [2]\nbone: [3]", r"line 3, .*\n.*the key 'bone' is given twice, first in line 1"),
        ("bone: {labels: [1], labels: [2]}", r"the key 'labels' is given twice"),
        ("bone: &a [*a]", "is too large"),
        ("bone: 2026-13-45", "is not valid YAML"),
    ],
)
def test_refused_structure_files(files, tmp_path, text, message):
    path = tmp_path / "structures.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        run("--real-seg", files["seg"], "--synthetic-seg", files["seg"], "--structures", path, "--tolerance-mm", 1,
            "--out", files["out"])  # fmt: skip


def test_a_structures_file_that_is_not_there(files, tmp_path):
    with pytest.raises(ConfigError, match="cannot read the structures file .*no.yaml"):
        run("--real-seg", files["seg"], "--synthetic-seg", files["seg"], "--structures", tmp_path / "no.yaml",
            "--tolerance-mm", 1, "--out", files["out"])  # fmt: skip


def test_all_problems_of_a_structures_file_at_once(files, tmp_path):
    path = tmp_path / "structures.yaml"
    path.write_text("bone: {labels: 1}\nair: {tolerance_mm: two}\n")
    with pytest.raises(ConfigError, match="has 2 problems:\n  bone.labels: (?s:.)*\n  air.tolerance_mm: "):
        run("--real-seg", files["seg"], "--synthetic-seg", files["seg"], "--structures", path, "--out", files["out"])


# --- the same guards as in the import


def values_of(files, *arguments):
    run(*arguments, "--out", files["out"])
    return read_long(files["out"]).set_index(["structure", "metric"])["value"]


@pytest.mark.parametrize(("outside", "inside"), [(0.0, 1.0), (-1.0, 1.0), (1e-4, 1.0), (0.0, 255.0)])
def test_every_mask_of_two_values_gives_the_same_numbers(files, tmp_path, outside, inside):
    """The synthetic CT is 8 HU off, but 100 HU outside the body: only the mask keeps that out."""
    labels = io.read(files["seg"]).array
    synthetic = io.read(files["ct"]).array + np.where(labels == 1, 8, 100)
    write(tmp_path / "far.nii.gz", synthetic.astype(np.int16))
    write(tmp_path / "body.nii.gz", np.where(labels == 1, inside, outside).astype(np.float32))
    arguments = ("--real", files["ct"], "--synthetic", tmp_path / "far.nii.gz", "--mask", tmp_path / "body.nii.gz")
    assert values_of(files, *arguments)["body", "mae"] == 8


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda array: np.where(array > 0, 1, np.nan), "case ct: mask: NaN or infinite voxels"),
        (lambda array: array * 400.0 - 1000, "case ct: mask: it is empty"),  # -1000 and -600
        (lambda array: np.linspace(-1000, 1000, array.size).reshape(array.shape), "case ct: mask: not a mask"),
        (lambda array: array * 0, "case ct: mask: it is empty"),
    ],
)
def test_masks_that_are_none(files, tmp_path, fault, message):
    array = (io.read(files["seg"]).array == 1).astype(np.float32)
    write(tmp_path / "body.nrrd", fault(array).astype(np.float32))  # NRRD keeps NaN, which NIfTI's reader would hide
    arguments = ("--real", files["ct"], "--synthetic", files["sct"], "--mask", tmp_path / "body.nrrd")
    with pytest.raises(DataError, match=message):
        values_of(files, *arguments)


def test_label_maps_that_were_stored_with_a_slope_or_as_floats(files, tmp_path):
    array = io.read(files["seg"]).array
    write(tmp_path / "stored.nii.gz", (array * np.float32(0.99995)).astype(np.float32))  # 0.99995 and 6.99965
    arguments = ("--real-seg", files["seg"], "--synthetic-seg", tmp_path / "stored.nii.gz", "--tolerance-mm", 1)
    values = values_of(files, *arguments)
    assert values["label_1", "dice"] == 1 and values["label_7", "dice"] == 1
    assert {structure for structure, _ in values.index} == {"label_1", "label_7"}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda array: array * 0.5, "labels that are not whole numbers(?s:.)*such as 0.5(?s:.)*interpolated"),
        (lambda array: array / 10.0, "labels that are not whole numbers(?s:.)*a probability map"),
        (lambda array: array - 1.0, "values that are no labels(?s:.)*from -1"),
        (lambda array: np.where(array > 0, array, np.nan), "NaN or infinite voxels"),
        (lambda array: np.stack([array] * 3, axis=-1), "not one real value per voxel"),
    ],
)
def test_label_maps_that_are_none(files, tmp_path, fault, message):
    write(tmp_path / "seg.mha", fault(io.read(files["seg"]).array.astype(np.float32)).astype(np.float32))
    with pytest.raises(DataError, match=f"case seg: synthetic segmentation: {message}"):
        run(
            "--real-seg",
            files["seg"],
            "--synthetic-seg",
            tmp_path / "seg.mha",
            "--tolerance-mm",
            1,
            "--out",
            files["out"],
        )


@pytest.mark.parametrize("name", ["sct.mha", "sct.nrrd", "sct.NII", "sct.NII.GZ"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_with_nan_or_infinity(files, tmp_path, name, value):
    array = io.read(files["sct"]).array.astype(np.float32)
    array[1, 2, 3] = value
    small = tmp_path / name.lower()
    write(small, array)
    small.rename(tmp_path / name)
    with pytest.raises(DataError, match="case ct: synthetic CT: NaN or infinite voxels"):
        run("--real", files["ct"], "--synthetic", tmp_path / name, "--out", files["out"])


def test_complex_images(files, tmp_path):
    write(tmp_path / "sct.nii", io.read(files["sct"]).array.astype(np.complex64))
    with pytest.raises(DataError, match="case ct: synthetic CT: not one real value per voxel"):
        run("--real", files["ct"], "--synthetic", tmp_path / "sct.nii", "--out", files["out"])


def test_what_is_no_volume_in_a_folder_is_passed_over(files, tmp_path):
    for name, source in (("real", "ct"), ("synthetic", "sct")):
        write(tmp_path / name / "a.nii.gz", io.read(files[source]).array)
    (tmp_path / "real" / "._a.nii.gz").write_bytes(b"\x00\x05\x16\x07" + bytes(60))
    for name in (".DS_Store", "Thumbs.db", "a.png", "a.json", "notes.txt"):
        (tmp_path / "real" / name).write_bytes(b"no image")
    (tmp_path / "real" / "more").mkdir()
    run("--real", tmp_path / "real", "--synthetic", tmp_path / "synthetic", "--out", files["out"])
    assert set(read_long(files["out"])["case"]) == {"a"}


@pytest.mark.parametrize("name", ["b.img", "b.dcm", "b.nii.gz"])
def test_what_looks_like_a_volume_and_is_broken_is_named(files, tmp_path, name):
    """In both folders, so that it is not a case that is missing in one of them."""
    for folder, source in (("real", "ct"), ("synthetic", "sct")):
        write(tmp_path / folder / "a.nii.gz", io.read(files[source]).array)
        (tmp_path / folder / name).write_bytes(b"broken")
    with pytest.raises(DataError, match=f"case b: real CT: cannot read: .*{name}"):
        run("--real", tmp_path / "real", "--synthetic", tmp_path / "synthetic", "--out", files["out"])
    (tmp_path / "real" / name).unlink()
    (tmp_path / "real" / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=f"case b: real CT: no such file: .*{name}"):
        run("--real", tmp_path / "real", "--synthetic", tmp_path / "synthetic", "--out", files["out"])


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
