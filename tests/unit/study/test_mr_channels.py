"""An MR of several channels in the study file: names, roles, and where each source finds them."""

import pytest
import yaml

from afpbench.base.errors import ConfigError
from afpbench.study import channels
from afpbench.study.checks.paths import check_paths
from afpbench.study.kinds.sources import open_source
from afpbench.study.load import StudyError, load_study

FOLDER = {"source": "folder", "root": "in", "ct": "{case}/ct.nii"}


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_roles_are_numbered_as_nnunets_channels_and_the_first_is_the_mr():
    assert channels.roles(()) == channels.roles(("t1",)) == ("mr",)
    assert channels.roles(("t1", "t2", "dixon")) == ("mr", "mr_0001", "mr_0002")
    assert channels.by_role(None) == {} and channels.by_role("a") == {"mr": "a"}
    assert channels.by_role({"t1": "a", "t2": "b"}) == {"mr": "a", "mr_0001": "b"}
    assert channels.names_of({"t1": "a", "t2": "b"}) == ("t1", "t2") and channels.names_of("a") == ()


def test_what_is_an_mr_and_how_people_call_it():
    assert all(map(channels.is_mr, ("mr", "mr_0001", "mr_0012")))
    assert not any(map(channels.is_mr, ("ct", "mr_labels", "mr_contour", "mr_0000", "mr_1")))
    assert channels.title("mr") == "MR" and channels.title("mr_0001") == "MR (mr_0001)"
    assert channels.title("mr", ("t1", "t2")) == "MR t1" and channels.title("mr_0001", ("t1", "t2")) == "MR t2"


def test_a_folder_has_a_pattern_for_each_channel(tmp_path):
    touch(tmp_path / "in", "a/t1.nii", "a/x_t2.nii", "a/ct.nii", "b/x_t2.nii")
    source = open_source({**FOLDER, "mr": {"t1": "{case}/t1.nii", "t2": "{case}/*t2.nii"}}, tmp_path)
    assert source.mr_channels == ("t1", "t2") and source.image_roles == ("mr", "mr_0001", "ct")
    assert source.cases() == ["a", "b"]  # a case is there as soon as one of its files is
    folder = tmp_path / "in" / "a"
    assert source.files("a") == {"mr": folder / "t1.nii", "mr_0001": folder / "x_t2.nii", "ct": folder / "ct.nii"}
    touch(tmp_path / "in", "a/y_t2.nii")
    with pytest.raises(ConfigError, match="data.mr.t2: several files of case a fit"):
        source.files("a")


def test_a_plain_mr_is_as_before(tmp_path):
    touch(tmp_path / "in", "a/mr.nii", "a/ct.nii")
    source = open_source({**FOLDER, "mr": "{case}/mr.nii"}, tmp_path)
    assert source.mr_channels == () and source.image_roles == ("mr", "ct")
    alone = open_source(FOLDER, tmp_path)
    assert alone.image_roles == ("ct",) and alone.mr_channels == ()


def test_a_table_has_a_column_for_each_channel(tmp_path):
    lines = "case\tin\tout\tout_series\tct\tct_series\np1\ta.nii\tdicom\t1.2.3\tc.nii\t\n"
    (tmp_path / "cases.tsv").write_text(lines)
    source = open_source({"source": "table", "table": "cases.tsv", "mr": {"ip": "in", "op": "out"}}, tmp_path)
    assert source.mr_channels == ("ip", "op")
    assert source.files("p1") == {
        "mr": tmp_path / "a.nii",
        "mr_0001": tmp_path / "dicom",
        "ct": tmp_path / "c.nii",
    }
    assert source.series("p1") == {"mr_0001": "1.2.3"}


def test_a_table_without_a_channel_or_its_column(tmp_path):
    data = {"source": "table", "table": "cases.tsv", "mr": {"t1": "t1", "t2": "t2"}}
    (tmp_path / "cases.tsv").write_text("case\tt1\tct\np1\ta\tb\n")
    with pytest.raises(ConfigError, match="expected: each column once, among them case, t1, t2, ct"):
        open_source(data, tmp_path).cases()
    (tmp_path / "cases.tsv").write_text("case\tt1\tt2\tct\np1\ta\t\tb\n")
    with pytest.raises(ConfigError, match="line 2: case p1 has no t2\n"):
        open_source(data, tmp_path).cases()


def test_bids_chooses_each_channel_by_suffix_and_entities(tmp_path):
    anat = "in/sub-01/anat/sub-01"
    touch(tmp_path, f"{anat}_echo-1_MEGRE.nii.gz", f"{anat}_echo-2_MEGRE.nii.gz", "in/sub-01/ct/sub-01_ct.nii.gz")
    mr = {name: {"suffix": "MEGRE", "entities": {"echo": echo}} for name, echo in (("op", "1"), ("ip", "2"))}
    source = open_source({"source": "bids", "root": "in", "mr": mr}, tmp_path)
    assert source.cases() == ["sub-01"] and source.mr_channels == ("op", "ip")
    names = {role: path.name for role, path in source.files("sub-01").items()}
    assert names == {
        "mr": "sub-01_echo-1_MEGRE.nii.gz",
        "mr_0001": "sub-01_echo-2_MEGRE.nii.gz",
        "ct": "sub-01_ct.nii.gz",
    }
    mr["ip"] = {"suffix": "MEGRE"}
    message = "case sub-01: more than one MR ip in(?s:.)*choose by data.mr.ip.suffix and .entities"
    with pytest.raises(ConfigError, match=message):
        open_source({"source": "bids", "root": "in", "mr": mr}, tmp_path).files("sub-01")


@pytest.mark.parametrize(("contrasts", "names"), [(None, ()), (["t1"], ()), (["t1", "t2"], ("t1", "t2"))])
def test_a_phantoms_contrasts_are_its_channels(tmp_path, contrasts, names):
    data = {"source": "phantom", "region": "pelvis", "cases": 2, "contrasts": contrasts}
    assert open_source(data, tmp_path).mr_channels == names


def test_a_sarcoma_patients_channels_lie_in_a_folder_of_ones_own(tmp_path):
    mr = {"t1": "MR_T1_image.nii.gz", "t2": "T2FS"}
    source = open_source({"source": "sts", "root": "mine", "mr": mr}, tmp_path)
    assert source.mr_channels == ("t1", "t2") and source.image_roles == ("mr", "mr_0001", "ct")
    folder = tmp_path / "mine" / "STS_002"
    assert source.files("STS_002") == {
        "mr": folder / "MR_T1_image.nii.gz",
        "mr_0001": folder / "T2FS",
        "ct": folder / "CT_image.nii.gz",
        "mr_contour": folder / "MR_T1_mask.nii.gz",
        "ct_contour": folder / "CT_mask.nii.gz",
    }


# --- the study file


def problems(project, data, root):
    study = yaml.safe_load((project / "tests/e2e/smallest.yaml").read_text())
    study["tasks"]["thorax"]["data"] = data
    with pytest.raises(StudyError) as error:
        load_study(study, root)
    return str(error.value)


def test_a_group_of_one_channel_and_a_list_are_refused(project, tmp_path):
    found = problems(project, {**FOLDER, "mr": {"t1": "{case}/t1.nii"}}, tmp_path)
    assert "tasks.thorax.data.mr: not allowed; found: a group of keys; allowed: two channels or more by name" in found
    found = problems(project, {**FOLDER, "mr": ["{case}/t1.nii", "{case}/t2.nii"]}, tmp_path)
    assert "tasks.thorax.data.mr: wrong type" in found and "{t1: '{case}/t1.nii.gz', t2: '{case}/t2.nii.gz'}" in found
    found = problems(project, {**FOLDER, "mr": {"t1": "{case}/t1.nii", "t2": "t2.nii"}}, tmp_path)
    assert "tasks.thorax.data.mr.t2: not allowed; found: 't2.nii'; allowed: a path with {case} in it" in found


def test_a_file_is_one_image_of_a_case(project, tmp_path):
    """The CT among the channels would be learned from."""
    for case in "abcd":
        touch(tmp_path / "in", f"{case}/t1.nii", f"{case}/ct.nii")
    found = problems(project, {**FOLDER, "mr": {"t1": "{case}/t1.nii", "t2": "{case}/ct.nii"}}, tmp_path)
    path = tmp_path / "in/a/ct.nii"
    assert f"data: case a: one file is MR t2 and CT; found: '{path}'; hint: name the file of each" in found
    found = problems(project, {**FOLDER, "mr": {"t1": "{case}/t1.nii", "t2": "{case}/t1.nii"}}, tmp_path)
    assert "data: case a: one file is MR t1 and MR t2;" in found
    (tmp_path / "in/a/ct.nii").unlink()
    (tmp_path / "in/a/ct.nii").mkdir()  # of DICOM files: their modality tells MR from CT, and nothing two MRs
    found = problems(project, {**FOLDER, "mr": {"t1": "{case}/t1.nii", "t2": "{case}/ct.nii"}}, tmp_path)
    assert "case a: one file" not in found and "case b: one file is MR t2 and CT" in found
    found = problems(project, {**FOLDER, "mr": {"t1": "{case}/ct.nii", "t2": "{case}/ct.nii"}}, tmp_path)
    assert "case a: one file is MR t1 and MR t2" in found


def test_a_missing_channel_is_named(project, tmp_path):
    for case in "abcd":
        touch(tmp_path / "in", f"{case}/t1.nii", f"{case}/t2.nii", f"{case}/ct.nii")
    (tmp_path / "in/b/t2.nii").unlink()
    data = {**FOLDER, "mr": {"t1": "{case}/t1.nii", "t2": "{case}/t2.nii"}}
    assert "case b: no such file: MR t2; found:" in problems(project, data, tmp_path)


def test_a_channel_that_the_public_copies_of_the_sarcoma_patients_lack_needs_a_root(project, tmp_path, monkeypatch):
    monkeypatch.setenv("AFPBENCH_REAL_DATA", str(tmp_path / "real"))
    data = {"source": "sts", "labels": None, "mr": {"t1": "MR_T1_image.nii.gz", "t2": "MR_T2_image.nii.gz"}}
    found = problems(project, data, tmp_path)
    assert (
        "tasks.thorax.data.mr.t2: not among the files of the public copies, which hold T1 alone; found: "
        "'MR_T2_image.nii.gz'; allowed: CT_image.nii.gz, CT_mask.nii.gz, MR_T1_image.nii.gz, MR_T1_mask.nii.gz" in found
    )
    assert "data.mr.t1" not in found and "name the folder of the patients by data.root" in found


@pytest.mark.parametrize("year", ["2023", "2025"])
def test_synthrad_has_one_mr(project, tmp_path, year):
    data = {"source": f"synthrad{year}", "region": "brain", "root": "in", "mr": {"t1": "mr.mha", "t2": "t2.mha"}}
    found = problems(project, data, tmp_path)
    assert "tasks.thorax.data.mr: unknown key; allowed: " in found
    assert "hint: SynthRAD has one MR for each patient, so that there are no channels" in found


def test_a_phantoms_channels_are_its_contrasts(project, tmp_path):
    data = {"source": "phantom", "region": "thorax", "cases": 4, "mr": {"t1": "a", "t2": "b"}}
    found = problems(project, data, tmp_path)
    assert "tasks.thorax.data.mr: unknown key;" in found and "contrasts names its channels" in found


def test_a_word_in_braces_in_the_pattern_of_a_channel():
    (line,) = check_paths("data", {"mr": {"t1": "{case}/{x}.nii", "t2": "{case}/t2.nii"}})
    assert line.startswith("data.mr.t1: a word in braces; found: '{case}/{x}.nii'")
