import pytest

from afpbench.base.errors import ConfigError, DataError
from afpbench.data.checks import check_inside
from afpbench.study.kinds.sources import open_source

FOLDER = {"source": "folder", "root": "in", "mr": "{case}/mr.nii.gz", "ct": "{case}/ct.nii.gz"}


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def cases_and_files(data, root):
    cases = open_source(data, root).cases()
    return {
        case: {
            role: str(path.relative_to(root / data["root"]))
            for role, path in open_source(data, root).files(case).items()
        }
        for case in cases
    }


def test_a_folder_of_folders(tmp_path):
    touch(tmp_path, "in/p2/mr.nii.gz", "in/p2/ct.nii.gz", "in/p1/ct.nii.gz", "in/readme.txt")
    assert cases_and_files({**FOLDER, "mask": "{case}/body.nii.gz", "label_map": "{case}/seg.nii.gz"}, tmp_path) == {
        case: {
            "mr": f"{case}/mr.nii.gz",
            "ct": f"{case}/ct.nii.gz",
            "mask": f"{case}/body.nii.gz",
            "labels": f"{case}/seg.nii.gz",
        }
        for case in ("p1", "p2")  # the MR of p1 is missing: the import says so
    }


def test_a_flat_folder_with_other_text_in_the_names(tmp_path):
    touch(tmp_path, "in/MR/p1_T1_v2.mha", "in/MR/p[2]_T1.mha", "in/CT/p1.mha")
    (tmp_path / "in/MR/p[2]_T1.mha").unlink()
    data = {**FOLDER, "mr": "MR/{case}_T1*.mha", "ct": "CT/{case}.mha"}
    assert cases_and_files(data, tmp_path) == {"p1": {"mr": "MR/p1_T1_v2.mha", "ct": "CT/p1.mha"}}


def test_the_id_twice_in_a_pattern_must_be_the_same(tmp_path):
    touch(tmp_path, "in/p1/p1_mr.nii", "in/p1/p2_mr.nii", "in/p1/p1_ct.nii")
    data = {**FOLDER, "mr": "{case}/{case}_mr.nii", "ct": "{case}/{case}_ct.nii"}
    assert list(cases_and_files(data, tmp_path)) == ["p1"]


def test_several_files_that_fit(tmp_path):
    touch(tmp_path, "in/p1/T1_a.nii", "in/p1/T1_b.nii", "in/p1/ct.nii.gz")
    data = {**FOLDER, "mr": "{case}/T1*.nii"}
    with pytest.raises(ConfigError, match="data.mr: several files of case p1 fit\n  found: p1/T1_a.nii, p1/T1_b.nii"):
        open_source(data, tmp_path).files("p1")


def test_what_is_no_image_is_passed_over(tmp_path):
    """Pictures, texts and the files that macOS keeps beside others fit the pattern too."""
    touch(tmp_path, "in/p1/T1.nii.gz", "in/p1/T1.png", "in/p1/T1.json", "in/p1/._T1.nii.gz", "in/p1/ct.nii.gz")
    touch(tmp_path, "in/notes/T1 of all.txt", "in/._p2/T1.nii.gz")
    data = {**FOLDER, "mr": "{case}/*T1*", "ct": "{case}/ct.nii.gz"}
    assert cases_and_files(data, tmp_path) == {"p1": {"mr": "p1/T1.nii.gz", "ct": "p1/ct.nii.gz"}}
    touch(tmp_path, "in/p1/T1.img")  # it could be the one that is meant
    with pytest.raises(ConfigError, match="several files of case p1 fit\n  found: p1/T1.img, p1/T1.nii.gz"):
        open_source(data, tmp_path).files("p1")


@pytest.mark.parametrize("name", ["T1{r}.nii.gz", "T1{case}.nii.gz"])
def test_a_word_in_braces_in_a_name(tmp_path, name):
    """Snakemake takes it for a wildcard."""
    touch(tmp_path, f"in/p1/{name}", "in/p1/ct.nii.gz")
    with pytest.raises(ConfigError, match="data.mr: not a usable path\n  found: {.* in p1/(?s:.)*rename the file"):
        open_source({**FOLDER, "mr": "{case}/T1*.nii.gz"}, tmp_path).cases()
    touch(tmp_path, "in/p1/mr.nii.gz", "in/p1/body{r}.nii.gz")
    with pytest.raises(ConfigError, match="data.mask: not a usable path"):
        open_source({**FOLDER, "mask": "{case}/body*.nii.gz"}, tmp_path).files("p1")
    touch(tmp_path, "bids/sub-01/anat/sub-01_desc-{r}_T1w.nii.gz", "bids/sub-01/ct/sub-01_ct.nii.gz")
    data = {**BIDS, "root": "bids"}
    with pytest.raises(ConfigError, match="case sub-01: MR: not a usable path"):
        open_source(data, tmp_path).files("sub-01")


def test_an_empty_folder_and_none(tmp_path):
    with pytest.raises(ConfigError, match="data.root: no such folder: .*in"):
        open_source(FOLDER, tmp_path).cases()
    touch(tmp_path, "in/p1/other.nii")
    with pytest.raises(ConfigError, match=r"no case in .*in\n  found: nothing that fits \{case\}/mr.nii.gz"):
        open_source(FOLDER, tmp_path).cases()


def test_a_folder_whose_name_is_no_id(tmp_path):
    touch(tmp_path, "in/Jane Doe/mr.nii.gz")
    with pytest.raises(ConfigError, match="not a usable case id\n  found: 'Jane Doe'(?s:.)*such as 'Jane_Doe'"):
        open_source(FOLDER, tmp_path).cases()


def test_a_pattern_without_the_id(tmp_path):
    touch(tmp_path, "in/mr.nii.gz")
    with pytest.raises(ConfigError, match="data.mr: the pattern does not say where the case id is"):
        open_source({**FOLDER, "mr": "mr.nii.gz"}, tmp_path).cases()


def test_a_link_out_of_the_folder(tmp_path):
    touch(tmp_path, "elsewhere/ct.nii.gz", "in/p1/inner.nii.gz")
    (tmp_path / "in/p1/ct.nii.gz").symlink_to(tmp_path / "elsewhere/ct.nii.gz")
    (tmp_path / "in/p1/mr.nii.gz").symlink_to("inner.nii.gz")
    check_inside(tmp_path / "in", tmp_path / "in/p1/mr.nii.gz", "case p1: MR")
    with pytest.raises(DataError, match="case p1: CT: a link leads out of the folder of the data(?s:.)*elsewhere"):
        check_inside(tmp_path / "in", tmp_path / "in/p1/ct.nii.gz", "case p1: CT")


# --- BIDS

BIDS = {"source": "bids", "root": "in", "mr_suffix": "T1w", "ct_suffix": "ct", "mr_entities": {}, "ct_entities": {}}


def test_bids_subjects_and_sessions(tmp_path):
    touch(
        tmp_path,
        "in/sub-01/anat/sub-01_T1w.nii.gz",
        "in/sub-01/anat/sub-01_T2w.nii.gz",
        "in/sub-01/ct/sub-01_ct.nii",
        "in/sub-02/ses-1/anat/sub-02_ses-1_acq-ute_T1w.nii.gz",
        "in/sub-02/ses-1/anat/sub-02_ses-1_acq-gre_T1w.nii.gz",
        "in/sub-02/ses-1/ct/sub-02_ses-1_ct.nii.gz",
        "in/derivatives/x/sub-09/anat/sub-09_T1w.nii.gz",
    )
    assert open_source(BIDS, tmp_path).cases() == ["sub-01", "sub-02_ses-1"]
    data = {**BIDS, "mr_entities": {"acq": "ute"}}
    assert open_source(data, tmp_path).files("sub-02_ses-1") == {
        "mr": tmp_path / "in/sub-02/ses-1/anat/sub-02_ses-1_acq-ute_T1w.nii.gz",
        "ct": tmp_path / "in/sub-02/ses-1/ct/sub-02_ses-1_ct.nii.gz",
    }
    assert open_source(BIDS, tmp_path).files("sub-01")["ct"].name == "sub-01_ct.nii"
    with pytest.raises(
        ConfigError, match="case sub-02_ses-1: more than one MR in the BIDS folder\n  found: sub-02_ses"
    ):
        open_source(BIDS, tmp_path).files("sub-02_ses-1")


def test_a_bids_subject_without_ct(tmp_path):
    touch(tmp_path, "in/sub-01/anat/sub-01_T1w.nii.gz")
    with pytest.raises(ConfigError, match="case sub-01: no CT in the BIDS folder\n  found: none"):
        open_source(BIDS, tmp_path).files("sub-01")


def test_no_bids_folder(tmp_path):
    touch(tmp_path, "in/p1/mr.nii.gz")
    with pytest.raises(ConfigError, match=r"no sub-\*/ with a file \*_T1w.nii.gz or \*_ct.nii.gz"):
        open_source(BIDS, tmp_path).cases()


# --- SynthRAD

SYNTHRAD = {"source": "synthrad2023", "region": "pelvis", "root": "in"}


@pytest.mark.parametrize("parent", ["Task1/pelvis/", "pelvis/", ""])
def test_synthrad2023(tmp_path, parent):
    for case in ("1PA001", "1PC098", "overview", "1BA001"):
        touch(tmp_path, *(f"in/{parent}{case}/{role}.nii.gz" for role in ("mr", "ct", "mask")))
    files = cases_and_files(SYNTHRAD, tmp_path)
    assert list(files) == ["1PA001", "1PC098"]
    assert files["1PC098"] == {role: f"{parent}1PC098/{role}.nii.gz" for role in ("mr", "ct", "mask")}


def test_synthrad2025(tmp_path):
    touch(tmp_path, "in/synthRAD2025_Task1_Train/Task1/TH/1THB006/mr.mha", "in/Task1/AB/1ABA005/mr.mha")
    data = {"source": "synthrad2025", "region": "thorax", "root": "in"}
    assert list(cases_and_files(data, tmp_path)) == ["1THB006"]
    assert cases_and_files({**data, "region": "abdomen"}, tmp_path)["1ABA005"]["mask"] == "Task1/AB/1ABA005/mask.mha"
    with pytest.raises(ConfigError, match="no patients of synthrad2025, region head_neck(?s:.)*Task1/HN/1HNA001/"):
        open_source({**data, "region": "head_neck"}, tmp_path).cases()


def test_synthrad2023_before_it_is_downloaded(tmp_path):
    data = {"source": "synthrad2023", "region": "pelvis", "root": None, "download_dir": "cache"}
    cases = open_source(data, tmp_path).cases()
    assert (len(cases), cases[0], cases[-1]) == (180, "1PA001", "1PC098")
    assert open_source(data, tmp_path).files("1PA001")["mr"] == tmp_path / "cache/Task1/pelvis/1PA001/mr.nii.gz"
    assert open_source(data, tmp_path).needs_download("1PA001")
    assert not open_source({**data, "root": "in"}, tmp_path).needs_download("1PA001")
    with pytest.raises(ConfigError, match="data.root: missing(?s:.)*only the region pelvis is downloaded"):
        open_source({**data, "region": "brain"}, tmp_path).cases()
