import subprocess
import sys
from pathlib import Path

import pytest

from afpbench.base.errors import ConfigError
from afpbench.study import splits
from afpbench.study.kinds.sources import open_source, sts

STS = {"source": "sts"}


@pytest.fixture(autouse=True)
def _no_real_data(monkeypatch, tmp_path):
    monkeypatch.setenv(sts.REAL_DATA_VARIABLE, str(tmp_path / "real"))


def test_phantom_ids_are_numbered_from_zero(tmp_path):
    source = open_source({"source": "phantom", "region": "thorax", "cases": 3}, tmp_path)
    assert source.cases() == ["thorax_000", "thorax_001", "thorax_002"]
    assert source.index("thorax_002") == 2
    assert source.makes_cases and source.files("thorax_000") == {} and source.input_files("thorax_000") == []
    assert not source.needs_download("thorax_000")


def test_the_list_of_files_holds_four_for_each_of_36_patients():
    files = sts.sts_files()
    assert len(files) == 36 * 4
    assert {file.name for file in files} == set(sts.ROLES.values())
    assert (files[0].case, files[0].name, files[0].size_bytes) == ("STS_001", "CT_image.nii.gz", 3417229)
    assert all(len(file.sha256) == 64 for file in files)


def test_sts_cases_without_the_excluded(tmp_path):
    cases = open_source({**STS, "exclude": ["STS_001", "STS_005"]}, tmp_path).cases()
    assert len(cases) == 34
    assert cases[0] == "STS_002"


def test_sts_cases_as_listed(tmp_path):
    data = {**STS, "cases": ["STS_019", "STS_002"], "exclude": []}
    assert open_source(data, tmp_path).cases() == ["STS_019", "STS_002"]
    assert len(open_source({**STS, "cases": None}, tmp_path).cases()) == 36


def test_unknown_and_repeated_ids_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="data.cases: not a case of this source\n  found: STS_007"):
        open_source({**STS, "cases": ["STS_007"]}, tmp_path).cases()
    with pytest.raises(ConfigError, match="data.exclude: not a case of this source\n  found: STS_99"):
        open_source({**STS, "exclude": ["STS_99"]}, tmp_path).cases()
    with pytest.raises(ConfigError, match="more than once\n  found: STS_001"):
        open_source({**STS, "cases": ["STS_001", "STS_001"]}, tmp_path).cases()


def test_no_case_left_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no case is left"):
        open_source({**STS, "cases": ["STS_001"], "exclude": ["STS_001"]}, tmp_path).cases()


def test_an_unknown_source_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="sources: no such kind\n  found: 'dicom'\n  expected: phantom, sts, table"):
        open_source({"source": "dicom"}, tmp_path)


def test_a_case_lies_in_root_or_in_the_real_data_or_in_the_download_folder(tmp_path):
    (tmp_path / "real" / "sts" / "STS_002").mkdir(parents=True)
    assert open_source(STS, tmp_path).case_folder("STS_002") == tmp_path / "real" / "sts" / "STS_002"
    assert open_source(STS, tmp_path).case_folder("STS_005") == tmp_path / "resources" / "sts" / "STS_005"
    assert (
        open_source({**STS, "download_dir": "cache"}, tmp_path).case_folder("STS_005") == tmp_path / "cache" / "STS_005"
    )
    assert open_source({**STS, "root": "mine"}, tmp_path).case_folder("STS_002") == tmp_path / "mine" / "STS_002"
    assert not open_source(STS, tmp_path).needs_download("STS_002")
    assert open_source(STS, tmp_path).needs_download("STS_005")
    assert not open_source({**STS, "root": "mine"}, tmp_path).needs_download("STS_005")


def test_the_files_of_a_case(tmp_path):
    files = open_source({**STS, "root": "mine"}, tmp_path).files("STS_002")
    assert files["mr"] == tmp_path / "mine" / "STS_002" / "MR_T1_image.nii.gz"
    assert list(files) == ["mr", "ct", "mr_contour", "ct_contour"]


def test_class_ids():
    data = {**STS, "labels": {"kind": "hu_ranges", "structures": {"bone": {}, "muscle": {}, "fat": {}}}}
    assert open_source(data, Path()).label_ids() == {"bone": 1, "muscle": 2, "fat": 3}
    assert open_source(STS, Path()).label_ids() == {}
    phantom = open_source({"source": "phantom", "region": "thorax", "cases": 1}, Path())
    assert phantom.label_ids()["heart"] == 51 and phantom.label_ids()["prostate"] == 22
    assert "heart" in phantom.label_names() and "prostate" not in phantom.label_names()
    assert phantom.has_true_labels and not open_source(STS, Path()).has_true_labels


def test_import_needs_the_standard_library_only():
    code = (
        "import sys; import afpbench.study.splits; from afpbench.study.kinds.sources import open_source; "
        "open_source({'source': 'phantom', 'region': 'thorax'}, '.').label_names(); "
        "heavy = {'numpy', 'scipy', 'SimpleITK', 'itk', 'torch', 'yaml'} & set(sys.modules); assert not heavy, heavy"
    )
    folder = Path(splits.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(folder)})
