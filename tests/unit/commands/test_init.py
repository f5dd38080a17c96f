"""What `afpbench init` recognises in a folder, what it asks, and that the study it writes is a valid one."""

import shutil

import numpy as np
import pytest
import yaml
from conftest import GRID
from dicom_series import write_series

from afpbench.commands import main as cli
from afpbench.commands.init_study import splits_of, splits_words
from afpbench.commands.layouts.images import Image, Pattern, patterns, role_of
from afpbench.commands.layouts.mr import as_channels, names_of
from afpbench.study.load import load_study
from afpbench.study.splits import make_folds
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


def test_several_mrs_may_be_channels_and_this_is_offered(init, tmp_path):
    files = pairs(mr="{case}/T1w.nii.gz", **{"{case}/T2w.nii.gz": 9})
    del files["p04/T2w.nii.gz"]
    code, said, study = init(files)
    option = "--mr t1w='{case}/T1w.nii.gz' --mr t2w='{case}/T2w.nii.gz'"
    assert (code, study) == (1, None) and f"{option}  (channels of one MR: 3 cases have all)" in said
    code, said, study = init({}, "--mr", "t1w={case}/T1w.nii.gz", "--mr", "t2w={case}/T2w.nii.gz")
    assert code == 0, said
    assert data_of(study)["mr"] == {"t1w": "{case}/T1w.nii.gz", "t2w": "{case}/T2w.nii.gz"}
    assert "recognised: files by their names: mr t1w {case}/T1w.nii.gz, t2w {case}/T2w.nii.gz, ct" in said
    assert data_of(study)["exclude"] == ["p04"] and "  p04: no MR t2w\n" in said and "not used" not in said
    assert "      mr: {t1w: '{case}/T1w.nii.gz', t2w: '{case}/T2w.nii.gz'}\n" in (tmp_path / "study.yaml").read_text()
    assert load_study(study, tmp_path)["tasks"]["own"]["splits"]["train"] == 1


@pytest.mark.parametrize(
    "given",
    [
        ("{case}/t1.nii.gz", "{case}/t2.nii.gz"),
        ("t1={case}/t1.nii.gz",),
        ("t1={case}/t1.nii.gz", "{case}/t2.nii.gz"),
        ("t1={case}/t1.nii.gz", "t1={case}/t2.nii.gz"),
    ],
)
def test_what_are_no_channels(init, given):
    options = [word for pattern in given for word in ("--mr", pattern)]
    code, said, study = init(pairs(mr="{case}/t1.nii.gz", **{"{case}/t2.nii.gz": 9}), *options)
    assert (code, study) == (1, None)
    assert "afpbench init: --mr: not the channels of an MR\n  found: --mr" in said and "--mr NAME=PATTERN" in said


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


def test_the_columns_of_a_table_that_are_mrs_are_asked(init, tmp_path):
    files = pairs(mr="{case}/t1.nii.gz", **{"{case}/t2.nii.gz": 9})
    (tmp_path / "data").mkdir()
    lines = [f"{case},3,{case}/t1.nii.gz,{case}/t2.nii.gz,{case}/ct.nii.gz" for case in CASES]
    (tmp_path / "data" / "cases.csv").write_text("\n".join(["case,t_pd,t1,mr_t2,ct", *lines]))
    code, said, _ = init(files, "--source", "table")
    assert code == 1 and "--mr 't1'  (4 files)" in said and "--mr 'mr_t2'  (4 files)" in said and "t_pd" not in said
    assert "--mr t1='t1' --mr t2='mr_t2'  (channels of one MR: 4 cases have all)" in said
    code, said, study = init({}, "--source", "table", "--mr", "t1=t1", "--mr", "t2=mr_t2")
    assert code == 0, said
    assert data_of(study) == {"source": "table", "table": "data/cases.csv", "mr": {"t1": "t1", "t2": "mr_t2"}}
    assert "recognised: a table of 4 cases (t1, mr_t2, ct)" in said
    (tmp_path / "study.yaml").unlink()
    _, said, study = init({}, "--source", "table", "--mr", "mr_t2")
    assert data_of(study)["mr"] == "mr_t2" and "not used: column t1" in said
    (tmp_path / "study.yaml").unlink()
    assert "each column once, among them case, t3, ct" in init({}, "--source", "table", "--mr", "t3")[1]


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


def test_bids_with_channels(init):
    name = "sub-{case}/anat/sub-{case}"
    files = pairs(f"{name}_acq-mp_T1w.nii.gz", f"{name}_ct.nii.gz", **{f"{name}_acq-ute_T1w.nii.gz": 3})
    option = "--mr acq_mp_t1w='acq-mp_T1w' --mr acq_ute_t1w='acq-ute_T1w'  (channels of one MR: 4 cases have all)"
    said = init(files)[1]
    assert "which is the MR?" in said and option in said
    _, said, study = init({}, "--mr", "t1=acq-mp_T1w", "--mr", "ute=acq-ute_T1w")
    assert data_of(study) == {
        "source": "bids", "root": "data", "ct_suffix": "ct",
        "mr": {name: {"suffix": "T1w", "entities": {"acq": acq}} for name, acq in (("t1", "mp"), ("ute", "ute"))},
    }  # fmt: skip
    assert "recognised: a BIDS folder, MR *_t1 acq-mp_T1w, ute acq-ute_T1w, CT *_ct" in said and "not used" not in said


def test_synthrad_has_one_mr(init):
    files = pairs("pelvis/{case}/mr.nii.gz", "pelvis/{case}/ct.nii.gz", ("1PA001", "1PA002", "1PA003"))
    files |= {f"pelvis/1PA00{number}/{name}.nii.gz": number for number in (1, 2, 3) for name in ("mask", "t2")}
    channels = ("--mr", "t1=pelvis/{case}/mr.nii.gz", "--mr", "t2=pelvis/{case}/t2.nii.gz")
    code, said, _ = init(files, "--source", "synthrad", *channels)
    assert code == 1 and "SynthRAD has one MR and one CT for each patient" in said
    code, said, study = init({}, *channels, "--mask", "pelvis/{case}/mask.nii.gz")
    assert code == 0, said
    assert data_of(study)["source"] == "folder" and list(data_of(study)["mr"]) == ["t1", "t2"]


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


def test_names_of_channels():
    assert names_of(["{case}/{case}_T1w.nii.gz", "mri/{case}/t2.mha"]) == ["t1w", "t2"]
    assert names_of(["{case}/dixon-in.nii", "{case}/dixon-out.nii"]) == ["dixon_in", "dixon_out"]
    assert names_of(["{case}/mr.nii.gz", "{case}/flair.nii.gz"]) == ["mr", "flair"]
    assert names_of(["{case}-t1.nii", "{case}_t1.nii"]) == ["mr1", "mr2"]


def test_two_ways_to_read_one_image_are_no_channels():
    one, other = Image("a/t1.nii", ".nii"), Image("a/t2.nii", ".nii")
    ways = [Pattern("mr", "{case}/t1.nii", {"a": one}), Pattern("mr", "{case}/t*.nii", {"a": one, "b": other})]
    assert as_channels(ways) == []
    assert as_channels([ways[0], Pattern("mr", "x_{case}_t2.nii", {"b": other})]) == []  # of no case both
    assert as_channels(ways[:1]) == as_channels([]) == []


def test_a_short_id_is_no_part_of_a_word():
    found = patterns([Image(f"{case}/t1.nii.gz", ".nii.gz") for case in ("1", "2")])
    assert [one.text for one in found] == ["{case}/t1.nii.gz"]


@pytest.mark.parametrize(("count", "parts"), [(3, (1, 1, 1)), (10, (7, 1, 2)), (40, (26, 4, 10))])
def test_splits(count, parts):
    assert tuple(splits_of(count).values()) == parts


@pytest.mark.parametrize(("count", "folds"), [(3, 3), (4, 4), (5, 5), (10, 5)])
def test_the_proposed_cross_validation_is_one_that_so_many_cases_allow(count, folds):
    words = splits_words(splits_of(count))
    assert f"{{folds: {folds}, validation: 1}} tests all" in words
    splits = dict.fromkeys(("train", "test", "stratify")) | {"folds": folds, "validation": 1}
    made = make_folds([f"p{case}" for case in range(count)], splits, 1, "own")
    assert sum(len(fold["test"]) for fold in made) == count and all(fold["train"] for fold in made)
