"""An MR of several channels from files to the prepared case: each on its own grid, then all on the first one's."""

import logging
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from afpbench.base.atomic import read_json, write_json
from afpbench.base.errors import DataError
from afpbench.data import checks, importing, inspection_report, mr_alone, thumbnails
from afpbench.data.inspection import find_duplicates, inspect_case
from afpbench.volumes import channels, io, mr_range, normalization
from afpbench.volumes.io import Geometry, Volume
from afpbench.volumes.preprocessing import prepare_case, resample_case

GRID = Geometry((10, 20, 20), (3.0, 2.0, 2.0))
FINE = Geometry((20, 40, 40), (1.5, 1.0, 1.0))  # half the voxels; the first voxel's centre is the same
NAMES = ("t1", "t2")
DATA = {
    "source": "folder",
    "root": "in",
    "mr": {"t1": "{case}/t1.nii.gz", "t2": "{case}/t2.nii.gz"},
    "ct": "{case}/ct.nii.gz",
}


def ramp(grid, low=0.0):
    """Twice the x position in mm, so that any interpolation inside gives the same line."""
    x = grid.origin_mm[0] + np.arange(grid.shape[2]) * grid.spacing_mm[2]
    return Volume(np.broadcast_to(low + 2 * x, grid.shape).astype(np.float32).copy(), grid)


def images():
    hu = np.full(GRID.shape, -1000.0)
    hu[:, 4:16, 4:16] = 40
    t1 = np.where(hu > 0, 300.0, 5.0).astype(np.float32)
    return {"t1": Volume(t1, GRID), "t2": ramp(FINE, 10), "ct": Volume(hu, GRID)}


def run(tmp_path, **changed):
    for name, volume in {**images(), **changed}.items():
        io.write(volume, tmp_path / "in" / "p" / f"{name}.nii.gz")
    importing.import_case(DATA, "p", 1, tmp_path / "imported", tmp_path)
    return tmp_path / "imported"


def failure(tmp_path, **changed):
    with pytest.raises(DataError) as error:
        run(tmp_path, **changed)
    return str(error.value)


def test_each_channel_is_imported_on_its_own_grid_and_recorded(tmp_path):
    out = run(tmp_path)
    assert list(channels.files(out)) == ["mr", "mr_0001"] and channels.names(out) == NAMES
    first, second = (io.read(path) for path in channels.files(out).values())
    assert first.geometry.matches(GRID) and second.geometry.matches(FINE)
    assert second.array[0, 0, :3].tolist() == [10, 12, 14]
    record = read_json(out / "case.json")
    assert record["mr_channels"] == ["t1", "t2"] and record["channel_shares_of_mr"] == {"mr_0001": 1.0}
    assert record["mr_0001"]["shape"] == [20, 40, 40] and record["record"]["files"]["mr_0001"]["file"] == "t2.nii.gz"


def test_a_plain_mr_has_no_word_of_channels_in_its_record(tmp_path):
    for name, volume in images().items():
        io.write(volume, tmp_path / "in" / "p" / f"{name}.nii.gz")
    importing.import_case({**DATA, "mr": "{case}/t1.nii.gz"}, "p", 1, tmp_path / "imported", tmp_path)
    record = read_json(tmp_path / "imported" / "case.json")
    assert list(record) == ["case", "source", "ct_box_share_of_mr", "mr", "ct", "classes", "record"]
    assert channels.names(tmp_path / "imported") == ()


def test_the_checks_of_an_mr_are_those_of_each_channel(tmp_path):
    bad = ramp(FINE)
    bad.array[3, 3, 3] = np.nan
    assert failure(tmp_path, t2=bad).startswith("case p: MR t2: ")
    hu = np.where(np.indices(FINE.shape)[2] < 20, -1000.0, 40.0)
    message = failure(tmp_path, t2=Volume(hu, FINE), ct=Volume(images()["t1"].array, GRID))
    assert "MR and CT are exchanged" in message


def test_one_image_for_two_channels_is_refused(tmp_path):
    message = failure(tmp_path, t2=images()["t1"])
    assert "case p: MR t2: it has the voxels of the first channel" in message and "t1.nii.gz" in message


def test_a_channel_that_shows_half_is_told_and_one_that_shows_less_is_refused(tmp_path, caplog):
    logging.getLogger("afpbench").setLevel(logging.INFO)
    part = Geometry((6, 20, 20), GRID.spacing_mm)  # 6 of 10 slices
    record = read_json(run(tmp_path, t2=ramp(part)) / "case.json")
    assert record["channel_shares_of_mr"] == {"mr_0001": pytest.approx(0.6)}
    assert "case p: MR t2: it shows 60 % of what the first channel shows" in caplog.text
    message = failure(tmp_path, t2=ramp(Geometry((4, 20, 20), GRID.spacing_mm)))
    assert "case p: MR t2: it shows too little of what the first channel shows\n  found: 40%" in message
    assert "expected: at least 50%" in message


def test_channels_of_two_frames_of_reference_are_refused():
    one, other = (replace(ramp(GRID), frame_uid=uid, source=uid[-1]) for uid in ("1.2.3", "1.2.4"))
    checks.check_frame(one, one, "case p: MR t2")
    checks.check_frame(one, replace(other, frame_uid=""), "case p: MR t2")  # nobody knows
    with pytest.raises(DataError, match="case p: MR t2: another frame of reference(?s:.)*of 4 and of 3") as error:
        checks.check_frame(other, one, "case p: MR t2")
    assert "1.2" not in str(error.value)


# --- resampled and prepared


def two_channels(folder, second):
    io.write(images()["t1"], folder / "mr.nii.gz")
    io.write(second, folder / "mr_0001.nii.gz")
    write_json(folder / "case.json", {"case": "p", "mr_channels": NAMES})
    return folder


def test_a_channel_comes_onto_the_first_ones_task_grid_by_one_interpolation(tmp_path):
    resample_case(two_channels(tmp_path / "imported", ramp(FINE, 10)), tmp_path / "out", (3.0, 2.0, 4.0))
    first, second = channels.read(tmp_path / "out", "p").values()
    assert first.geometry == second.geometry and second.array.shape == (10, 20, 10)
    # 10 + 2 x at x = 8, 12, 16 mm: a line stays a line, smoothed and interpolated
    assert np.allclose(second.array[5, 10, 2:5], [26, 34, 42], atol=0.01)


def test_beyond_its_field_of_view_a_channel_is_as_dark_as_its_darkest_value(tmp_path):
    part = ramp(Geometry((6, 20, 20), GRID.spacing_mm), 10)
    resample_case(two_channels(tmp_path / "imported", part), tmp_path / "out", None)
    second = io.read(tmp_path / "out" / "mr_0001.nii.gz").array
    assert np.allclose(second[:7, :, 5], 30, atol=1e-3)  # one voxel beyond its last slice it goes on
    assert (second[7:] == 10).all()


def test_a_prepared_case_has_all_channels_and_their_checksums(tmp_path):
    imported, resampled, registered = (tmp_path / name for name in ("imported", "resampled", "registered"))
    two_channels(imported, ramp(GRID, 10))
    io.write(images()["ct"].with_array(images()["ct"].array.astype(np.int16)), imported / "ct.nii.gz")
    resample_case(imported, resampled, None)
    io.write(io.read(imported / "ct.nii.gz"), registered / "ct.nii.gz")
    io.write(Volume(np.ones(GRID.shape, np.uint8), GRID), registered / "covered.nii.gz")
    prepare_case(imported, resampled, registered, tmp_path / "out")
    found = channels.read(tmp_path / "out", "p")
    assert channels.stacked(found).shape == (2, *GRID.shape) and channels.names(tmp_path / "out") == NAMES
    record = read_json(tmp_path / "out" / "case.json")
    assert record["mr_0001_sha256"] == importing.sha256_of(imported / "mr_0001.nii.gz")


def test_channels_on_different_grids_are_no_prepared_case(tmp_path):
    with pytest.raises(DataError, match=r"case p: MR \(mr_0001\) is not on the grid of the first"):
        channels.read(two_channels(tmp_path, ramp(FINE)), "p")


# --- normalisation


def prepared(folder, second):
    folder = two_channels(folder, second)
    io.write(images()["ct"].with_array(images()["ct"].array.astype(np.int16)), folder / "ct.nii.gz")
    io.write(Volume(np.ones(GRID.shape, np.uint8), GRID), folder / "mask.nii.gz")
    return folder


OPTIONS = {"mr_scheme": "zscore", "mr_clip_percentiles": [0, 100], "ct_scheme": "range", "ct_clip_hu": [-1000, 1000]}


def test_every_channel_is_normalised_by_itself(tmp_path):
    folder = prepared(tmp_path / "p" / "prepared", ramp(GRID, 10))
    statistics = normalization.fit([folder], OPTIONS)["mr"]
    assert statistics == {"scheme": "zscore", "channels": [{"scheme": "zscore"}, {"scheme": "zscore"}]}
    first, second = normalization.normalize_mr(channels.stacked(channels.read(folder, "p")), statistics)
    # t1: 144 of 400 voxels of a slice are 300, the others 5; t2: 10, 14, ... 86, standard deviation sqrt(399/12) * 4
    mean, std = 5 + 295 * 0.36, 295 * np.sqrt(0.36 * 0.64)
    assert np.allclose(np.unique(first), [(5 - mean) / std, (300 - mean) / std], atol=1e-5)
    assert np.allclose(second[0, 0, [0, -1]], [-38 / (4 * np.sqrt(399 / 12)), 38 / (4 * np.sqrt(399 / 12))], atol=1e-5)


def test_landmarks_are_those_that_each_channel_has_alone(tmp_path):
    options = {**OPTIONS, "mr_scheme": "landmarks", "mr_clip_percentiles": [1, 99]}
    first, second = ramp(GRID), ramp(GRID).with_array(ramp(GRID).array ** 2)
    folder = prepared(tmp_path / "p" / "prepared", second)
    io.write(first, folder / "mr.nii.gz")
    found = normalization.channel_stats(normalization.fit([folder], options)["mr"])
    (folder / "mr_0001.nii.gz").unlink()
    alone = []
    for image in (first, second):
        io.write(image, folder / "mr.nii.gz")
        alone.append(normalization.fit([folder], options)["mr"])
    assert found == alone and alone[0] != alone[1]


@pytest.mark.parametrize(("shape", "count"), [((3, 4, 4, 4), 3), ((4, 4, 4), 1)])
def test_another_number_of_channels_than_the_trainings(shape, count):
    statistics = {"scheme": "zscore", "channels": [{"scheme": "zscore"}] * 2}
    with pytest.raises(DataError, match=f"another number of channels(?s:.)*found: {count}\n  expected: 2"):
        normalization.normalize_mr(np.zeros(shape), statistics)
    with pytest.raises(DataError, match="found: 2\n  expected: 1"):
        normalization.normalize_mr(np.zeros((2, 4, 4, 4)), {"scheme": "zscore"})


def test_the_ranges_of_each_channel_and_what_lies_outside(tmp_path):
    folder = prepared(tmp_path / "p" / "prepared", ramp(GRID, 10))
    io.write(ramp(FINE, 10), tmp_path / "imported" / "mr_0001.nii.gz")
    io.write(images()["t1"], tmp_path / "imported" / "mr.nii.gz")
    statistics = {"scheme": "minmax", "channels": [{"scheme": "minmax", "clip_percentiles": [0, 100]}] * 2}
    ranges = mr_range.fit({"p": tmp_path / "imported"}, {"p": folder}, statistics)
    assert ranges["spacing_mm"]["low"] == [3, 2, 2] and ranges["normalised"]["low"][0] == -1
    (other,) = ranges["other_channels"]
    assert other["spacing_mm"] == {"low": [1.5, 1, 1], "high": [1.5, 1, 1]}
    assert other["normalised"]["low"][1] == pytest.approx(0, abs=1e-6)  # the median of a ramp is its middle
    mr = list(channels.read(folder, "p").values())
    assert mr_range.findings([GRID, FINE], mr, statistics, ranges, NAMES) == []
    found = mr_range.findings([GRID, GRID], mr, statistics, ranges, NAMES)
    assert found[0] == "MR t2: its voxels along z: 3 mm; the training saw 1.5 to 1.5 mm"
    exchanged = mr_range.findings([GRID, FINE], mr[::-1], statistics, ranges, NAMES)
    assert any("MR t1: its normalised intensities" in finding for finding in exchanged)


# --- an MR alone, and the check


def test_channels_without_ct_are_imported_in_their_order(tmp_path):
    for name in ("t1", "t2"):
        io.write(images()[name], tmp_path / f"{name}.nii.gz")
    paths = [tmp_path / "t1.nii.gz", tmp_path / "t2.nii.gz"]
    stored, mr = mr_alone.import_mr(paths, "p", tmp_path / "imported", NAMES)
    assert [volume.geometry.shape for volume in stored] == [GRID.shape, FINE.shape] and len(mr) == 2
    assert list(channels.files(tmp_path / "imported")) == ["mr", "mr_0001"]
    with pytest.raises(DataError, match="case p: MR t2: it has the voxels of the first channel"):
        mr_alone.import_mr(paths[:1] * 2, "p", tmp_path / "imported", NAMES)


def test_the_check_looks_at_every_channel(tmp_path):
    constant = ramp(FINE)
    constant.array[5] = 3
    for case, second in (("a", constant), ("b", ramp(FINE)), ("c", ramp(FINE))):
        for name, volume in {**images(), "t2": second}.items():
            io.write(volume, tmp_path / "in" / case / f"{name}.nii.gz")
    found = [inspect_case(DATA, case, tmp_path) for case in "abc"]
    find_duplicates(found)
    assert not any(item.error for item in found)
    assert "1 of 20 slices of the MR t2 are constant" in found[0].findings
    assert "the MR t2 has the voxels of the MR t2 of b" in found[2].findings
    assert (found[1].facts["mr_size"], found[1].facts["mr_0001_size"]) == ("20 x 20 x 10", "40 x 40 x 20")
    assert (found[1].facts["mr_0001_spacing_mm"], found[1].facts["mr_0001_axes"]) == ("1.00 x 1.00 x 1.50", "LPS")
    heads = inspection_report.to_csv(found).splitlines()[0].split(",")
    assert heads[2:13] == [
        *(f"{role}_{what}" for role in ("mr", "mr_0001") for what in ("size", "spacing_mm", "axes", "low", "high")),
        "ct_size",
    ]
    page = inspection_report.to_html("own", found)
    assert "MR t1 spacing, mm" in page and "MR t2 spacing, mm" in page
    assert "b: MR t1, MR t2, CT at the same place, and MR t1 and CT as a checkerboard" in page
    assert "MR t1 size (x, y, z)" in inspection_report.to_text("own", found)
    io.write(images()["t1"], tmp_path / "in" / "a" / "t2.nii.gz")
    assert "case a: MR t2: it has the voxels of the first channel" in inspect_case(DATA, "a", tmp_path).error


def test_the_picture_of_a_check_shows_every_channel():
    mr, ct = [images()["t1"], ramp(FINE, 10)], images()["ct"]
    one, two = (Image.open(BytesIO(thumbnails.thumbnail(mr[:count], ct))) for count in (1, 2))
    assert (one.size, two.size) == ((3 * 140 + 4, 140), (4 * 140 + 6, 140))  # 40 x 40 mm on 140 pixels; gaps of 2
    one, two = np.asarray(one), np.asarray(two)
    assert np.array_equal(one[:, :140], two[:, :140]) and np.array_equal(one[:, 142:], two[:, 284:])
    assert (np.diff(two[70, 150:270].astype(int)) >= 0).all() and two[70, 150] < two[70, 270]  # the ramp
