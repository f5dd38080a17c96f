import json

import numpy as np
import pytest

from afpbench.base.atomic import write_json
from afpbench.base.errors import DataError
from afpbench.volumes import io
from afpbench.volumes import preprocessing as prep
from afpbench.volumes.io import Geometry, Volume

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def ball(shape, radius, centre=None):
    centre = [(n - 1) / 2 for n in shape] if centre is None else centre
    return sum((axis - c) ** 2 for axis, c in zip(np.indices(shape), centre, strict=True)) <= radius**2


def test_the_grid_covers_the_field_of_view_and_keeps_its_place():
    source = Geometry((10, 20, 31), (5.0, 2.0, 1.0), (1.0, 2.0, 3.0), OBLIQUE)
    grid = prep.task_grid(source, (3.0, 2.0, 2.0))
    assert grid == Geometry((17, 20, 16), (3.0, 2.0, 2.0), (1.0, 2.0, 3.0), OBLIQUE)


def test_rounding_noise_in_the_spacing_adds_no_slice():
    assert prep.task_grid(Geometry((60, 4, 4), (3.2699999, 1.0, 1.0)), (3.27, 1.0, 1.0)).shape == (60, 4, 4)
    assert prep.task_grid(Geometry((60, 4, 4), (3.2700001, 1.0, 1.0)), (3.27, 1.0, 1.0)).shape == (60, 4, 4)


def test_a_ramp_stays_a_ramp_at_its_place():
    source = Geometry((8, 12, 16), (2.0, 2.0, 2.0), (5.0, -3.0, 0.0), OBLIQUE)
    ramp = np.broadcast_to(np.arange(16.0) * 2, source.shape)
    result = prep.resample(Volume(ramp, source), prep.task_grid(source, (1.0, 1.0, 1.0)))
    assert result.array.dtype == np.float32
    np.testing.assert_allclose(result.array[4, 6, 8:24], np.arange(8, 24), atol=0.05)


def test_values_stay_in_the_range_of_the_source_and_reach_the_border():
    source = Geometry((8, 8, 8), (2.0, 2.0, 2.0))
    step = np.zeros(source.shape)
    step[:, :, 4:] = 100
    result = prep.resample(Volume(step, source), prep.task_grid(source, (1.5, 1.5, 1.5))).array
    assert (result.min(), result.max()) == (0, 100)
    np.testing.assert_allclose(result[-1, -1, -1], 100, atol=1)


def test_antialias_smooths_only_axes_that_get_coarser():
    rng = np.random.default_rng(0)
    volume = Volume(rng.normal(0, 1, (20, 20, 20)), Geometry((20, 20, 20), (3.0, 1.0, 1.0)))
    smooth = prep.antialias(volume, (3.0, 3.0, 0.5)).array
    sigma = np.sqrt(9 - 1) / 2.355  # 1.2 voxels
    assert smooth.std() == pytest.approx(1 / np.sqrt(2 * np.sqrt(np.pi) * sigma), rel=0.1)  # one axis only
    np.testing.assert_array_equal(prep.antialias(volume, (3.0, 1.0, 1.0)).array, volume.array.astype(np.float32))


def test_labels_take_the_nearest_value_and_zero_outside():
    source = Geometry((4, 4, 4), (2.0, 2.0, 2.0))
    labels = np.zeros(source.shape, np.uint8)
    labels[:, :, 2:] = 200
    result = prep.resample_labels(Volume(labels, source), prep.task_grid(source, (1.0, 1.0, 1.0))).array
    assert result.dtype == np.uint8
    assert set(np.unique(result)) == {0, 200}
    assert (result[0, 0, :3] == 0).all() and (result[0, 0, 4:7] == 200).all()


def test_the_body_of_a_ct_without_table_and_with_lungs():
    shape = (20, 60, 60)
    hu = np.full(shape, -1000.0)
    hu[:, 10:45, 10:50] = 30
    hu[:, 20:35, 15:28] = -850  # a lung
    hu[:, 50:52, :] = 200  # a table of 4 mm
    hu[:, 5:9, 55:58] = 30  # a small thing beside
    expected = np.zeros(shape, bool)
    expected[:, 10:45, 10:50] = True
    mask = prep.body_mask_ct(Volume(hu, Geometry(shape, (2.0, 2.0, 2.0))))
    assert mask.dtype == bool
    assert (mask != expected).mean() < 0.001
    assert not mask[:, 50:].any()


def test_two_legs_are_both_the_body():
    hu = np.full((10, 40, 60), -1000.0)
    hu[:, 10:30, 5:25] = 30
    hu[:, 10:30, 35:50] = 30
    mask = prep.body_mask_ct(Volume(hu, Geometry(hu.shape, (3.0, 2.0, 2.0))))
    assert mask[5, 20, 15] and mask[5, 20, 40] and not mask[5, 20, 30]


def test_the_threshold_of_the_ct_body_can_be_set():
    hu = np.full((10, 30, 30), -1000.0)
    hu[:, 8:22, 8:22] = -400
    volume = Volume(hu, Geometry(hu.shape, (2.0, 2.0, 2.0)))
    assert not prep.body_mask_ct(volume).any()
    assert prep.body_mask_ct(volume, threshold_hu=-500)[5, 15, 15]


def mr_limb():
    rng = np.random.default_rng(1)
    body = ball((1, 60, 60), 25)[0]
    plane = np.where(body, 300.0, 8.0)
    plane[body & ~ball((1, 60, 60), 20)[0]] = 900  # fat
    plane[ball((1, 60, 60), 6)[0]] = 20  # cortex as dark as air
    array = np.repeat(plane[None], 10, axis=0)
    return array + rng.normal(0, 4, array.shape), np.repeat(body[None], 10, axis=0)


def test_the_body_of_an_mr_holds_its_dark_parts():
    array, body = mr_limb()
    mask = prep.body_mask_mr(Volume(array, Geometry(array.shape, (3.0, 1.0, 1.0))))
    assert (mask != body).mean() < 0.01
    assert mask[5, 30, 30]


def test_an_mr_inside_the_body_is_all_body():
    array, _ = mr_limb()
    inside = array[:, 15:45, 15:45]
    assert prep.body_mask_mr(Volume(inside, Geometry(inside.shape, (3.0, 1.0, 1.0)))).mean() > 0.95


def test_a_limb_that_only_the_ct_shows_is_missing_tissue():
    mr = np.full((16, 60, 60), 5.0)
    mr[:, 10:50, 5:25] = 300
    hu = np.full(mr.shape, -1000.0)
    hu[:, 10:50, 3:27] = 30  # the same limb, 4 mm larger
    hu[:, 15:45, 40:55] = 30  # another limb
    missing = prep.missing_tissue(Volume(mr, Geometry(mr.shape, (2.0, 2.0, 2.0))), hu)
    assert missing[:, 20:40, 45:50].all()
    assert not missing[:, :, :30].any()


def test_opening_and_closing_by_hand():
    mask = np.zeros((9, 21, 21), bool)
    mask[:, 5:16, 5:16] = True
    mask[:, 10, 16:] = True  # a wire of 1 mm
    assert not prep.opened(mask, (1.0, 1.0, 1.0), 2.0)[4, 10, 18]
    assert prep.opened(mask, (1.0, 1.0, 1.0), 2.0)[4, 10, 10]
    gap = np.zeros((9, 20, 20), bool)
    gap[:, 4:17, 4:17] = True
    gap[:, :, 10] = False
    closed = prep.closed(gap, (1.0, 1.0, 1.0), 1.5)
    assert closed[4, 8:14, 10].all()
    assert not closed[:, :, 18:].any() and not closed[:, :3].any()
    assert not prep.opened(np.zeros((3, 3, 3), bool), (1.0, 1.0, 1.0), 1.0).any()
    assert prep.opened(np.ones((3, 3, 3), bool), (1.0, 1.0, 1.0), 9.0).all()


def test_large_components():
    mask = np.zeros((3, 10, 10), bool)
    mask[:, :4, :4] = True  # 48 voxels
    mask[0, 8, 8] = True
    assert prep.large_components(mask, smallest_voxels=2).sum() == 48
    assert prep.large_components(mask, share_of_largest=0.01).sum() == 49
    assert prep.large_components(mask, smallest_voxels=99).sum() == 0


def case_folders(root, hu, mr, covered=None, labels=None, grid=None):
    grid = grid or Geometry(hu.shape, (2.0, 2.0, 2.0), (1.0, 2.0, 3.0))
    folders = [root / "p1" / name for name in ("imported", "resampled", "registered", "prepared")]
    imported, resampled, registered, _ = folders
    for folder, name, array in (
        (imported, "mr", mr.astype(np.float32)),
        (imported, "ct", hu.astype(np.int16)),
        (resampled, "mr", mr.astype(np.float32)),
        (registered, "ct", hu.astype(np.int16)),
        (registered, "covered", (np.ones(hu.shape) if covered is None else covered).astype(np.uint8)),
        (registered, "labels", labels),
    ):
        if array is not None:
            io.write(Volume(array, grid), folder / f"{name}.nii.gz")
    write_json(imported / "case.json", {"case": "p1"})
    return folders


def body_pair():
    hu = np.full((12, 40, 40), -1000)
    hu[:, 8:32, 8:32] = 40
    return hu, np.where(hu > 0, 300.0, 5.0)


def test_a_prepared_case(tmp_path):
    hu, mr = body_pair()
    covered = np.ones(hu.shape, bool)
    covered[:, :, 25:] = False
    labels = np.where(hu > 0, 201, 0).astype(np.uint8)
    folders = case_folders(tmp_path, hu, mr, covered, labels)
    prep.prepare_case(*folders)
    out = folders[-1]
    ct, mask = io.read(out / "ct.nii.gz"), io.read(out / "mask.nii.gz")
    assert ct.array.dtype == np.int16
    assert (ct.array[:, :, 25:] == -1024).all()
    np.testing.assert_array_equal(mask.array > 0, (hu > 0) & covered)
    assert io.read(out / "mr.nii.gz").array.dtype == np.float32
    np.testing.assert_array_equal(io.read(out / "labels.nii.gz").array, labels)
    record = json.loads((out / "case.json").read_text())
    assert (record["case"], record["shape"], record["spacing_mm"]) == ("p1", [12, 40, 40], [2.0, 2.0, 2.0])
    assert record["mr_sha256"] == prep.sha256_of(folders[0] / "mr.nii.gz")
    assert record["covered_share"] == pytest.approx(25 / 40)
    assert record["dropped_share_of_body"] == 0


def test_the_warped_body_of_the_registration_is_used_where_it_is(tmp_path):
    hu, mr = body_pair()
    folders = case_folders(tmp_path, hu, mr)
    body = np.zeros(hu.shape, np.uint8)
    body[:, 10:20, 10:20] = 1
    io.write(Volume(body, Geometry(hu.shape, (2.0, 2.0, 2.0), (1.0, 2.0, 3.0))), folders[2] / "body.nii.gz")
    prep.prepare_case(*folders)
    np.testing.assert_array_equal(io.read(folders[-1] / "mask.nii.gz").array, body)


def test_a_mask_that_came_with_the_case_is_the_region_of_evaluation(tmp_path):
    hu, mr = body_pair()
    covered = np.ones(hu.shape, bool)
    covered[:, :, 25:] = False
    folders = case_folders(tmp_path, hu, mr, covered)
    given = np.zeros(hu.shape, np.uint8)
    given[2:-2, 10:30, 10:] = 1  # skin and air too, as challenge masks have them
    io.write(io.read(folders[2] / "ct.nii.gz").with_array(given), folders[0] / "mask.nii.gz")
    prep.prepare_case(*folders)
    np.testing.assert_array_equal(io.read(folders[3] / "mask.nii.gz").array > 0, (given > 0) & covered)


def test_slices_that_the_mr_did_not_record_are_left_out(tmp_path):
    hu = np.full((24, 40, 40), -1000)
    hu[:, 8:32, 8:32] = 40
    mr = np.where(hu > 0, 300.0, 5.0)
    mr[12:] = 0
    folders = case_folders(tmp_path, hu, mr)
    prep.prepare_case(*folders)
    mask = io.read(folders[-1] / "mask.nii.gz").array > 0
    assert (mask[:12] == (hu[:12] > 0)).all()
    assert not mask[14:].any()
    record = json.loads((folders[-1] / "case.json").read_text())
    assert 0.4 < record["dropped_share_of_body"] < 0.5


def test_nothing_to_evaluate_is_an_error(tmp_path):
    hu, mr = body_pair()
    with pytest.raises(DataError) as error:
        prep.prepare_case(*case_folders(tmp_path, hu, mr, covered=np.zeros(hu.shape)))
    assert "case p1: the mask of the region of evaluation is empty" in str(error.value)
    assert "found: 0 voxels where the CT has data" in str(error.value)


def test_a_ct_on_another_grid_is_an_error(tmp_path):
    hu, mr = body_pair()
    folders = case_folders(tmp_path, hu, mr)
    io.write(Volume(hu.astype(np.int16), Geometry(hu.shape, (2.0, 2.0, 2.0))), folders[2] / "ct.nii.gz")
    with pytest.raises(DataError, match="case p1: the registered CT is not on the MR's grid"):
        prep.prepare_case(*folders)


def test_a_label_over_255_is_an_error(tmp_path):
    hu, mr = body_pair()
    folders = case_folders(tmp_path, hu, mr, labels=np.where(hu > 0, 300, 0).astype(np.int16))
    with pytest.raises(DataError, match="case p1: label out of range\n  found: 300"):
        prep.prepare_case(*folders)


def test_resample_case_writes_mr_and_contour(tmp_path):
    hu, mr = body_pair()
    imported = case_folders(tmp_path, hu, mr)[0]
    contour = Volume((hu > 0).astype(np.uint8), Geometry(hu.shape, (2.0, 2.0, 2.0), (1.0, 2.0, 3.0)))
    io.write(contour, imported / "mr_contour.nii.gz")
    prep.resample_case(imported, tmp_path / "out", (4.0, 1.0, 1.0))
    result = io.read(tmp_path / "out" / "mr.nii.gz")
    assert result.geometry.shape == (6, 80, 80)
    assert result.geometry.origin_mm == (1.0, 2.0, 3.0)
    assert set(np.unique(io.read(tmp_path / "out" / "mr_contour.nii.gz").array)) == {0, 1}


def test_resample_case_names_the_case(tmp_path):
    hu, mr = body_pair()
    imported = case_folders(tmp_path, hu, mr)[0]
    (imported / "mr.nii.gz").write_bytes(b"no image")
    with pytest.raises(DataError, match="case p1: MR: cannot read"):
        prep.resample_case(imported, tmp_path / "out", (3.0, 3.0, 3.0))
