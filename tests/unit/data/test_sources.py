import subprocess
import sys
from pathlib import Path

import pytest

from afpbench.base.errors import ConfigError
from afpbench.data import sources

STS = {"source": "sts"}


@pytest.fixture(autouse=True)
def _no_real_data(monkeypatch, tmp_path):
    monkeypatch.setenv(sources.REAL_DATA_VARIABLE, str(tmp_path / "real"))


def test_phantom_ids_are_numbered_from_zero(tmp_path):
    data = {"source": "phantom", "region": "thorax", "cases": 3}
    assert sources.list_cases(data, tmp_path) == ["thorax_000", "thorax_001", "thorax_002"]
    assert sources.phantom_index(data, "thorax_002") == 2
    assert sources.case_files(data, "thorax_000", tmp_path) == {}
    assert not sources.needs_download(data, "thorax_000", tmp_path)


def test_the_list_of_files_holds_four_for_each_of_36_patients():
    files = sources.sts_files()
    assert len(files) == 36 * 4
    assert {file.name for file in files} == set(sources.STS_ROLES.values())
    assert (files[0].case, files[0].name, files[0].size_bytes) == ("STS_001", "CT_image.nii.gz", 3417229)
    assert all(len(file.sha256) == 64 for file in files)


def test_sts_cases_without_the_excluded(tmp_path):
    cases = sources.list_cases({**STS, "exclude": ["STS_001", "STS_005"]}, tmp_path)
    assert len(cases) == 34
    assert cases[0] == "STS_002"


def test_sts_cases_as_listed(tmp_path):
    data = {**STS, "cases": ["STS_019", "STS_002"], "exclude": []}
    assert sources.list_cases(data, tmp_path) == ["STS_019", "STS_002"]
    assert len(sources.list_cases({**STS, "cases": None}, tmp_path)) == 36


def test_unknown_and_repeated_ids_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="data.cases: not a case of this source\n  found: STS_007"):
        sources.list_cases({**STS, "cases": ["STS_007"]}, tmp_path)
    with pytest.raises(ConfigError, match="data.exclude: not a case of this source\n  found: STS_99"):
        sources.list_cases({**STS, "exclude": ["STS_99"]}, tmp_path)
    with pytest.raises(ConfigError, match="more than once\n  found: STS_001"):
        sources.list_cases({**STS, "cases": ["STS_001", "STS_001"]}, tmp_path)


def test_no_case_left_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no case is left"):
        sources.list_cases({**STS, "cases": ["STS_001"], "exclude": ["STS_001"]}, tmp_path)


def test_an_unknown_source_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="data.source: no such source\n  found: dicom"):
        sources.list_cases({"source": "dicom"}, tmp_path)


def test_a_case_lies_in_root_or_in_the_real_data_or_in_the_download_folder(tmp_path):
    (tmp_path / "real" / "sts" / "STS_002").mkdir(parents=True)
    assert sources.case_folder(STS, "STS_002", tmp_path) == tmp_path / "real" / "sts" / "STS_002"
    assert sources.case_folder(STS, "STS_005", tmp_path) == tmp_path / "resources" / "sts" / "STS_005"
    assert sources.case_folder({**STS, "download_dir": "cache"}, "STS_005", tmp_path) == tmp_path / "cache" / "STS_005"
    assert sources.case_folder({**STS, "root": "mine"}, "STS_002", tmp_path) == tmp_path / "mine" / "STS_002"
    assert not sources.needs_download(STS, "STS_002", tmp_path)
    assert sources.needs_download(STS, "STS_005", tmp_path)
    assert not sources.needs_download({**STS, "root": "mine"}, "STS_005", tmp_path)


def test_the_files_of_a_case(tmp_path):
    files = sources.case_files({**STS, "root": "mine"}, "STS_002", tmp_path)
    assert files["mr"] == tmp_path / "mine" / "STS_002" / "MR_T1_image.nii.gz"
    assert list(files) == ["mr", "ct", "mr_contour", "ct_contour"]


def test_class_ids():
    data = {**STS, "labels": {"kind": "hu_ranges", "structures": {"bone": {}, "muscle": {}, "fat": {}}}}
    assert sources.class_ids(data) == {"bone": 1, "muscle": 2, "fat": 3}
    assert sources.class_ids(STS) == {}
    assert sources.class_ids({"source": "phantom", "region": "thorax", "cases": 1})["heart"] == 51


def test_import_needs_the_standard_library_only():
    code = (
        "import sys; import afpbench.data.sources, afpbench.study.splits; "
        "afpbench.data.sources.class_ids({'source': 'phantom'}); "
        "heavy = {'numpy', 'scipy', 'SimpleITK', 'itk', 'torch', 'yaml'} & set(sys.modules); assert not heavy, heavy"
    )
    folder = Path(sources.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(folder)})
