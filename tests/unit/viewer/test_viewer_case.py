"""What the viewer finds in a results folder, and what it says of what is not there."""

import json
import os

import numpy as np
import pytest
from viewed_results import make_label_results, make_results, with_channels

from afpbench.base.errors import ConfigError, DataError, UnusableFile
from afpbench.viewer.case import CaseView, TaskView
from afpbench.viewer.errors import error_file, error_map
from afpbench.viewer.folder import ResultsFolder
from afpbench.volumes import io
from afpbench.volumes.io import Geometry, Volume


@pytest.fixture
def folder(tmp_path):
    return make_results(tmp_path / "results")


@pytest.fixture
def results(folder):
    return folder.path


def case(folder, name):
    return CaseView(TaskView(folder, "hip"), name)


def test_every_image_of_a_case_has_a_state(folder):
    there, missing = {"state": "there", "why": ""}, {"state": "missing", "why": "not made yet"}
    assert case(folder, "p1").describe() == {
        "case": "p1",
        "part": "test",
        "failure": "",
        "images": {
            "mr": there,
            "ct": there,
            "mask": there,
            "row/l1": there,
            "row/afp": {"state": "failed", "why": "no memory"},
            "labels/total/ct": there,
            "labels/total/l1": there,
            "labels/total/afp": missing,
        },
    }


def test_every_channel_of_an_mr_is_an_image(folder):
    view = case(with_channels(folder.path, "t1", "t2", "pd"), "p1")
    images = view.describe()["images"]
    assert list(images)[:5] == ["mr", "mr_0001", "mr_0002", "ct", "mask"]
    assert {images[name]["state"] for name in ("mr", "mr_0001", "mr_0002")} == {"there"}
    assert [float(io.read(view.find(name)).array.max()) for name in ("mr", "mr_0001", "mr_0002")] == [300, 600, 900]
    with pytest.raises(ConfigError, match="no image 'mr_0003'"):
        view.find("mr_0003")


def test_how_far_a_half_finished_task_is(folder):
    counts = {"p1": {"there": 1, "failed": 1, "missing": 0}, "p2": {"there": 0, "failed": 0, "missing": 2}}
    assert TaskView(folder, "hip").overview() == counts


def test_label_maps_alone_are_all_that_there_is_to_see(tmp_path):
    results = make_label_results(tmp_path / "labels")
    there, failed = {"state": "there", "why": ""}, {"state": "failed", "why": "no such file"}
    assert case(results, "p1").describe()["images"] == {
        "mask": there, "labels/total/ct": there, "labels/total/l1": there, "labels/total/afp": failed,
    }  # fmt: skip
    assert TaskView(results, "hip").overview() == {"p1": {"there": 1, "failed": 1, "missing": 0}}
    with pytest.raises(ConfigError, match="no image 'row/l1'"):
        case(results, "p1").find("row/l1")


def test_no_row_is_asked_of_a_case_that_trains(folder):
    images = case(folder, "p3").describe()["images"]
    assert list(images) == ["mr", "ct", "mask", "labels/total/ct"]
    assert images["ct"]["state"] == "there"  # registered apart, which a folder of its own says


def test_a_case_that_failed_says_where_and_why(folder):
    task = TaskView(folder, "hip")
    prepared = folder.path / "hip" / "cases" / "p2" / "prepared"
    prepared.mkdir(parents=True)
    (prepared / "failed.json").write_text(json.dumps({"case": "p2", "stage": "import", "error": "not HU"}))
    described = CaseView(task, "p2").describe()
    assert described["failure"] == "import: not HU"
    assert {image["why"] for image in described["images"].values()} == {"import: not HU"}
    assert task.overview()["p2"] == {"there": 0, "failed": 2, "missing": 0}


def test_the_image_of_an_older_run_that_a_record_calls_failed_is_not_shown(folder):
    synthetic = TaskView(folder, "hip").paths.synthetic("afp").image("p1")
    io.write(Volume(np.zeros((2, 2, 2), np.int16), Geometry.of((2, 2, 2), (1, 1, 1))), synthetic)
    with pytest.raises(DataError, match="no memory"):
        case(folder, "p1").find("row/afp")


@pytest.mark.parametrize("address", ["nothing", "row/none", "labels/total/../ct", "row/../../x", ""])
def test_other_addresses_are_refused(folder, address):
    with pytest.raises(ConfigError, match="no image"):
        case(folder, "p1").find(address)


def test_links_are_refused_wherever_they_lead(folder):
    view = case(folder, "p1")
    image = view.find("ct")
    inside = image.with_name("other.nii.gz")
    os.rename(image, inside)
    image.symlink_to(inside)
    with pytest.raises(DataError, match=r"a link: hip/cases/p1/prepared/ct\.nii\.gz"):
        view.find("ct")
    assert view.describe()["images"]["ct"]["state"] == "failed"
    cases = folder.path / "hip" / "cases"
    cases.rename(folder.path / "elsewhere")
    cases.symlink_to(folder.path / "elsewhere")
    with pytest.raises(DataError, match="a link: hip/cases"):
        view.find("mr")


def test_the_results_folder_itself_may_be_a_link(results, tmp_path):
    (tmp_path / "link").symlink_to(results)
    assert case(ResultsFolder(tmp_path / "link"), "p1").find("ct").is_file()


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret", "hip/../../secret", "hip", "nothing"])
def test_nothing_outside_is_read(folder, path):
    (folder.path.parent / "secret").write_text("secret")
    with pytest.raises(DataError, match="not shown"):
        folder.inside(folder.path / path)


def test_names_in_a_contents_file_lead_nowhere(results):
    contents = json.loads((results / "contents.json").read_text())
    contents["tasks"]["hip"]["test"] = ["../../../../../p9"]
    target = results.parent / "p9" / "prepared"
    target.mkdir(parents=True)
    (target / "ct.nii.gz").write_text("secret")
    (results / "contents.json").write_text(json.dumps(contents))
    with pytest.raises(DataError):
        case(ResultsFolder(results), "../../../../../p9").find("ct")


def test_a_folder_that_does_not_say_what_it_holds(results):
    (results / "contents.json").unlink()
    with pytest.raises(ConfigError, match=r"afpbench view STUDY\.yaml"):
        ResultsFolder(results)
    (results / "contents.json").write_text('{"tasks": {"hip": {"title": "Hip"}}}')
    with pytest.raises(UnusableFile, match=r"tasks\.hip\.reference is missing"):
        ResultsFolder(results)
    with pytest.raises(ConfigError, match="no results folder"):
        ResultsFolder(results / "none")


# --- error maps


def volume(values, spacing=(1, 1, 1)):
    array = np.array(values, np.int16).reshape(1, 2, 2)
    return Volume(array, Geometry.of(array.shape, spacing))


def test_an_error_is_synthetic_minus_real_inside_the_mask():
    error = error_map(volume([100, -1024, 3071, 5]), volume([40, 3071, -1024, 5]), volume([1, 1, 1, 0]), "p1")
    assert error.array.dtype == np.int16
    assert error.array.ravel().tolist() == [60, -4095, 4095, 0]
    outside = error_map(volume([9, 9, 9, 9]), volume([0, 0, 0, 0]), volume([0, 0, 2, 0]), "p1")
    assert outside.array.ravel().tolist() == [0, 0, 9, 0]


def test_images_of_two_grids_are_not_compared():
    with pytest.raises(DataError, match="case p1: the synthetic CT is not on the real CT.s grid"):
        error_map(volume([1, 2, 3, 4], (1, 1, 2)), volume([1, 2, 3, 4]), volume([1, 1, 1, 1]), "p1")


def test_the_file_of_an_error_map_lies_where_the_case_does(folder, tmp_path):
    view = case(folder, "p1")
    content = error_file(*(view.find(name) for name in ("row/l1", "ct", "mask")), "p1")
    (tmp_path / "error.nii.gz").write_bytes(content)
    error, real = io.read(tmp_path / "error.nii.gz"), io.read(view.find("ct"))
    assert error.geometry == real.geometry
    assert np.unique(error.array).tolist() == [0, 40]
    assert np.count_nonzero(error.array) == 2 * 4 * 6
