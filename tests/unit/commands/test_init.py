"""What `afpbench init` recognises in a folder, what it asks, and that the study it writes is a valid one."""

import shutil

import numpy as np
import pytest
import yaml
from conftest import GRID
from dicom_series import write_series

from afpbench.commands import main as cli
from afpbench.commands.init_study import splits_of
from afpbench.commands.layouts.images import Image, patterns, role_of
from afpbench.study.load import load_study
from afpbench.volumes import io
from afpbench.volumes.io import Volume

CASES = ("p01", "p02", "p03", "p04")


def image(value):
    array = np.full(GRID.shape, -1000, np.int16)
    array[1:-1, 1:-1, 1:-1] = value
    return Volume(array, GRID)


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    """A function that writes images under `data/` by (name, value), and runs `afpbench init data`."""
    monkeypatch.chdir(tmp_path)

    def call(files, *more):
        for name, value in files.items():
            (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            io.write(image(value), tmp_path / "data" / name)
        code = cli.main(["init", "data", *more])
        said = capsys.readouterr()
        path = tmp_path / "study.yaml"
        study = yaml.safe_load(path.read_text()) if path.is_file() else None
        return code, said.out if code == 0 else said.err, study

    return call


def pairs(mr="{case}/mr.nii.gz", ct="{case}/ct.nii.gz", cases=CASES, **more):
    names = {mr: 7, ct: 40, **more}
    return {name.format(case=case): value for case in cases for name, value in names.items()}


def data_of(study):
    return {key: value for key, value in study["tasks"]["own"]["data"].items() if key != "labels"}


@pytest.mark.parametrize(
    ("mr", "ct"),
    [
        ("{case}/mr.nii.gz", "{case}/ct.nii.gz"),
        ("{case}/T1w.mha", "{case}/planning_CT.mha"),
        ("{case}/{case}_mr.nii.gz", "{case}/{case}_ct.nii.gz"),
        ("mr/{case}.nii.gz", "ct/{case}.nii.gz"),
        ("{case}_MR.nii.gz", "{case}_CT.nii.gz"),
        ("mr_{case}.nrrd", "ct_{case}.nrrd"),
        ("images/MRI/{case}.nii", "images/CT/{case}.nii"),
    ],
)
def test_patterns_of_names(init, mr, ct):
    code, said, study = init(pairs(mr, ct))
    assert code == 0, said
    assert data_of(study) == {"source": "folder", "root": "data", "mr": mr, "ct": ct}
    assert "4 cases with MR and CT: p01, p02, p03, p04\n" in said and "afpbench validate study.yaml" in said


def test_the_study_is_valid_and_quick(init, tmp_path):
    _, _, study = init(pairs())
    loaded = load_study(study, tmp_path)
    task = loaded["tasks"]["own"]
    assert loaded["preset"] == "quick" and task["training"]["iterations"] == 400
    assert task["splits"]["train"] == 2 and task["spacing_mm"] == list(GRID.spacing_mm)
    text = (tmp_path / "study.yaml").read_text()
    assert "MR and CT lie on one grid: they may be" in text and "  afpbench run study.yaml --preset gpu" in text


def test_nothing_is_overwritten(init, tmp_path):
    init(pairs())
    (tmp_path / "study.yaml").write_text("mine")
    assert init({})[:2] == (
        1,
        "afpbench: afpbench init: study.yaml is there already\n  hint: give another --out, or remove it\n",
    )
    assert (tmp_path / "study.yaml").read_text() == "mine"


def test_several_mrs_are_asked_and_the_option_decides(init):
    files = pairs(mr="{case}/t1.nii.gz", **{"{case}/t2.nii.gz": 9})
    code, said, study = init(files)
    assert (code, study) == (1, None)
    assert "which is the MR?" in said
    assert "--mr '{case}/t1.nii.gz'  (4 files)" in said and "--mr '{case}/t2.nii.gz'  (4 files)" in said
    code, said, study = init({}, "--mr", "{case}/t2.nii.gz")
    assert code == 0 and data_of(study)["mr"] == "{case}/t2.nii.gz"
    assert "not used: 4 files {case}/t1.nii.gz" in said


def test_a_mask_is_asked_for_it_may_be_a_tumour(init):
    files = pairs(**{"{case}/mask.nii.gz": 1})
    code, said, _ = init(files)
    assert code == 1 and "--mask '{case}/mask.nii.gz'  (4 files)" in said and "--mask none" in said
    assert "mask" not in data_of(init({}, "--mask", "none")[2])


def test_a_chosen_mask(init):
    _, said, study = init(pairs(**{"{case}/mask.nii.gz": 1}), "--mask", "{case}/mask.nii.gz")
    assert data_of(study)["mask"] == "{case}/mask.nii.gz"


def test_label_maps_are_learned_from(init, tmp_path):
    for case, value in zip(CASES, (1, 2, 2, 5), strict=True):
        labels = np.zeros(GRID.shape, np.uint8)
        labels[1, 1, 1] = value
        (tmp_path / "data" / case).mkdir(parents=True)
        io.write(Volume(labels, GRID), tmp_path / "data" / case / "seg.nii.gz")
    code, said, study = init(pairs())
    assert code == 0, said
    data = study["tasks"]["own"]["data"]
    assert data["label_map"] == "{case}/seg.nii.gz"
    assert data["labels"] == {"kind": "files", "classes": {"label_1": 1, "label_2": 2, "label_5": 5}}
    assert study["tasks"]["own"]["structures"]["label_5"]["classes"] == ["label_5"]


def test_cases_without_an_image_are_left_out_and_named(init):
    files = pairs(cases=(*CASES, "p05"))
    del files["p05/ct.nii.gz"]
    code, said, study = init({**files, "notes/sct.nii.gz": 3})
    assert code == 0 and data_of(study)["exclude"] == ["p05"]
    assert "left out by data.exclude: 1\n  p05: no ct\n" in said
    assert "not used: 1 files {case}/sct.nii.gz" in said


def test_too_few_cases(init):
    code, said, study = init(pairs(cases=("p01", "p02")))
    assert (code, study) == (1, None) and "too few cases\n  found: 2 with MR and CT" in said


def test_nothing_recognised(init):
    code, said, _ = init({"a/x.nii.gz": 1})
    assert code == 1 and "no pairs of MR and CT were recognised in data\n  found: 1 images, such as a/x.nii.gz" in said
    assert cli.main(["init", "nowhere"]) == 1


def test_a_table_and_names_are_two_ways(init, tmp_path):
    files = pairs()
    (tmp_path / "data").mkdir()
    lines = ["case,mr,ct", *(f"{case},{case}/mr.nii.gz,{case}/ct.nii.gz" for case in CASES)]
    (tmp_path / "data" / "cases.csv").write_text("\n".join(lines))
    (tmp_path / "data" / "ages.csv").write_text("id,age\n1,2\n")
    code, said, _ = init(files)
    assert code == 1 and "--source table  (a table of 4 cases (mr, ct))" in said and "--source folder" in said
    assert data_of(init({}, "--source", "table")[2]) == {"source": "table", "table": "data/cases.csv"}


@pytest.mark.parametrize(
    ("source", "region", "folder", "ids", "ending", "method"),
    [
        ("synthrad2023", "pelvis", "pelvis", "1P", ".nii.gz", "none"),
        ("synthrad2025", "thorax", "TH", "1TH", ".mha", "synthrad2025"),
    ],
)
def test_synthrad(init, source, region, folder, ids, ending, method):
    cases = [f"{ids}{number}" for number in ("A001", "A002", "B003")]
    names = [f"{folder}/{{case}}/{role}{ending}" for role in ("mr", "ct", "mask")]
    code, said, study = init(pairs(*names[:2], cases, **{names[2]: 1}))
    assert code == 0, said
    assert data_of(study) == {"source": source, "region": region, "root": "data"}
    assert study["tasks"]["own"]["registration"]["method"] == method


def test_two_regions_of_synthrad(init):
    cases = ("1PA001", "1PA002", "1PA003")
    files = pairs("pelvis/{case}/mr.nii.gz", "pelvis/{case}/ct.nii.gz", cases, **{"pelvis/{case}/mask.nii.gz": 1})
    files |= {name.replace("pelvis/1P", "brain/1B"): value for name, value in files.items()}
    code, said, _ = init(files)
    assert code == 1
    assert "afpbench init data/pelvis  (synthrad2023, pelvis: 3 patients)" in said and "init data/brain" in said


def test_bids(init):
    name = "sub-{case}/anat/sub-{case}"
    files = pairs(f"{name}_T1w.nii.gz", f"{name}_ct.nii.gz", **{f"{name}_acq-ute_T2w.nii.gz": 3})
    code, said, _ = init(files)
    assert code == 1 and "--mr 'T1w'  (4 files)" in said and "--mr 'acq-ute_T2w'  (4 files)" in said
    _, said, study = init({}, "--mr", "acq-ute_T2w")
    assert data_of(study) == {
        "source": "bids", "root": "data", "mr_suffix": "T2w", "mr_entities": {"acq": "ute"}, "ct_suffix": "ct",
    }  # fmt: skip
    assert "not used: 4 files *_T1w" in said


def test_what_is_no_suffix_of_bids(init):
    name = "sub-{case}/anat/sub-{case}"
    code, said, _ = init(pairs(f"{name}_T1w.nii.gz", f"{name}_ct.nii.gz"), "--mr", "{case}_T1w")
    assert code == 1 and "--mr: no suffix of BIDS" in said


@pytest.mark.parametrize("names", [("MR", "CT"), ("series1", "series2")])
def test_dicom(init, tmp_path, names):
    array = np.full((4, 6, 6), 1024, np.uint16)
    array[:, 2:4, 2:4] = 1100
    for case in CASES:
        for name, modality in zip(names, ("MR", "CT"), strict=True):
            folder = tmp_path / "data" / case / name
            write_series(folder, array, modality=modality, series=f"1.{modality == 'CT':d}")
    code, said, study = init({})
    assert code == 0, said
    expected = ("{case}/MR", "{case}/CT") if names[0] == "MR" else ("{case}", "{case}")
    assert (data_of(study)["mr"], data_of(study)["ct"]) == expected
    assert study["tasks"]["own"]["spacing_mm"] == [3.0, 2.0, 1.0]


def test_validate_takes_what_was_written_and_sees_what_goes_missing(init, tmp_path, capsys):
    init(pairs())
    assert cli.main(["validate", "study.yaml"]) == 0
    assert "folder, 4 cases: 2 train, 1 validation, 1 test" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "data" / "p01")
    assert cli.main(["validate", "study.yaml"]) == 1


def test_roles():
    assert role_of("{case}/ct_mask.nii.gz") == "mask" and role_of("{case}/sCT.mha") == "synthetic"
    assert role_of("{case}/planning_CT.mha") == "ct" and role_of("{case}/T1w.nii.gz") == "mr"
    assert role_of("{case}/contrast.nii.gz") == ""  # `ct` inside a word


def test_a_short_id_is_no_part_of_a_word():
    found = patterns([Image(f"{case}/t1.nii.gz", ".nii.gz") for case in ("1", "2")])
    assert [one.text for one in found] == ["{case}/t1.nii.gz"]


@pytest.mark.parametrize(("count", "parts"), [(3, (1, 1, 1)), (10, (7, 1, 2)), (40, (26, 4, 10))])
def test_splits(count, parts):
    assert tuple(splits_of(count).values()) == parts
